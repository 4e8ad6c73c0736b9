import type { QuickJSContext, QuickJSHandle } from "quickjs-emscripten-core";

/** Either way, as JSON. The guest makes sure that it has room for as much (url.guest.js). */
const textBytesMax = 64 * 1024;

const settableKeys = ["href", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"] as const;
type SettableKey = (typeof settableKeys)[number];
type UrlParts = Record<SettableKey | "origin", string>;

type UrlRequest =
  | { readonly op: "parse"; readonly url: string; readonly base: string | undefined }
  | { readonly op: "set"; readonly href: string; readonly key: SettableKey; readonly value: string };

/**
 * Lends the guest Bun's URL parser: JSON of a request in, JSON of the URL's parts or of null (no URL) out, and undefined
 * for what is too long or no request. It never throws, because the binding would show the guest the host's exception.
 */
export function createHostUrl(context: QuickJSContext): QuickJSHandle {
  return context.newFunction("url", (request) => {
    try {
      const answer = answerText(context.getString(request));
      return answer === undefined ? context.undefined : context.newString(answer);
    } catch {
      return context.undefined;
    }
  });
}

function answerText(requestText: string): string | undefined {
  if (Buffer.byteLength(requestText) > textBytesMax) return undefined;
  const request = readRequest(JSON.parse(requestText));
  if (request === undefined) return undefined;
  const text = JSON.stringify(answer(request));
  return Buffer.byteLength(text) > textBytesMax ? undefined : text;
}

function answer(request: UrlRequest): UrlParts | null {
  switch (request.op) {
    case "parse":
      return partsOf(URL.parse(request.url, request.base));
    case "set":
      return partsOf(withPart(request.href, request.key, request.value));
    default:
      return request satisfies never;
  }
}

/** A new `href` may be no URL; every other setter of the standard ignores what it cannot take. */
function withPart(href: string, key: SettableKey, value: string): URL | null {
  if (key === "href") return URL.parse(value);
  const url = new URL(href);
  url[key] = value;
  return url;
}

function partsOf(url: URL | null): UrlParts | null {
  if (url === null) return null;
  const { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash } = url;
  return { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash };
}

function readRequest(request: unknown): UrlRequest | undefined {
  const read = (name: string): unknown => (typeof request === "object" && request !== null ? Reflect.get(request, name) : undefined);
  const [op, url, base, href, value] = [read("op"), read("url"), read("base"), read("href"), read("value")];
  if (op === "parse" && typeof url === "string") return { op, url, base: typeof base === "string" ? base : undefined };
  const key = settableKeys.find((known) => known === read("key"));
  if (op === "set" && typeof href === "string" && typeof value === "string" && key) return { op, href, key, value };
  return undefined;
}

import { z } from "zod";
import { type AddressGuard, ForbiddenAddress } from "../../../platform/outgoing/address-guard.ts";
import { sendRequest } from "../../../platform/outgoing/request.ts";
import { type Capability, CapabilityError } from "./broker.ts";
import { createEgressSecrets, type ReadSecret } from "./egress-secrets.ts";

const asked = z.object({
  url: z.string().max(8_192),
  method: z.string().max(16),
  headers: z.array(z.tuple([z.string().max(256), z.string().max(8_192)])).max(64),
  body: z.string().optional(),
});

/** What a program may not say, because the connection is not its own (Fetch standard, forbidden request-header). */
const forbiddenHeader =
  /^(host|connection|content-length|transfer-encoding|upgrade|te|trailer|keep-alive|expect|cookie2?|proxy-.*|sec-.*)$/;

/** HTTP to the hosts that are granted, at public addresses only, without following redirects. */
export function createFetchCapability(guard: AddressGuard, readSecret: ReadSecret): Capability {
  return async (guest, _method, argument) => {
    const { fetch: grant } = guest.grants;
    const parsed = asked.safeParse(argument);
    if (!parsed.success || grant === undefined) throw new CapabilityError("TypeError", "fetch takes a URL and { method, headers, body }");
    const { method, headers, body } = parsed.data;
    const url = parseUrl(parsed.data.url);
    if (!grant.hosts.some((host) => matchesHost(host, url)))
      throw new CapabilityError("NotGrantedError", `requests to ${url.host} are not granted`);
    if (!grant.methods.includes(method)) throw new CapabilityError("NotGrantedError", `the method ${method} is not granted`);
    const signal = AbortSignal.timeout(grant.timeoutMs);
    const bodyBytesMax = grant.responseBytesMax;
    const secrets = createEgressSecrets(readSecret, guest);
    const filled = await Promise.all(headers.map(async ([name, value]) => [name, await secrets.fill(value)] as const));
    const sent = { headers: toHeaders(filled), body: body === undefined ? undefined : await secrets.fill(body) };
    const answer = await sendRequest({ method, url: url.href, ...sent, signal, bodyBytesMax }, guard).catch((error: unknown) => {
      throw networkError(error, url);
    });
    if (answer.isCut) throw new CapabilityError("LimitError", `the answer is larger than the ${bodyBytesMax} bytes that are granted`);
    return {
      status: answer.status,
      statusText: answer.statusText,
      url: url.href,
      redirected: false,
      headers: Object.entries(answer.headers).flatMap(([name, value]) => [value ?? []].flat().map((one) => [name, secrets.hide(one)])),
      body: secrets.hide(answer.body.toString()),
    };
  };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url || !["http:", "https:"].includes(url.protocol)) throw new CapabilityError("TypeError", "the URL is not an absolute http(s) one");
  if (url.username || url.password) throw new CapabilityError("TypeError", "the URL must not have a user and password");
  url.hash = "";
  return url;
}

function matchesHost(pattern: string, { hostname, host }: URL): boolean {
  const actual = pattern.includes(":") ? host : hostname;
  // Without a port in the pattern it is the scheme's own.
  if (!pattern.includes(":") && host !== hostname) return false;
  return pattern.startsWith("*.") ? actual.endsWith(pattern.slice(1)) : actual === pattern;
}

function toHeaders(headers: readonly (readonly [string, string])[]): Record<string, string> {
  const refused = headers.find(([name, value]) => forbiddenHeader.test(name.toLowerCase()) || !isHeader(name, value));
  if (refused) throw new CapabilityError("TypeError", `the header ${refused[0]} can't be set`);
  return { "user-agent": "Keelson-Sandbox", ...Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])) };
}

/** RFC 9110 §5.1 and §5.5. */
function isHeader(name: string, value: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

function networkError(error: unknown, { host }: URL): CapabilityError {
  if (error instanceof ForbiddenAddress) return new CapabilityError("NotGrantedError", `${host} is not at a public address`);
  const name = error instanceof Error ? error.name : "Error";
  if (name === "TimeoutError" || name === "AbortError") return new CapabilityError("TimeoutError", `${host} did not answer in time`);
  return new CapabilityError("NetworkError", `the request to ${host} failed`);
}

import { Problem } from "../../../platform/errors.ts";

/** Where a browser may be sent after a log-in. */
export interface ReturnPolicy {
  readonly publicUrl: string;
  /** Exact origins of other places. */
  readonly returnOrigins: readonly string[];
}

const lengthMax = 2_000;

/**
 * The absolute URL to return to: a path of ours, or a URL of an allowed origin. Throws `Problem` (`validation_failed` at `pointer`) for all
 * else, so that nobody is led astray from here (RFC 9700 §4.11, CWE-601). Absolute, because a path such as `//x` means another host.
 */
export function assertReturnUrl(text: string, pointer: string, { publicUrl, returnOrigins }: ReturnPolicy): string {
  const url = isPlain(text) ? parse(text, publicUrl) : undefined;
  const home = new URL(publicUrl).origin;
  const allowed = text.startsWith("/") ? [home] : returnOrigins;
  if (url === undefined || !allowed.includes(url.origin)) {
    throw new Problem("validation_failed", {
      detail: "It is not allowed to return there after a log-in.",
      errors: [
        { pointer, detail: "expected a path that begins with one /, or a URL of an origin in KEELSON_OAUTH_RETURN_URLS; without fragment" },
      ],
    });
  }
  return url.href;
}

/** Browsers read a backslash as a slash and drop line breaks and tabs; other characters than these come percent-encoded. */
function isPlain(text: string): boolean {
  return text.length <= lengthMax && /^[\x21-\x7e]+$/.test(text) && !/[\\#]/.test(text);
}

function parse(text: string, publicUrl: string): URL | undefined {
  const isPath = text.startsWith("/") && !text.startsWith("//");
  if (!(isPath || /^https?:\/\/[\w.:[\]-]+([/?]|$)/.test(text))) return undefined;
  return URL.parse(text, isPath ? publicUrl : undefined) ?? undefined;
}

import { z } from "zod";
import { parseNetwork } from "./platform/outgoing/address-guard.ts";

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,12}$/, { error: `expected a whole number from ${min} to ${max}` })
    .transform(Number)
    .pipe(z.number().min(min).max(max));
export const connectionUrl = (...schemes: string[]) =>
  z.string().refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol), {
    error: `expected a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(" or ")}`,
  });
export const commaList = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean),
);
/** `true` is one. */
export const proxyCount = z.union([z.stringbool().transform((one) => (one ? 1 : 0)), wholeNumber(0, 10)], {
  error: "expected false, true, or how many proxies a request comes through",
});
export const origin = z.string().refine((value) => URL.canParse(value) && new URL(value).origin === value, {
  error: "expected an origin such as https://app.example.com: no path, no slash at the end",
});
export const network = z.string().transform((value, context) => {
  try {
    return parseNetwork(value);
  } catch {
    context.addIssue({ code: "custom", message: "expected networks such as 10.0.0.0/8, or addresses" });
    return z.NEVER;
  }
});
export const base64Bytes = (length: number) =>
  z.string().refine((value) => Buffer.from(value, "base64").length === length && /^[A-Za-z0-9+/]+={0,2}$/.test(value), {
    error: `expected ${length} bytes in base64 (make one with: openssl rand -base64 ${length})`,
  });
export const hostAndPort = z.string().transform((value, context) => {
  const match = /^(?<host>[^:]+|\[[^\]]+\]):(?<port>\d{1,5})$/.exec(value);
  if (match?.groups?.host && Number(match.groups.port) <= 65_535) return { host: match.groups.host, port: Number(match.groups.port) };
  context.addIssue({ code: "custom", message: "expected host:port" });
  return z.NEVER;
});

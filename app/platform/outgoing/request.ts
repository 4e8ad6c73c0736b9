import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import { type AddressGuard, ForbiddenAddress } from "./address-guard.ts";

export interface OutgoingRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
  /** No more of the answer's body is read. */
  readonly bodyBytesMax: number;
}

export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  /** The beginning of the body. */
  readonly body: Buffer;
  /** There was more of it. */
  readonly isCut: boolean;
}

/**
 * Sends a request over a connection of its own to an address that the guard allows. Redirects are answers like others: they are not followed. Rejects with
 * `ForbiddenAddress`, with the network's error, or when `signal` aborts.
 */
export function sendRequest(
  { method, url, headers, body, signal, bodyBytesMax }: OutgoingRequest,
  guard: Pick<AddressGuard, "allows" | "lookup">,
): Promise<Answer> {
  const target = new URL(url);
  const literal = target.hostname.replace(/^\[|\]$/g, "");
  // An address in the URL is connected to without asking any resolver.
  if (/^[\d.]+$|:/.test(literal) && !guard.allows(literal))
    return Promise.reject(new ForbiddenAddress(`${literal} is not a public address`));
  const options: RequestOptions = {
    method,
    headers: body === undefined ? headers : { ...headers, "content-length": Buffer.byteLength(body) },
    // A kept connection would pass the look at the address by.
    agent: false,
    lookup: guard.lookup,
    signal,
  };
  return new Promise((resolve, reject) => {
    const send = target.protocol === "https:" ? requestSecure : requestPlain;
    const request = send(target, options, (answer) => {
      readBeginning(answer, bodyBytesMax).then((read) => {
        resolve({ status: answer.statusCode ?? 0, statusText: answer.statusMessage ?? "", headers: answer.headers, ...read });
        request.destroy();
      }, reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** No more of it than that: what answers may be anything. */
async function readBeginning(answer: IncomingMessage, bytesMax: number): Promise<Pick<Answer, "body" | "isCut">> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    const part = Buffer.from(chunk);
    chunks.push(part);
    bytes += part.byteLength;
    if (bytes > bytesMax) break;
  }
  return { body: Buffer.concat(chunks).subarray(0, bytesMax), isCut: bytes > bytesMax };
}

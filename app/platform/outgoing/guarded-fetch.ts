import type { AddressGuard } from "./address-guard.ts";
import { sendRequest } from "./request.ts";

const answerBytesMax = 1_048_576;

/** `fetch` for libraries that take one, over `sendRequest`: only to addresses that the guard allows, without following redirects, and no more of an answer than a megabyte. */
export function createGuardedFetch(guard: Pick<AddressGuard, "allows" | "lookup">, timeoutMs: number) {
  return async (
    url: string,
    init: { method: string; headers: Record<string, string>; body?: unknown; signal?: AbortSignal | null | undefined },
  ): Promise<Response> => {
    const { method, headers, body } = init;
    const limit = AbortSignal.timeout(timeoutMs);
    const answer = await sendRequest(
      {
        ...{ method, url, headers },
        body: body === undefined || body === null ? undefined : String(body),
        signal: init.signal ? AbortSignal.any([init.signal, limit]) : limit,
        bodyBytesMax: answerBytesMax,
      },
      guard,
    );
    const pairs = Object.entries(answer.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one): [string, string] => [name, one]),
    );
    const hasBody = ![101, 204, 205, 304].includes(answer.status);
    return new Response(hasBody ? new Uint8Array(answer.body) : null, { status: answer.status, headers: pairs });
  };
}

import { z } from "zod";
import type { Seal } from "../../../platform/seal.ts";
import type { Tokens } from "./provider.ts";
import type { ConnectionRow } from "./store.ts";

const kept = z.object({ accessToken: z.string(), refreshToken: z.string().optional() });

export type TokenSeal = ReturnType<typeof createTokenSeal>;

/** How the tokens of a connection are stored: sealed, and bound to it. */
export function createTokenSeal(seal: Seal) {
  return {
    open: ({ id, tokens }: Pick<ConnectionRow, "id" | "tokens">): z.infer<typeof kept> =>
      kept.parse(JSON.parse(Buffer.from(seal.open(tokens, nameOf(id))).toString())),

    sealed: (id: string, { accessToken, refreshToken }: Tokens): Uint8Array =>
      seal.seal(Buffer.from(JSON.stringify({ accessToken, refreshToken })), nameOf(id)),
  };
}

function nameOf(id: string): string {
  return `connection:${id}`;
}

import { and, eq, lt, sql } from "drizzle-orm";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Db } from "../../../db/client.ts";
import { idempotencyKeys } from "../../../db/schema/platform.ts";
import type { Now } from "../clock.ts";
import type { Seal } from "../seal.ts";

export interface KeyAddress {
  /** Whose key it is: keys of different callers never meet. */
  readonly scope: string;
  readonly key: string;
}

export interface KeptAnswer {
  readonly status: ContentfulStatusCode;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

export type Claim =
  | { readonly kind: "claimed" }
  | { readonly kind: "in_flight" }
  | { readonly kind: "mismatch" }
  /** Altered, or kept under a key-encryption key that is disabled. */
  | { readonly kind: "unreadable" }
  | { readonly kind: "replay"; readonly answer: KeptAnswer };

export type IdempotencyRecords = ReturnType<typeof createIdempotencyRecords>;

/** How long a key may be repeated. */
const keptMs = 24 * 60 * 60 * 1_000;
/** A request that has not finished by then died with its copy: its key is free again. */
const lockMs = 60_000;

/** Who used which `Idempotency-Key` for what, and the answer it got; answers are sealed, because they may hold tokens. */
export function createIdempotencyRecords(deps: { readonly db: Db; readonly seal: Seal; readonly now: Now }) {
  const { db, seal, now } = deps;
  const at = ({ scope, key }: KeyAddress) => and(eq(idempotencyKeys.scope, scope), eq(idempotencyKeys.key, key));

  return {
    claim: async (address: KeyAddress, fingerprint: string): Promise<Claim> => {
      const moment = now();
      const fresh = { fingerprint, lockedUntil: new Date(+moment + lockMs), expiresAt: new Date(+moment + keptMs) };
      const [claimed] = await db
        .insert(idempotencyKeys)
        .values({ ...address, ...fresh })
        .onConflictDoUpdate({
          target: [idempotencyKeys.scope, idempotencyKeys.key],
          set: { ...fresh, status: null, contentType: null, body: null },
          setWhere: sql`${idempotencyKeys.expiresAt} < ${moment.toISOString()}
            or (${idempotencyKeys.status} is null and ${idempotencyKeys.lockedUntil} < ${moment.toISOString()} and ${idempotencyKeys.fingerprint} = ${fingerprint})`,
        })
        .returning({ key: idempotencyKeys.key });
      if (claimed) return { kind: "claimed" };
      const [row] = await db.select().from(idempotencyKeys).where(at(address));
      if (!row) return { kind: "in_flight" };
      if (row.fingerprint !== fingerprint) return { kind: "mismatch" };
      if (row.status === null || !row.body || !row.contentType) return { kind: "in_flight" };
      const body = tryOpen(seal, row.body, nameOf(address));
      return body
        ? { kind: "replay", answer: { status: asStatus(row.status), contentType: row.contentType, body } }
        : { kind: "unreadable" };
    },

    keep: async (
      address: KeyAddress,
      answer: { readonly status: number; readonly contentType: string; readonly body: Uint8Array },
    ): Promise<void> => {
      await db
        .update(idempotencyKeys)
        .set({ status: answer.status, contentType: answer.contentType, body: seal.seal(answer.body, nameOf(address)), lockedUntil: null })
        .where(at(address));
    },

    release: async (address: KeyAddress): Promise<void> => {
      await db.delete(idempotencyKeys).where(at(address));
    },
  };
}

/** Forgets keys past their time; returns how many. */
export async function purgeIdempotencyKeys(db: Db, now: Now): Promise<number> {
  const gone = await db.delete(idempotencyKeys).where(lt(idempotencyKeys.expiresAt, now())).returning({ key: idempotencyKeys.key });
  return gone.length;
}

function nameOf({ scope, key }: KeyAddress): string {
  return `answer:${scope}:${key}`;
}

function tryOpen(seal: Seal, sealed: Uint8Array, boundTo: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(seal.open(sealed, boundTo));
  } catch {
    return undefined;
  }
}

/** The column only ever holds the status of an answer we gave with a body. */
function asStatus(status: number): ContentfulStatusCode {
  return status as ContentfulStatusCode;
}

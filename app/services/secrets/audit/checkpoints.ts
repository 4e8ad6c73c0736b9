import type { Tx } from "../../../../db/client.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import { type Checkpoint, type CheckpointKey, checkpointKey, fingerprintOf, generateCheckpointKey, signCheckpoint } from "./checkpoint.ts";
import type { AuditKeyRow, AuditStore, CheckpointRow } from "./store.ts";

export interface CheckpointDeps {
  readonly store: Pick<AuditStore, "lock" | "end" | "newestCheckpoint" | "insertCheckpoint" | "newestKey" | "key" | "insertKey">;
  readonly transact: Transact;
  readonly seal: Seal;
  readonly now: Now;
}

export interface Vouched {
  readonly checkpoint: Checkpoint;
  readonly key: CheckpointKey;
}

export type Checkpoints = ReturnType<typeof createCheckpoints>;

/** So many entries, or so long after the last one, there is another. */
const entriesMax = 1_000;
const ageMsMax = 60_000;

/** Signed words on how far the trail goes. The key is made when it is first needed, and its private half is stored sealed. */
export function createCheckpoints({ store, transact, seal, now }: CheckpointDeps) {
  const keyIn = async (tx: Tx): Promise<AuditKeyRow> => {
    const known = await store.newestKey(tx);
    if (known) return known;
    const { publicKey, secret } = generateCheckpointKey();
    const id = fingerprintOf(publicKey);
    const row = { id, publicKey, privateKey: seal.seal(secret, nameOf(id)), createdAt: now() };
    await store.insertKey(row, tx);
    return row;
  };

  /** Of the chain as it is. Undefined while it is empty. */
  const make = (isDue: (newest: CheckpointRow | undefined, seq: number) => boolean): Promise<CheckpointRow | undefined> =>
    transact(async ({ tx }) => {
      await store.lock(tx);
      const [end, newest] = [await store.end(tx), await store.newestCheckpoint(tx)];
      if (!end || newest?.seq === end.seq || !isDue(newest, end.seq)) return newest;
      const { id: keyId, privateKey } = await keyIn(tx);
      const { seq, hash } = end;
      const at = now();
      const signature = signCheckpoint({ seq, hash, at: at.toISOString() }, seal.open(privateKey, nameOf(keyId)));
      const row = { seq, hash: Buffer.from(hash, "hex"), at, keyId, signature: Buffer.from(signature, "base64") };
      await store.insertCheckpoint(row, tx);
      return row;
    });

  const isDue = (newest: CheckpointRow | undefined, seq: number): boolean =>
    !newest || seq - newest.seq >= entriesMax || now().getTime() - newest.at.getTime() >= ageMsMax;

  return {
    makeIfDue: async (): Promise<void> => {
      const [end, newest] = [await store.end(), await store.newestCheckpoint()];
      if (end && newest?.seq !== end.seq && isDue(newest, end.seq)) await make(isDue);
    },

    /** Of the trail as it is chained now, made if there is none yet. Undefined while there is nothing in it. */
    current: async (): Promise<Vouched | undefined> => {
      const row = await make(() => true);
      const key = row && (await store.key(row.keyId));
      return row && key && { checkpoint: toCheckpoint(row), key: checkpointKey.parse(key.publicKey) };
    },
  };
}

function nameOf(keyId: string): string {
  return `audit-key:${keyId}`;
}

function toCheckpoint({ seq, hash, at, keyId, signature }: CheckpointRow): Checkpoint {
  return {
    ...{ seq, keyId },
    hash: Buffer.from(hash).toString("hex"),
    at: at.toISOString(),
    signature: Buffer.from(signature).toString("base64"),
  };
}

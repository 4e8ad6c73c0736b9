import { ReplyError } from "ioredis";
import { encodeEvent } from "./encode.ts";
import type { BusEvent, Cursor } from "./port.ts";
import { appendScript, isReplyError, runScript } from "./redis-scripts.ts";
import type { RedisBusContext } from "./redis-stream.ts";

/** An event on its way into the stream. */
export interface Append {
  /** Empty when the event may be stored although its id was seen before. */
  readonly uniqueId: string;
  readonly json: string;
}

const idRememberedSeconds = 600;
const replicasMsMax = 1_000;

export function toAppend({ uniqueId, ...event }: BusEvent, dedupe: boolean): Append {
  return { uniqueId: uniqueId ?? (dedupe ? event.id : ""), json: encodeEvent(event) };
}

/** Stores one batch at a time; a second call must wait for the first, because the store remembers one batch per publisher. */
export function createAppend({ redis, keys, waitReplicas }: RedisBusContext): (batch: readonly Append[]) => Promise<readonly Cursor[]> {
  let batchNumber = 0;
  /** A master that dies takes with it what no replica has: whoever wants none of that lost waits for them. */
  const replicated = async (): Promise<void> => {
    if (waitReplicas === 0) return;
    const replicas = await redis.wait(waitReplicas, replicasMsMax);
    if (replicas < waitReplicas) throw new ReplyError(`NOREPLICAS ${replicas} of ${waitReplicas} replicas have the events`);
  };

  return async (batch) => {
    batchNumber += 1;
    const args = [String(batchNumber), String(idRememberedSeconds), ...batch.flatMap(({ uniqueId, json }) => [uniqueId, json])];
    const send = async () => {
      const reply = await runScript(redis, appendScript, { keys: [keys.stream, keys.publisher, keys.seen], args });
      await replicated();
      return reply;
    };
    try {
      return asCursors(await send());
    } catch (error) {
      if (isReplyError(error)) throw error;
      // The answer was lost, perhaps after the events were stored: the batch number makes the repeat safe.
      return asCursors(await send());
    }
  };
}

function asCursors(reply: unknown): readonly Cursor[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

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

export function toAppend(event: BusEvent, dedupe: boolean): Append {
  const { id, type, time, subject, audience, requestId, data } = event;
  const json = JSON.stringify({ id, type, time, subject, audience, requestId, data: data === undefined ? null : data });
  return { uniqueId: dedupe ? id : "", json };
}

/** Stores one batch at a time; a second call must wait for the first, because the store remembers one batch per publisher. */
export function createAppend({ redis, keys }: RedisBusContext): (batch: readonly Append[]) => Promise<readonly Cursor[]> {
  let batchNumber = 0;
  return async (batch) => {
    batchNumber += 1;
    const args = [String(batchNumber), String(idRememberedSeconds), ...batch.flatMap(({ uniqueId, json }) => [uniqueId, json])];
    const send = () => runScript(redis, appendScript, { keys: [keys.stream, keys.publisher, keys.seen], args });
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

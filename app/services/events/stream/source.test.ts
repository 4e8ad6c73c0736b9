import { expect, test } from "bun:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { until } from "../../../../tests/until.ts";
import { compareCursors } from "../../../platform/bus/cursor.ts";
import type { StoredEvent } from "../../../platform/bus/port.ts";
import { createLiveEvents } from "./live.ts";
import { createEventSources, type StreamPart } from "./source.ts";

const decoder = new TextDecoder();
const everything = () => true;
const stored = (n: number): StoredEvent => ({
  cursor: `${n}-0`,
  id: `e${n}`,
  type: "test.it",
  time: "2026-01-01T00:00:00Z",
  data: { n },
  storedAt: n,
});

/** A log of which the bus thread has forwarded only the beginning. */
function openLagging(logged: number, forwarded: number) {
  const log = Array.from({ length: logged }, (_, n) => stored(n + 1));
  const live = createLiveEvents(() => Promise.resolve(`${forwarded}-0`));
  const open = createEventSources({
    bus: {
      read: async ({ after }) => {
        const events = log.filter(({ cursor }) => compareCursors(cursor, after) > 0);
        return { events, next: events.at(-1)?.cursor ?? after, trimmed: false };
      },
      head: async () => log.at(-1)?.cursor ?? "0-0",
      origin: async () => "0-0",
    },
    live,
    sweeps: { all: async () => new Map() },
    toCloudEvent: (event) => ({ id: event.id }) as never,
  });
  const forward = (...numbers: readonly number[]) =>
    live.take(
      numbers.map((n) => ({ cursor: `${n}-0`, type: "test.it", json: JSON.stringify({ id: `e${n}` }) })),
      `${numbers.at(-1)}-0`,
    );
  return { live, open, forward };
}

/** The ids that a stream says, in order, while it is read as `http/sse.ts` does. */
function read(parts: AsyncIterable<StreamPart>) {
  const said: string[] = [];
  const take = (bytes: Uint8Array) => said.push(...[...decoder.decode(bytes).matchAll(/^id: (\S+)$/gm)].map(([, id]) => id ?? ""));
  const write = (bytes: Uint8Array<ArrayBuffer>) => take(bytes) >= 0;
  const reading = (async () => {
    for await (const part of parts) {
      if ("attach" in part) await part.attach({ write });
      else if ("frames" in part) part.frames.forEach(take);
      else said.push(part.id);
    }
  })();
  return { said, reading };
}

function follow(open: ReturnType<typeof openLagging>["open"], after: string) {
  const source = open({
    patterns: ["test.it"],
    matches: everything,
    maySee: everything,
    after,
    onOpen: () => undefined,
    onClose: () => undefined,
  });
  const abort = new AbortController();
  const { said, reading } = read(source.parts(abort.signal));
  const end = () => {
    abort.abort();
    return reading;
  };
  return { said, end };
}

const isSaid = (said: readonly string[], id: string) => until(`${id} was said`, () => said.includes(id));

test("what the log has shown already is not said again when the bus thread comes to it", async () => {
  const { open, forward } = openLagging(6, 2);
  const { said, end } = follow(open, "1-0");
  await isSaid(said, "6-0");
  await nextTurn();
  forward(3, 4);
  await nextTurn();
  forward(5, 6, 7);
  await isSaid(said, "7-0");
  forward(8);
  await isSaid(said, "8-0");
  expect(said).toEqual(["2-0", "3-0", "4-0", "5-0", "6-0", "7-0", "8-0"]);
  await end();
});

test("a bus thread that starts again further back forwards what was said already: it is not said again", async () => {
  const { live, open, forward } = openLagging(4, 4);
  const { said, end } = follow(open, "4-0");
  await nextTurn();
  forward(5, 6);
  await isSaid(said, "6-0");
  live.renew();
  await nextTurn();
  forward(5, 6, 7);
  await isSaid(said, "7-0");
  expect(said).toEqual(["5-0", "6-0", "7-0"]);
  await end();
});

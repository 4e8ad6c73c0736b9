import type { Attached, Kept } from "./live.ts";

/** Most streams want all of what has come: they share one piece. */
export function createJoined(pending: readonly Kept[]) {
  const join = (some: readonly Kept[]): Uint8Array<ArrayBuffer> | undefined => {
    const [first] = some;
    return first && some.length === 1 ? first.frame : first && new Uint8Array(Buffer.concat(some.map(({ frame }) => frame)));
  };
  let whole: Uint8Array<ArrayBuffer> | undefined;
  return {
    forStream: ({ to, seq }: Attached): Uint8Array<ArrayBuffer> | undefined => {
      const wanted = pending.filter((event) => event.seq > seq && to.accepts(event));
      if (wanted.length < pending.length) return join(wanted);
      whole ??= join(pending);
      return whole;
    },
  };
}

/** Runs `work` soon, and where it takes long no more than half of the time: the more streams there are, the more comes to each at once. */
export function createPaced(work: () => void): () => void {
  let isDue = false;
  let restUntil = 0;
  const run = () => {
    isDue = false;
    const startedAt = performance.now();
    work();
    const endedAt = performance.now();
    restUntil = endedAt + (endedAt - startedAt);
  };
  return () => {
    if (isDue) return;
    isDue = true;
    const restMs = restUntil - performance.now();
    if (restMs > 1) setTimeout(run, restMs);
    else setImmediate(run);
  };
}

const pageBytes = 64 * 1024;

/**
 * Where the pinned QuickJS build keeps things in its memory: static data, then the stack, then the heap, whose end ("break")
 * the C library notes in one word. `tests/sandbox/snapshot.test.ts` shows how these were found and fails when they change.
 */
export const memoryLayout = { breakAddress: 86_864, heapStart: 5_341_184, staticBytes: 2 * pageBytes } as const;

/** The word tells where the heap ends once the build has started, which has taken about 8 000 bytes of it by then. */
const startedBytes = 8_192;

/** An instance's memory as it was, brought back by copying: every program starts from the same bytes as the one before. */
export interface Snapshot {
  restore(): void;
  /** How far the heap reached at most since the last restore, in steps of 64 KiB: the break never moves back. */
  heapBytesPeak(): number;
}

/** Throws when the instance, in which nothing may have been made yet, is not laid out as this file says. */
export function assertMemoryLayout(memory: WebAssembly.Memory): void {
  if (readBreak(memory) !== memoryLayout.heapStart) throw new Error("the QuickJS build has another memory layout than expected");
}

/** Copies static data and heap. The stack between them is left out: between two programs nothing on it is alive. */
export function takeSnapshot(memory: WebAssembly.Memory): Snapshot {
  const heapEnd = readBreak(memory);
  const highStart = memoryLayout.heapStart - startedBytes;
  const low = new Uint8Array(memory.buffer).slice(0, memoryLayout.staticBytes);
  const high = new Uint8Array(memory.buffer).slice(highStart, heapEnd);
  return {
    restore: () => {
      const bytes = new Uint8Array(memory.buffer);
      bytes.fill(0, heapEnd, Math.max(heapEnd, readBreak(memory)));
      bytes.set(low, 0);
      bytes.set(high, highStart);
    },
    heapBytesPeak: () => readBreak(memory) - memoryLayout.heapStart,
  };
}

function readBreak(memory: WebAssembly.Memory): number {
  return new DataView(memory.buffer).getUint32(memoryLayout.breakAddress, true);
}

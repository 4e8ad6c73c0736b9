import { expect, test } from "bun:test";
import { openQuickJsModule } from "../../sandbox/quickjs-module.ts";
import { memoryLayout } from "../../sandbox/snapshot.ts";

const probeBytes = 256 * 1024;

/** Allocates, and looks which word of the static data came to lie furthest behind the allocation: the end of the heap. */
async function findLayout(): Promise<{ breakAddress: number; heapStart: number }> {
  const { quickjs, memory } = await openQuickJsModule(16 * 1024 * 1024, Date.now);
  const before = new Uint32Array(memory.buffer.slice(0, memoryLayout.staticBytes));
  const context = quickjs.newContext();
  const block = context.getArrayBuffer(context.newArrayBuffer(new ArrayBuffer(probeBytes))).value;
  const blockEnd = block.byteOffset + probeBytes;
  const after = new Uint32Array(memory.buffer.slice(0, memoryLayout.staticBytes));
  const moved = [...after.keys()].filter((index) => after[index] !== before[index]);
  const behind = moved.filter((index) => (after[index] ?? 0) > blockEnd && (after[index] ?? 0) < blockEnd + probeBytes);
  const last = behind.toSorted((a, b) => (after[b] ?? 0) - (after[a] ?? 0))[0] ?? -1;
  return { breakAddress: last * 4, heapStart: before[last] ?? 0 };
}

test("the pinned build is laid out as the snapshot expects", async () => {
  expect(await findLayout()).toEqual({ breakAddress: memoryLayout.breakAddress, heapStart: memoryLayout.heapStart });
});

test("nothing but stack lies between the static data and the heap", async () => {
  const { quickjs, memory } = await openQuickJsModule(16 * 1024 * 1024, Date.now);
  quickjs.newContext();
  const { staticBytes, heapStart } = memoryLayout;
  // The stack grows down from the heap; half of its 5 MB is far more than a program may use of it.
  const between = new Uint8Array(memory.buffer, staticBytes, (heapStart - staticBytes) / 2);
  expect(between.every((byte) => byte === 0)).toBe(true);
});

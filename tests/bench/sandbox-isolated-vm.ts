import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "./child.ts";
import type { Bench, RunningSide, Side } from "./harness.ts";
import { rate } from "./sandbox-pace.ts";

const seconds = 2;
const inFlight = 16;
/** A folder in which `npm i isolated-vm` was run: it is compiled for minutes, by a compiler that this bench can't count on. */
const folder = Bun.env.KEELSON_BENCH_ISOLATED_VM;

/** The same small program in V8's own isolates. */
export const sandboxIsolatedVm: readonly Bench[] = [
  {
    name: "sandbox-isolated-vm",
    what: `A small program, over and over, ${inFlight} in flight, through the sandbox thread and its cells; peer: isolated-vm on Node with a cell's priority, a fresh isolate for each on threads of its own (or one after the other, whichever is faster).`,
    needsRedis: false,
    rounds: 3,
    measures: [
      { name: "executions, all cores", unit: "1/s", bar: { ratioMin: 1 } },
      { name: "one after the other", unit: "1/s" },
      { name: "CPU per execution", unit: "µs" },
    ],
    subject: keelson(),
    peer: isolatedVm(),
  },
];

function keelson(): Side {
  return { what: "Keelson", start: async () => inOneAndInMany(await startChild("sandbox-driver.ts", {})) };
}

function isolatedVm(): Side {
  return {
    what: "isolated-vm",
    start: async () => {
      const node = Bun.which("node");
      if (folder && node && existsSync(join(folder, "node_modules", "isolated-vm"))) return await startOnNode(node, folder);
      console.warn(
        "sandbox-isolated-vm: no peer; it needs node, and in KEELSON_BENCH_ISOLATED_VM a folder where `npm i isolated-vm` was run",
      );
      return { measure: async () => ({}), [Symbol.asyncDispose]: async () => undefined };
    },
  };
}

/** Node gets the loop as JavaScript, with what it imports. */
async function startOnNode(node: string, isolatedVmFolder: string): Promise<RunningSide> {
  await using opening = new AsyncDisposableStack();
  const outdir = await mkdtemp(join(tmpdir(), "keelson-bench-"));
  opening.defer(() => rm(outdir, { recursive: true, force: true }));
  const entry = new URL("sandbox-isolated-vm-loop.ts", import.meta.url).pathname;
  await Bun.build({ entrypoints: [entry], outdir, target: "node", naming: "loop.mjs" });
  // From Node 20 on, isolated-vm's README asks for this.
  const command = [node, "--no-node-snapshot", join(outdir, "loop.mjs")];
  const loop = opening.use(await startChild("isolated-vm", { folder: isolatedVmFolder }, command));
  const open = opening.move();
  return { ...inOneAndInMany(loop), [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function inOneAndInMany(child: Awaited<ReturnType<typeof startChild>>): RunningSide {
  return {
    measure: async () => {
      const one = await child.ask("throughput", { inFlight: 1, seconds }, rate);
      const many = await child.ask("throughput", { inFlight, seconds }, rate);
      const better = many.perSecond > one.perSecond ? many : one;
      return {
        "executions, all cores": better.perSecond,
        "one after the other": one.perSecond,
        "CPU per execution": better.cpuMicros,
      };
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

import { readdirSync, readFileSync } from "node:fs";

/** The clock tick in which Linux counts CPU time, on every system Bun runs on. */
const tickMicros = 10_000;

/** CPU time of this process and of the children it has now, in microseconds. A child that has ended is in its parent's. */
export function treeCpuMicros(): number {
  return [process.pid, ...childrenOf(process.pid)].map(cpuTicks).reduce((sum, ticks) => sum + ticks, 0) * tickMicros;
}

export function residentMegabytes(pid: number = process.pid): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readIfThere(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean).map(Number),
  );
}

/** proc_pid_stat(5): utime, stime, and the two of the children it has waited for; the name before them may hold spaces. */
function cpuTicks(pid: number): number {
  const stat = readIfThere(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

/** Threads and processes end while they are listed. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

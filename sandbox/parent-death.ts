import { dlopen } from "bun:ffi";

const prctlSetParentDeathSignal = 1;
const sigkill = 9;

/**
 * Has Linux kill this process when the thread that spawned it ends. A closed IPC channel says the same, but a cell inside
 * an endless built-in never gets to see it. Elsewhere, and where the C library has another name, this does nothing.
 */
export function dieWithParent(): void {
  if (process.platform !== "linux") return;
  try {
    const libc = dlopen("libc.so.6", { prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } });
    libc.symbols.prctl(prctlSetParentDeathSignal, sigkill, 0, 0, 0);
  } catch {
    // The IPC channel remains.
  }
}

import { dlopen } from "bun:ffi";

const prctl = { setParentDeathSignal: 1, setNoNewPrivileges: 38 } as const;
const sigkill = 9;
/** `nobody` and `nogroup`, as the kernel knows them (`/proc/sys/kernel/overflowuid`). */
export const nobody = 65_534;

/**
 * Gives up what this process could do beyond computing: root becomes nobody, no program that it starts gains anything, and Linux kills it when the thread that
 * spawned it ends. A closed IPC channel says the same, but a cell inside an endless built-in never gets to see it. Throws when root can't be given up.
 */
export function becomeUnprivileged(): void {
  if (process.getuid?.() === 0) {
    process.setgroups?.([]);
    process.setgid?.(nobody);
    process.setuid?.(nobody);
    if (process.getuid() !== nobody) throw new Error("the cell is still root");
  }
  // A change of user clears the death signal, so this comes second.
  if (process.platform === "linux") askKernel();
}

/** Where the C library has another name, this does nothing. */
function askKernel(): void {
  try {
    const libc = dlopen("libc.so.6", { prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" } });
    libc.symbols.prctl(prctl.setParentDeathSignal, sigkill, 0, 0, 0);
    libc.symbols.prctl(prctl.setNoNewPrivileges, 1, 0, 0, 0);
  } catch {
    // The IPC channel remains.
  }
}

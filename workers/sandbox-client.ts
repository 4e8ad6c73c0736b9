import type { ExecutionOutcome, ExecutionRequest } from "../sandbox/execution.ts";
import { type Channel, ChannelError, RemoteError } from "./channel.ts";
import type { SandboxCalls } from "./protocol.ts";

/** Beyond the program's own limit: waiting for a free cell, and the kill. */
const patienceMs = 30_000;

/** Has a program executed; it is given up when `signal` aborts. */
export type Execute = (request: ExecutionRequest, signal?: AbortSignal) => Promise<ExecutionOutcome>;

/** `execute` over whichever channel leads to the sandbox thread now. Rejects with `ChannelError` when that thread dies or does not answer. */
export function createSandboxClient(channel: () => Channel<SandboxCalls> | undefined): Execute {
  return async (request, signal) => {
    const sandbox = channel();
    if (!sandbox) throw new ChannelError("the sandbox thread is not there");
    const cancel = () => sandbox.tell("cancel", { id: request.id });
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await sandbox.call("execute", request, request.timeoutMs + patienceMs);
    } catch (error) {
      // Whoever asked has given up waiting; nobody will read what the program says.
      if (error instanceof ChannelError) cancel();
      throw error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  };
}

/** True when the program was not run because whoever asked for it has gone. */
export function isCancelled(error: unknown): boolean {
  return error instanceof RemoteError && error.remoteName === "ProgramCancelledError";
}

/** True when the program was not run and trying again later makes sense: no thread, or no free cell. */
export function isSandboxAway(error: unknown): boolean {
  return (
    error instanceof ChannelError ||
    (error instanceof RemoteError && ["SandboxBusyError", "SandboxUnavailableError"].includes(error.remoteName))
  );
}

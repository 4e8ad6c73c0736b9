import type { ExecutionOutcome, ExecutionRequest } from "../sandbox/execution.ts";
import { type Channel, ChannelError, RemoteError } from "./channel.ts";
import type { SandboxCalls } from "./protocol.ts";

/** Beyond the program's own limit: waiting for a free cell, and the kill. */
const patienceMs = 30_000;

/** `execute` over whichever channel leads to the sandbox thread now. Rejects with `ChannelError` when that thread dies or does not answer. */
export function createSandboxClient(
  channel: () => Channel<SandboxCalls> | undefined,
): (request: ExecutionRequest) => Promise<ExecutionOutcome> {
  return async (request) => {
    const sandbox = channel();
    if (!sandbox) throw new ChannelError("the sandbox thread is not there");
    return sandbox.call("execute", request, request.timeoutMs + patienceMs);
  };
}

/** True when the program was not run and trying again later makes sense: no thread, or no free cell. */
export function isSandboxAway(error: unknown): boolean {
  return (
    error instanceof ChannelError ||
    (error instanceof RemoteError && ["SandboxBusyError", "SandboxUnavailableError"].includes(error.remoteName))
  );
}

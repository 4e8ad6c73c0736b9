import type { AskHost, ExecutionOutcome, ExecutionRequest } from "../sandbox/execution.ts";
import { type Channel, ChannelError, RemoteError } from "./channel.ts";
import type { SandboxCalls, SandboxHost } from "./protocol.ts";

/** Beyond the program's own limit: waiting for a free cell, and the kill. */
const patienceMs = 30_000;

/** Has a program executed, whose uses of capabilities `ask` answers; it is given up when `signal` aborts. */
export type Execute = (
  request: ExecutionRequest,
  options?: { readonly ask?: AskHost; readonly signal?: AbortSignal },
) => Promise<ExecutionOutcome>;

export interface SandboxClient {
  readonly execute: Execute;
  /** What the sandbox thread may ask over the channel. */
  readonly methods: SandboxHost;
}

/** `execute` over whichever channel leads to the sandbox thread now. Rejects with `ChannelError` when that thread dies or does not answer. */
export function createSandboxClient(channel: () => Channel<SandboxCalls> | undefined): SandboxClient {
  const asking = new Map<string, AskHost>();

  const execute: Execute = async (request, { ask, signal } = {}) => {
    const sandbox = channel();
    if (!sandbox) throw new ChannelError("the sandbox thread is not there");
    const cancel = () => sandbox.tell("cancel", { id: request.id });
    signal?.addEventListener("abort", cancel, { once: true });
    if (ask) asking.set(request.id, ask);
    try {
      return await sandbox.call("execute", request, request.timeoutMs + patienceMs);
    } catch (error) {
      // Whoever asked has given up waiting; nobody will read what the program says.
      if (error instanceof ChannelError) cancel();
      throw error;
    } finally {
      asking.delete(request.id);
      signal?.removeEventListener("abort", cancel);
    }
  };

  return {
    execute,
    methods: {
      answerCall: ({ id, call }) => {
        const ask = asking.get(id);
        if (!ask) throw new Error(`no program ${id} runs for this thread`);
        return ask(call);
      },
    },
  };
}

/** True when the program was not run because whoever asked for it has gone. */
export function isCancelled(error: unknown): boolean {
  return error instanceof RemoteError && error.remoteName === "ProgramCancelledError";
}

/** True when the program was not run because its owner's programs have used the CPU time they may. */
export function isOverBudget(error: unknown): boolean {
  return error instanceof RemoteError && error.remoteName === "SandboxBudgetError";
}

/** True when the program was not run and trying again later makes sense: no thread, or no free cell. */
export function isSandboxAway(error: unknown): boolean {
  return (
    error instanceof ChannelError ||
    (error instanceof RemoteError && ["SandboxBusyError", "SandboxUnavailableError"].includes(error.remoteName))
  );
}

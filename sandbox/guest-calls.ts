import type { AskHost, CapabilityName, HostAnswer } from "./execution.ts";
import { fixedLimits } from "./limits.ts";

/** What one program has asked of its host and not yet been told. */
export interface GuestCalls {
  /** The number of the call, or 0 when the program has made all the calls it may. */
  start(capability: CapabilityName, method: string, argumentText: string): number;
  /** Whether an answer is still to come, or to be taken. */
  pending(): boolean;
  /** Resolves when an answer has come, or when the time has passed. */
  news(timeoutMs: number): Promise<void>;
  take(): { readonly id: number; readonly answer: HostAnswer } | undefined;
  count(): number;
}

export function createGuestCalls(ask: AskHost): GuestCalls {
  const answered: { id: number; answer: HostAnswer }[] = [];
  let started = 0;
  let open = 0;
  let wake = (): void => undefined;

  const settle = (id: number, answer: HostAnswer): void => {
    open -= 1;
    answered.push({ id, answer });
    wake();
  };

  return {
    start: (capability, method, argumentText) => {
      if (started >= fixedLimits.hostCallsMax) return 0;
      started += 1;
      open += 1;
      const id = started;
      void ask({ capability, method, argumentText }).then(
        (answer) => settle(id, answer),
        (error: unknown) => settle(id, refusal("HostError", error instanceof Error ? error.message : String(error))),
      );
      return id;
    },
    pending: () => open + answered.length > 0,
    news: async (timeoutMs) => {
      if (answered.length > 0) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      wake = resolve;
      await promise;
      clearTimeout(timer);
    },
    take: () => answered.shift(),
    count: () => started,
  };
}

export function refusal(name: string, message: string): HostAnswer {
  return { ok: false, text: JSON.stringify({ name, message }) };
}

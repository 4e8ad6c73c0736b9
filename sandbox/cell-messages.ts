import type { AskHost, ExecutionOutcome, ExecutionRequest, HostAnswer, HostCall } from "./execution.ts";

/** What the supervisor tells a cell. */
export type CellCommand =
  | { readonly kind: "execute"; readonly request: ExecutionRequest }
  | { readonly kind: "answer"; readonly callId: number; readonly answer: HostAnswer };

/** What a cell tells its supervisor. */
export type CellMessage =
  | { readonly kind: "ready" }
  /** The program uses a capability. */
  | { readonly kind: "call"; readonly id: string; readonly callId: number; readonly call: HostCall }
  /** The cell loads something of its own before it goes on with the program; the time is not the program's. */
  | { readonly kind: "loading" | "loaded"; readonly id: string }
  | {
      readonly kind: "outcome";
      readonly id: string;
      readonly outcome: ExecutionOutcome;
      /** Why the cell must not be used again. */
      readonly spoiled?: string;
      /** CPU time of the cell's process since it began, from which the supervisor knows what a killed program used. */
      readonly cpuMsTotal: number;
      /** Memory of the cell's process. */
      readonly rssBytes: number;
    };

/** Undefined for anything that is not a message of a cell. Only its shape is checked: outcomes are made by the engine. */
export function parseCellMessage(message: unknown): CellMessage | undefined {
  if (typeof message !== "object" || message === null || !("kind" in message)) return undefined;
  switch (message.kind) {
    case "ready":
      return { kind: "ready" };
    case "loading":
    case "loaded":
      return "id" in message && typeof message.id === "string" ? { kind: message.kind, id: message.id } : undefined;
    case "call":
      return isCallMessage(message) ? message : undefined;
    default:
      return isOutcomeMessage(message) ? message : undefined;
  }
}

function isCallMessage(message: object): message is Extract<CellMessage, { kind: "call" }> {
  const { kind, id, callId, call }: Partial<Record<string, unknown>> = { ...message };
  if (kind !== "call" || typeof id !== "string" || typeof callId !== "number" || typeof call !== "object" || call === null) return false;
  const { capability, method, argumentText }: Partial<Record<string, unknown>> = { ...call };
  return [capability, method, argumentText].every((text) => typeof text === "string");
}

/** Guarantees the fields a supervisor acts on. */
function isOutcomeMessage(message: object): message is Extract<CellMessage, { kind: "outcome" }> {
  const { kind, id, outcome, spoiled, cpuMsTotal, rssBytes }: Partial<Record<string, unknown>> = { ...message };
  if (kind !== "outcome" || typeof id !== "string" || typeof cpuMsTotal !== "number" || typeof rssBytes !== "number") return false;
  if (spoiled !== undefined && typeof spoiled !== "string") return false;
  return typeof outcome === "object" && outcome !== null && "status" in outcome && "receipt" in outcome;
}

/** The cell's end of capability calls: sends each, and gives the answer that comes to whoever waits for it. */
export function createCallClient(send: (message: CellMessage) => void) {
  const waiting = new Map<number, (answer: HostAnswer) => void>();
  let lastId = 0;
  return {
    askFor:
      ({ id }: Pick<ExecutionRequest, "id">): AskHost =>
      (call) => {
        const { promise, resolve } = Promise.withResolvers<HostAnswer>();
        lastId += 1;
        waiting.set(lastId, resolve);
        send({ kind: "call", id, callId: lastId, call });
        return promise;
      },
    take: ({ callId, answer }: Extract<CellCommand, { kind: "answer" }>): void => {
      waiting.get(callId)?.(answer);
      waiting.delete(callId);
    },
    /** The program has ended: what still comes is for nobody. */
    clear: () => waiting.clear(),
  };
}

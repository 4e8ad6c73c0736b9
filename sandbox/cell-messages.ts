import type { ExecutionOutcome, ExecutionRequest } from "./execution.ts";

/** What the supervisor tells a cell. */
export type CellCommand = { readonly kind: "execute"; readonly request: ExecutionRequest };

/** What a cell tells its supervisor. */
export type CellMessage =
  | { readonly kind: "ready" }
  | {
      readonly kind: "outcome";
      readonly id: string;
      readonly outcome: ExecutionOutcome;
      /** Why the cell must not be used again. */
      readonly spoiled?: string;
      /** CPU time of the cell's process since it began, from which the supervisor knows what a killed program used. */
      readonly cpuMsTotal: number;
    };

/** Undefined for anything that is not a message of a cell. Only its shape is checked: outcomes are made by the engine. */
export function parseCellMessage(message: unknown): CellMessage | undefined {
  if (typeof message !== "object" || message === null || !("kind" in message)) return undefined;
  if (message.kind === "ready") return { kind: "ready" };
  return isOutcomeMessage(message) ? message : undefined;
}

/** Guarantees the fields a supervisor acts on. */
function isOutcomeMessage(message: object): message is Extract<CellMessage, { kind: "outcome" }> {
  const fields: Partial<Record<string, unknown>> = { ...message };
  const { kind, id, outcome, spoiled, cpuMsTotal } = fields;
  if (kind !== "outcome" || typeof id !== "string" || typeof cpuMsTotal !== "number") return false;
  if (spoiled !== undefined && typeof spoiled !== "string") return false;
  return typeof outcome === "object" && outcome !== null && "status" in outcome && "receipt" in outcome;
}

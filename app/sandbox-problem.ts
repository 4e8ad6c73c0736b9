import { isCancelled, isOverBudget, isSandboxAway } from "../workers/sandbox-client.ts";
import { Problem } from "./platform/errors.ts";

/** What a client is told when the sandbox thread did not run its program. */
export function sandboxProblem(error: unknown): never {
  if (isCancelled(error)) throw new DOMException("the client has gone", "AbortError");
  if (isOverBudget(error)) throw new Problem("cpu_budget_spent", { retryAfterSeconds: 5, cause: error });
  if (isSandboxAway(error))
    throw new Problem("unavailable", { detail: "The sandbox can't take the program right now.", retryAfterSeconds: 1, cause: error });
  throw error;
}

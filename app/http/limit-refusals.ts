import { Problem } from "../platform/errors.ts";
import type { AppContext } from "./env.ts";
import type { Check } from "./guard.ts";

/** Counts what `check` refuses with 401 by `limit`, so that nobody guesses without end; what it accepts costs nothing more. */
export function limitRefusals(check: Check, limit: Check): Check {
  const count = async (c: AppContext, refusal: unknown): Promise<never> => {
    if (refusal instanceof Problem && refusal.status === 401) await limit(c);
    throw refusal;
  };
  return function limitRefusals(c) {
    try {
      const pending = check(c);
      return pending instanceof Promise ? pending.catch((refusal: unknown) => count(c, refusal)) : pending;
    } catch (refusal) {
      return count(c, refusal);
    }
  };
}

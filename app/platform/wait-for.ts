import type { Logger } from "./logger.ts";

const backoffMs = { first: 100, max: 2_000 };

/**
 * Resolves when `check` does; says what it waits for and why. Gives up after `limitMs` with an error that names `what` and the last reason.
 * For start-up, when a dependency may come up a little later than we do.
 */
export async function waitFor(
  what: string,
  check: () => Promise<unknown>,
  options: { readonly limitMs: number; readonly log: Logger },
): Promise<void> {
  const deadline = performance.now() + options.limitMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      await check();
      return;
    } catch (error) {
      const reason = describe(error);
      const delayMs = Math.min(backoffMs.first * 2 ** attempt, backoffMs.max);
      if (performance.now() + delayMs > deadline) {
        throw new Error(`${what} could not be reached within ${options.limitMs / 1_000} s: ${reason}`, { cause: error });
      }
      if (attempt === 0 || attempt % 5 === 0) options.log.warn({ reason }, `waiting for ${what}`);
      await Bun.sleep(delayMs);
    }
  }
}

/** An AggregateError (one error per address tried) has no message of its own. */
function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join("; ");
  return error instanceof Error ? error.message || error.name : String(error);
}

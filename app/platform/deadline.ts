/** Has the code of a socket that timed out, so that whoever asks "is the store unavailable?" counts it in. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
  readonly code = "ETIMEDOUT";
}

/** Rejects when `work` takes longer than `ms`. It does not stop the work: for drivers without a time-out of their own. */
export async function withDeadline<T>(what: string, ms: number, work: PromiseLike<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new DeadlineExceeded(`${what} took longer than ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

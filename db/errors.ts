/** SQLSTATE classes and driver codes that mean "no usable connection", as opposed to a fault of the statement. */
const unavailableCodes = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ERR_SOCKET_CLOSED",
  "53300", // too_many_connections
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "58P01", // undefined_file: the data folder is going away
]);

/** True when the database could not be reached, so that trying again later makes sense. Looks through wrapped causes. */
export function isDatabaseUnavailable(error: unknown): boolean {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    const code = "code" in current ? current.code : undefined;
    if (typeof code === "string" && (unavailableCodes.has(code) || code.startsWith("08"))) return true;
  }
  return false;
}

/** A statement that failed, as drizzle wraps it: its message has the text and the parameters, which are users' data. */
export function isFailedQuery(error: unknown): error is Error & { readonly query: unknown } {
  return error instanceof Error && "query" in error && "params" in error;
}

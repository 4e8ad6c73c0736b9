import pino, { type Logger } from "pino";
import pretty from "pino-pretty";
import { isFailedQuery } from "../../db/errors.ts";

export type { Logger } from "pino";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** JSON lines on standard output, or coloured lines when that is a terminal. `part` names the thread. */
export function createLogger(options: { readonly level: LogLevel; readonly part: string }): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: { part: options.part },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: serializeError },
    redact: ["*.password", "*.token", "*.accessToken", "*.refreshToken", "authorization", "*.authorization"],
  };
  if (process.stdout.isTTY) return pino(settings, pretty({ sync: true, ignore: "pid,hostname", colorize: true }));
  return pino(settings, pino.destination({ fd: 1, sync: true }));
}

/** Like pino's own, with the cause nested; a failed query shows its text and never its parameters, which are users' data. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const nested = cause === undefined ? {} : { cause: serializeError(cause) };
  if (isFailedQuery(error)) return { type: name, message: "query failed", query: error.query, ...nested };
  return { type: name, message, stack, ...("code" in error ? { code: error.code } : {}), ...nested };
}

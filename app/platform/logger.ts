import pino, { type Logger } from "pino";
import pretty from "pino-pretty";

export type { Logger } from "pino";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** JSON lines on standard output, or coloured lines when that is a terminal. `part` names the thread. */
export function createLogger(options: { readonly level: LogLevel; readonly part: string }): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: { part: options.part },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: ["*.password", "*.token", "*.accessToken", "*.refreshToken", "authorization", "*.authorization"],
  };
  if (process.stdout.isTTY) return pino(settings, pretty({ sync: true, ignore: "pid,hostname", colorize: true }));
  return pino(settings, pino.destination({ fd: 1, sync: true }));
}

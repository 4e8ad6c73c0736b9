import { type Config, ConfigError, readConfig } from "../config.ts";
import type { CommandOptions } from "../main.ts";
import { createLogger, type Logger } from "../platform/logger.ts";

/** Reads the configuration and runs `work` with it; a mistake in it, or a failure of `work`, is printed and becomes exit code 1. */
export async function withConfig(options: CommandOptions, work: (config: Config, log: Logger) => Promise<number>): Promise<number> {
  let config: Config;
  try {
    config = readConfig(options.roles);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return 1;
  }
  const log = createLogger({ level: config.LOG_LEVEL, part: "main" });
  try {
    return await work(config, log);
  } catch (error) {
    log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    return 1;
  }
}

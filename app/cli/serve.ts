import { boot } from "../boot.ts";
import type { CommandOptions } from "../main.ts";
import { withConfig } from "./configure.ts";
import { startupSummary } from "./summary.ts";

/** What closing may take beyond the grace period, which is for running work. */
const closingMs = 20_000;

/** Runs a copy until SIGTERM or SIGINT; a second signal ends it at once. */
export function run(options: CommandOptions): Promise<number> {
  return withConfig(options, async (config, log) => {
    const asked = Promise.withResolvers<NodeJS.Signals>();
    let signals = 0;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        signals += 1;
        if (signals > 1) process.exit(130);
        asked.resolve(signal);
      });
    }
    // A promise nobody waited for is a fault of ours to mend, and no reason to drop everybody's requests.
    process.on("unhandledRejection", (error) => log.error({ err: error }, "a failure that nobody handled"));
    const copy = await boot(config, log);
    log.info({ url: copy.url, roles: config.KEELSON_ROLES }, "ready");
    process.stderr.write(startupSummary(config, copy));

    const signal = await asked.promise;
    log.info({ signal, graceMs: config.KEELSON_SHUTDOWN_GRACE_MS }, "stopping; once more to stop at once");
    setTimeout(() => {
      log.error("a part did not close in time; ending without it");
      process.exit(1);
    }, config.KEELSON_SHUTDOWN_GRACE_MS + closingMs).unref();
    await copy.close();
    log.info("stopped");
    process.exit(0);
  });
}

import { boot } from "../boot.ts";
import type { CommandOptions } from "../main.ts";
import { withConfig } from "./configure.ts";
import { startupSummary } from "./summary.ts";

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
    const copy = await boot(config, log);
    log.info({ url: copy.url, roles: config.KEELSON_ROLES }, "ready");
    process.stderr.write(startupSummary(config, copy));

    const signal = await asked.promise;
    log.info({ signal, graceMs: config.KEELSON_SHUTDOWN_GRACE_MS }, "stopping; once more to stop at once");
    await copy.close();
    log.info("stopped");
    process.exit(0);
  });
}

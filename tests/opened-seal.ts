import { join } from "node:path";
import type postgres from "postgres";
import type { Config } from "../app/config.ts";
import { systemNow } from "../app/platform/clock.ts";
import { openKeys } from "../app/platform/keys/open.ts";
import { localRootSecret } from "../app/platform/keys/root-key.ts";
import type { Seal } from "../app/platform/seal.ts";
import { openDatabase } from "../db/client.ts";
import { testLogger } from "./services.ts";

/** The root key in a data folder that a copy has made. */
async function rootSecretOf({ KEELSON_KEK, KEELSON_DATA_DIR }: Config): Promise<Uint8Array> {
  const secret = (name: string) =>
    Bun.file(join(KEELSON_DATA_DIR, "secrets", name))
      .text()
      .then((text) => text.trim());
  return localRootSecret(KEELSON_KEK, { secret });
}

/** Database and seal of a running copy, as somebody has them who holds both. Dispose it at the end. */
export async function openSealOf(config: Config): Promise<AsyncDisposable & { readonly sql: postgres.Sql; readonly seal: Seal }> {
  const database = openDatabase({ url: config.DATABASE_URL ?? "", connectionsMax: 2, applicationName: "test keys" });
  const keys = await openKeys({
    config,
    rootSecret: await rootSecretOf(config),
    db: database.db,
    now: systemNow,
    log: testLogger("keys"),
  });
  return {
    sql: database.sql,
    seal: keys.seal,
    [Symbol.asyncDispose]: async () => {
      await keys.stop();
      await database.close();
    },
  };
}

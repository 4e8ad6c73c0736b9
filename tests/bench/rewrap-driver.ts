import { randomBytes } from "node:crypto";
import { z } from "zod";
import { createEnvelope, type Kek, rewrapPrefix } from "../../app/platform/keys/envelope.ts";
import { createSealedStore } from "../../app/services/secrets/keys/store.ts";
import { openDatabase } from "../../db/client.ts";
import { migrate } from "../../db/migrate.ts";
import { answerParent, argumentOf } from "./child.ts";

const { url, how } = argumentOf(z.object({ url: z.string(), how: z.enum(["rewrap", "update"]) }));
const values = 40_000;
const batch = 1_000;
const plain = randomBytes(1_024);

await migrate(url);
const { db, sql } = openDatabase({ url, connectionsMax: 2, applicationName: "bench rewrap" });
const store = createSealedStore(db);
const column = store.columns.find(({ table }) => table === "idempotency_keys");
if (!column) throw new Error("the column is not there");

let keks: Kek[] = [{ version: 1, key: randomBytes(32) }];
const ring = {
  current: (): Kek => keks.at(-1) ?? { version: 1, key: plain.subarray(0, 32) },
  find: (version: number) => keks.find((it) => it.version === version),
};
const { seal } = createEnvelope(ring);
const rows = Array.from({ length: values }, (_, n) => ({
  scope: "bench",
  key: String(n).padStart(6, "0"),
  fingerprint: "f",
  body: Buffer.from(seal(plain, String(n))),
  expires_at: new Date(Date.now() + 3_600_000).toISOString(),
}));
for (let at = 0; at < values; at += 5_000) await sql`insert into idempotency_keys ${sql(rows.slice(at, at + 5_000))}`;

async function rewrapAll(): Promise<void> {
  const version = ring.current().version + 1;
  keks = [...keks, { version, key: randomBytes(32) }];
  let after: readonly (string | number)[] | undefined;
  for (;;) {
    if (!column) return;
    const found = await store.outdated(column, { version, after, limit: batch });
    if (found.length > 0)
      await store.replace(
        column,
        found.map((value) => ({ ...value, next: rewrapPrefix(ring, value.prefix) })),
      );
    after = found.at(-1)?.key;
    if (found.length < batch) return;
  }
}

/** The least that PostgreSQL has to do for it. */
async function updateAll(): Promise<void> {
  for (let at = 0; at < values; at += batch) {
    const [from, to] = [String(at).padStart(6, "0"), String(at + batch - 1).padStart(6, "0")];
    await sql`update idempotency_keys set body = body || '' where scope = 'bench' and key between ${from} and ${to}`;
  }
}

answerParent({
  measure: async () => {
    await sql`vacuum idempotency_keys`;
    const startedAt = performance.now();
    await (how === "rewrap" ? rewrapAll() : updateAll());
    return { values: values / ((performance.now() - startedAt) / 1_000) };
  },
});

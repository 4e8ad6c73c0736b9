import { createDecipheriv, randomBytes } from "node:crypto";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { systemNow as now } from "../../app/platform/clock.ts";
import { newId } from "../../app/platform/ids.ts";
import { createEnvelope } from "../../app/platform/keys/envelope.ts";
import { createLogger } from "../../app/platform/logger.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { createRecordAccess } from "../../app/services/secrets/audit/record.ts";
import { createSecretCore } from "../../app/services/secrets/core.ts";
import { openDatabase } from "../../db/client.ts";
import { migrate } from "../../db/migrate.ts";
import { answerParent, argumentOf } from "./child.ts";

// In process: Keelson's reading of a secret, without the trail. As a server: what is least, which is a row, one decryption and one insert for each read.
const { databaseUrl } = argumentOf(z.object({ databaseUrl: z.string() }));
await migrate(databaseUrl);
const { db, sql } = openDatabase({ url: databaseUrl, connectionsMax: 10, applicationName: "bench secrets" });
const kek = { version: 1, key: randomBytes(32) };
const seal = createEnvelope({ current: () => kek, find: () => kek });
const transact = createTransact({ db, now, wake: () => undefined });
const core = createSecretCore({
  db,
  seal,
  transact,
  can: () => true,
  recordAccess: createRecordAccess(transact),
  secretsMax: 100,
  publicUrl: "",
  log: createLogger({ level: "warn", part: "bench" }),
  now,
});
const userId = newId("user");
await sql`insert into users (id, email, role) values (${userId}, ${`${userId}@example.com`}, 'user')`;
const actor = { userId, role: "user" as const, via: { kind: "session" as const, sessionId: "ses_bench", version: 1 } };
const origin = { requestId: "req_bench", ip: "127.0.0.1", userAgent: undefined };
const name = "payments/stripe";
await core.secrets.create(
  { actor, origin },
  { name, value: randomBytes(512).toString("hex"), labels: {}, maxVersions: 10, approval: { required: false } },
);

async function readBare(c: Context) {
  const [row] =
    await sql`select v.kept from secret_versions v join secrets s on s.id = v.secret_id and s.current_version = v.version where s.name = ${name}`;
  const kept: Buffer = row?.kept;
  const decipher = createDecipheriv("aes-256-gcm", kek.key, kept.subarray(5, 17));
  decipher.setAuthTag(kept.subarray(17, 33));
  decipher.setAAD(kept.subarray(0, 5));
  const opened = Buffer.concat([decipher.update(kept.subarray(33, 65)), decipher.final()]);
  await sql`insert into audit_log (id, at, action, actor_id, subject, data) values (${newId("event")}, now(), 'secret.read', ${userId}, ${name}, '{}')`;
  return c.json({ value: opened.toString("hex") });
}

const app = new Hono().get("/v1/secrets/:name", readBare);
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });

answerParent({
  url: () => `http://127.0.0.1:${server.port}`,
  /** One after the other, ms. */
  inProcess: async () => {
    const took: number[] = [];
    for (let round = 0; round < 3_000; round += 1) {
      const startedAt = performance.now();
      await core.secretReading.reveal({ reader: { actor, origin }, tenant: userId, name, resolve: true });
      took.push(performance.now() - startedAt);
    }
    took.sort((a, b) => a - b);
    return { p50: took[Math.floor(took.length * 0.5)] ?? 0, p95: took[Math.floor(took.length * 0.95)] ?? 0 };
  },
});

import { expect, test } from "bun:test";
import postgres from "postgres";
import { newId } from "../../app/platform/ids.ts";
import { createVerifier, type Verified } from "../../app/services/secrets/audit/verify.ts";
import { request, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { ownPostgres, testPostgres } from "../services.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";

async function verifiedExport(url: string): Promise<Verified & { readonly text: string }> {
  const { body: text } = await request(url, "/v1/audit/export", { token: await adminToken(url) });
  const verifier = createVerifier({});
  for (const line of text.trimEnd().split("\n")) verifier.line(line);
  return { ...verifier.finish(), text };
}

const appendOnly = ["audit_log", "audit_chain", "audit_checkpoints"];
async function asSuperuser(sql: postgres.Sql, work: () => Promise<unknown>): Promise<void> {
  for (const table of appendOnly) await sql.unsafe(`alter table ${table} disable trigger ${table}_append_only`);
  await work();
  for (const table of appendOnly) await sql.unsafe(`alter table ${table} enable trigger ${table}_append_only`);
}

const unchained = async (sql: postgres.Sql): Promise<number> => {
  const [row] = await sql`select count(*)::int as n from audit_log l where not exists (select from audit_chain c where c.entry_id = l.id)`;
  return row?.n;
};

test("a checkpoint and an export wait for what was written before, not for what others go on writing", async () => {
  await using copy = await startTestCopy("postgres", adminSettings);
  const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
  const token = await adminToken(copy.url);
  const stop = new AbortController();
  const writing = (async () => {
    while (!stop.signal.aborted) {
      const rows = Array.from({ length: 20 }, () => ({ id: newId("event"), at: new Date(), action: "test.written", data: sql.json({}) }));
      await sql`insert into audit_log ${sql(rows)}`;
    }
  })();
  try {
    const [mark] = await sql`select count(*)::int as n from audit_log`;
    const { status, body } = await request(copy.url, "/v1/audit/checkpoint", { token });
    expect(status).toBe(200);
    expect(body.checkpoint.seq).toBeGreaterThanOrEqual(mark?.n);
    expect((await verifiedExport(copy.url)).entries).toBeGreaterThanOrEqual(mark?.n);
  } finally {
    stop.abort();
    await writing;
    await sql.end();
  }
}, 60_000);

test("an open transaction holds up what comes after it, and the checkpoint says so instead of leaving it out", async () => {
  await using copy = await startTestCopy("postgres", adminSettings);
  const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
  const token = await adminToken(copy.url);
  const over = Promise.withResolvers<void>();
  const open = sql.begin(async (tx) => {
    await tx`select pg_current_xact_id()`;
    await signUp(copy.url);
    const { status, body, headers } = await request(copy.url, "/v1/audit/checkpoint", { token });
    expect([status, body.code, headers.get("retry-after")]).toEqual([503, "unavailable", "5"]);
    await over.promise;
  });
  over.resolve();
  await open;
  expect((await request(copy.url, "/v1/audit/checkpoint", { token })).status).toBe(200);
  await sql.end();
}, 60_000);

test("a trail that was restored into another database goes on, with an entry that says so, and nothing is chained twice", async () => {
  // Of its own: the transactions of other tests would count, too.
  await using own = await ownPostgres();
  const DATABASE_URL = own.url;
  const sql = postgres(DATABASE_URL, { max: 1 });
  {
    await using before = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL });
    await Promise.all(Array.from({ length: 5 }, () => signUp(before.url)));
    await verifiedExport(before.url);
  }
  // As after a dump and a restore: transactions that this server has not come to yet, and some entries that were not chained before the dump.
  const [kept] = await sql`select max(seq)::int - 3 as seq from audit_chain`;
  await asSuperuser(sql, async () => {
    await sql`delete from audit_checkpoints`;
    await sql`delete from audit_chain where seq > ${kept?.seq}`;
    for (const table of ["audit_log", "audit_chain"]) await sql.unsafe(`update ${table} set tx = ((tx::text)::bigint + 500)::text::xid8`);
  });
  await using after = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL });
  await until("what the dump had is chained", async () => (await unchained(sql)) === 0);
  await signUp(after.url);
  const { text } = await verifiedExport(after.url);
  expect(text.match(/"action":"audit\.trail_moved"/g)).toHaveLength(1);

  // Until this server has come past the transactions that the dump had.
  for (let n = 0; n < 700; n += 1) await sql`select pg_current_xact_id()`;
  await signUp(after.url);
  const last = await verifiedExport(after.url);
  expect(await unchained(sql)).toBe(0);
  const [log] = await sql`select count(*)::int as n from audit_log`;
  expect(last.entries).toBe(log?.n);
  await sql.end();
}, 90_000);

test("whoever is killed while the chain is made, nothing is left out and nothing is in it twice", async () => {
  const DATABASE_URL = await testPostgres();
  await using one = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL });
  await using other = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL });
  const sql = postgres(DATABASE_URL, { max: 2 });
  const written = 30_000;
  const writing = (async () => {
    for (let n = 0; n < written; n += 1_000) {
      const rows = Array.from({ length: 1_000 }, () => ({
        id: newId("event"),
        at: new Date(),
        action: "test.written",
        data: sql.json({}),
      }));
      await sql`insert into audit_log ${sql(rows)}`;
    }
  })();
  const inChain = async (): Promise<number> => (await sql`select coalesce(max(seq), 0)::int as n from audit_chain`)[0]?.n;
  for (const part of [0.1, 0.35, 0.6, 0.85]) {
    await until("it has come so far", async () => (await inChain()) >= written * part, 20_000);
    await Promise.all([one, other].map(({ copy }) => copy.threads.bus.kill()));
  }
  await writing;
  await until("all is chained", async () => (await unchained(sql)) === 0, 20_000);
  const [log] = await sql`select count(*)::int as n from audit_log`;
  const { entries } = await verifiedExport(other.url);
  expect(entries).toBeGreaterThanOrEqual(log?.n);
  expect(entries).toBe(await inChain());
  await sql.end();
}, 120_000);

test("a checkpoint key that does not open stops no chain", async () => {
  await using copy = await startTestCopy("postgres", adminSettings);
  const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
  await until("there is a key", async () => (await sql`select from audit_keys`).length === 1);
  await sql`update audit_keys set private_key = '\\x00'`;
  for (let n = 0; n < 4; n += 1) {
    const rows = Array.from({ length: 5_000 }, () => ({ id: newId("event"), at: new Date(), action: "test.written", data: sql.json({}) }));
    await sql`insert into audit_log ${sql(rows)}`;
  }
  await until("it is chained without waiting between batches", async () => (await unchained(sql)) === 0, 15_000);
  await sql.end();
}, 60_000);

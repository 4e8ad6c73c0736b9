import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { systemNow } from "../../app/platform/clock.ts";
import { newId } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { auditExported } from "../../app/services/secrets/audit/events.ts";
import { createRecordAccess } from "../../app/services/secrets/audit/record.ts";
import { createVerifier } from "../../app/services/secrets/audit/verify.ts";
import { openDatabase } from "../../db/client.ts";
import { request, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { testPostgres } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { openTcpProxy } from "../tcp-proxy.ts";
import { until } from "../until.ts";

const main = new URL("../../app/main.ts", import.meta.url).pathname;

async function verifyAudit(text: string, ...args: string[]) {
  const child = Bun.spawn([process.execPath, main, "verify-audit", "-", ...args], {
    stdin: new Response(text),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { out, err, code };
}

describe("the trail", () => {
  const running = sharedCopy("postgres", adminSettings);
  let token: string;
  let database: postgres.Sql;
  beforeAll(async () => {
    token = await adminToken(running.url);
    database = postgres(running.config.DATABASE_URL ?? "", { max: 4 });
  });
  afterAll(() => database.end());
  const get = (path: string, as = token) => request(running.url, path, { token: as });

  test("who, what, on what, from where, how it went and by which request", async () => {
    const user = await signUp(running.url);
    const failed = await request(running.url, "/v1/auth/login", { body: { email: user.email, password: "wrong horse battery staple" } });
    const { data } = (await get(`/v1/audit?subject=${user.id}&action=security.*`)).body;
    expect(data).toHaveLength(1);
    expect(data[0]).toMatchObject({
      action: "security.login_failed",
      subject: user.id,
      outcome: "refused",
      ip: "127.0.0.1",
      requestId: failed.headers.get("x-request-id"),
    });
    await until("it is chained", async () =>
      (await get(`/v1/audit?subject=${user.id}`)).body.data.every(({ seq }: { seq: unknown }) => seq !== null),
    );
  });

  test("people see what they did and what is theirs, administrators all", async () => {
    const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
    const seen = async (as: string) => (await get("/v1/audit?limit=200", as)).body.data;
    const own: { actor: string; subject: string }[] = await seen(ada.token);
    expect(own.length).toBeGreaterThan(0);
    expect(own.every(({ actor, subject }) => actor === ada.id || subject === ada.id)).toBe(true);
    const all: { subject: string }[] = await seen(token);
    expect(all.some(({ subject }) => subject === ada.id) && all.some(({ subject }) => subject === bob.id)).toBe(true);
    const { team } = (await request(running.url, "/v1/teams", { token: ada.token, body: { name: "t" } })).body;
    expect((await seen(ada.token)).some(({ subject }: { subject: string }) => subject === team.id)).toBe(true);
    expect((await seen(bob.token)).some(({ subject }: { subject: string }) => subject === team.id)).toBe(false);
    expectProblem(await get("/v1/audit/export", ada.token), "forbidden");
    expectProblem(await request(running.url, "/v1/audit"), "unauthenticated");
  });

  test.each([
    ["/v1/audit?since=yesterday", "since"],
    ["/v1/audit?limit=0", "limit"],
    ["/v1/audit?outcome=good", "outcome"],
    ["/v1/audit?action=DROP", "action"],
    ["/v1/audit?cursor=evt_1", "cursor"],
    ["/v1/audit?colour=red", ""],
    ["/v1/audit/export?since=2026-02-30T00:00:00Z", "since"],
    ["/v1/audit/export?format=pdf", "format"],
  ])("%s: 400", async (path) => {
    expectProblem(await get(path), "validation_failed");
  });

  test("pages follow each other without gap or repetition", async () => {
    const all = (await get("/v1/audit?limit=200")).body.data.map(({ id }: { id: string }) => id);
    const paged: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null && paged.length < all.length) {
      const { body } = await get(`/v1/audit?limit=3${cursor ? `&cursor=${cursor}` : ""}`);
      paged.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.nextCursor;
    }
    expect(paged.slice(0, all.length)).toEqual(all);
  });

  test("nobody changes or removes what is written", async () => {
    for (const statement of [
      "update audit_log set actor_id = 'x'",
      "delete from audit_log",
      "truncate audit_log",
      "update audit_chain set hash = ''",
      "delete from audit_chain",
      "delete from audit_checkpoints",
    ])
      await expect(database.unsafe(statement)).rejects.toThrow("append-only");
  });

  test("an export is checked by the command, and what was changed in it is named", async () => {
    const exported = await get("/v1/audit/export");
    expect(exported.headers.get("content-type")).toBe("application/x-ndjson");
    const text: string = exported.body;
    const { checkpoint } = (await get("/v1/audit/checkpoint")).body;
    const good = await verifyAudit(text, "--key", checkpoint.keyId);
    expect([good.err, good.code]).toEqual(["", 0]);
    expect(good.out).toStartWith(`ok: the whole trail, ${text.trim().split("\n").length - 2} entries`);
    expect(text).toContain('"action":"audit.exported"');

    const [row] = await database`select entry_id from audit_chain where seq = 3`;
    const bad = await verifyAudit(text.replace(`"seq":3,`, `"seq":3,`).replace(/("seq":3,.*?"actor":)("[^"]*"|null)/, '$1"usr_forged"'));
    expect(bad.code).toBe(1);
    expect(bad.err).toStartWith(`broken: entry 3 (${row?.entry_id}) was changed`);
    expect((await verifyAudit(text.slice(0, -40))).code).toBe(1);
    expect((await verifyAudit(text, "--key", "0".repeat(64))).err).toContain("and not by");
  }, 30_000);

  test("somebody with the database who rewrites a row is found out", async () => {
    const before = await get("/v1/audit/export");
    await database`alter table audit_log disable trigger audit_log_append_only`;
    const [row] =
      await database`update audit_log set actor_id = 'usr_somebody' where id = (select entry_id from audit_chain where seq = 2) returning id`;
    const after = await get("/v1/audit/export");
    const bad = await verifyAudit(after.body);
    const lines = before.body.split("\n");
    const was = JSON.parse(lines[2]).entry.actor;
    await database`update audit_log set actor_id = ${was} where id = ${row?.id}`;
    await database`alter table audit_log enable trigger audit_log_append_only`;
    expect(bad.err).toStartWith(`broken: entry 2 (${row?.id}) was changed`);
    expect((await verifyAudit((await get("/v1/audit/export")).body)).code).toBe(0);
  }, 30_000);

  test("CEF, one line an entry; a filter leaves out the rest and the export says so", async () => {
    const { body, headers } = await get("/v1/audit/export?format=cef&action=user.signed_up");
    expect(headers.get("content-type")).toStartWith("text/plain");
    const lines = body.trim().split("\n");
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.every((line: string) => line.startsWith("CEF:0|Keelson|Keelson|") && line.includes("|user.signed_up|"))).toBe(true);
    const filtered = await get("/v1/audit/export?action=user.signed_up");
    expect((await verifyAudit(filtered.body)).out).toStartWith(`ok: ${lines.length} entries of a filtered export`);
  }, 30_000);

  test("an export of many entries comes page by page, and ends when its reader goes", async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => ({
      id: newId("event"),
      at: new Date(),
      action: "secret.read",
      actor_id: "usr_many",
      subject: `sec_${n}`,
      data: database.json({ name: `name ${n}` }),
    }));
    for (let at = 0; at < rows.length; at += 5_000) await database`insert into audit_log ${database(rows.slice(at, at + 5_000))}`;
    await until("all are chained", async () => {
      const [row] = await database`select (select count(*) from audit_log) = (select count(*) from audit_chain) as done`;
      return row?.done === true;
    });
    const verifier = createVerifier({});
    const answer = await fetch(`${running.url}/v1/audit/export`, { headers: { authorization: `Bearer ${token}` } });
    let rest = "";
    let chunks = 0;
    for await (const chunk of (answer.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      chunks += 1;
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) verifier.line(line);
    }
    expect(chunks).toBeGreaterThan(10);
    expect(verifier.finish().entries).toBeGreaterThan(20_000);
  }, 60_000);
});

describe("an export", () => {
  test("takes from the database what its reader takes, and nothing more once they have gone", async () => {
    const DATABASE_URL = await testPostgres();
    await using proxy = await openTcpProxy(DATABASE_URL);
    await using copy = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL: proxy.url });
    const sql = postgres(DATABASE_URL, { max: 1 });
    const token = await adminToken(copy.url);
    const long = "x".repeat(4_000);
    for (let n = 0; n < 20; n += 1) {
      const rows = Array.from({ length: 1_000 }, () => ({
        id: newId("event"),
        at: new Date(),
        action: "test.long",
        data: sql.json({ long }),
      }));
      await sql`insert into audit_log ${sql(rows)}`;
    }
    await until(
      "all are chained",
      async () => (await sql`select 1 from audit_log l where not exists (select from audit_chain c where c.entry_id = l.id)`).length === 0,
      20_000,
    );
    const before = proxy.bytesBack();
    const left = new AbortController();
    const answer = await fetch(`${copy.url}/v1/audit/export`, { headers: { authorization: `Bearer ${token}` }, signal: left.signal });
    await answer.body?.getReader().read();
    let taken = 0;
    let quietSince = performance.now();
    await until("nothing more is taken", () => {
      const now = proxy.bytesBack() - before;
      // What the copy's threads ask on their own is less.
      if (now > taken + 100_000) [taken, quietSince] = [now, performance.now()];
      return performance.now() - quietSince > 1_000;
    });
    expect(taken).toBeGreaterThan(4_000_000);
    expect(taken).toBeLessThan(40_000_000);
    left.abort();
    const whole = await request(copy.url, "/v1/audit/export?format=cef", { token });
    expect(whole.body.split("\n").length).toBeGreaterThan(20_000);
    // That was all of it once; a reader who had gone and was still served would have made it more.
    expect(proxy.bytesBack() - before - taken).toBeLessThan(1.5 * whole.body.length);
    await sql.end();
  }, 90_000);
});

describe("the chain", () => {
  test("has every committed entry once, in the order of its transactions, though two copies and a slow transaction write", async () => {
    await using first = await startTestCopy("postgres", adminSettings);
    const { DATABASE_URL = "", KEELSON_KEY_PREFIX } = first.config;
    await using second = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL, KEELSON_KEY_PREFIX });
    const sql = postgres(DATABASE_URL, { max: 2 });
    try {
      const late = Promise.withResolvers<void>();
      const slow = sql.begin(async (tx) => {
        await tx`insert into audit_log (id, at, action, data) values ('evt_000_slow', now(), 'test.slow', '{}')`;
        await late.promise;
      });
      await Promise.all(Array.from({ length: 20 }, (_, n) => signUp(n % 2 === 0 ? first.url : second.url)));
      await first.copy.threads.bus.kill();
      await Promise.all(Array.from({ length: 10 }, (_, n) => signUp(n % 2 === 0 ? first.url : second.url)));
      late.resolve();
      await slow;
      await until(
        "all is chained",
        async () => {
          const [row] = await sql`select (select count(*) from audit_log)::int as log, (select count(*) from audit_chain)::int as chained`;
          return row?.log === row?.chained;
        },
        20_000,
      );
      const rows = await sql`select c.seq, l.tx::text as tx, l.id from audit_chain c join audit_log l on l.id = c.entry_id order by c.seq`;
      expect(rows.map(({ seq }) => Number(seq))).toEqual(rows.map((_, index) => index + 1));
      const order = rows.map(({ tx, id }) => `${tx.padStart(20, "0")} ${id}`);
      expect(order).toEqual(order.toSorted());
      const text: string = (await request(second.url, "/v1/audit/export", { token: await adminToken(second.url) })).body;
      expect((await verifyAudit(text)).code).toBe(0);
    } finally {
      await sql.end();
    }
  }, 90_000);
});

describe("an access that has to be in the trail", () => {
  test("is there when the call returns; together with others in one transaction; refused while the trail is out of reach", async () => {
    await using copy = await startTestCopy("postgres");
    await using proxy = await openTcpProxy(copy.config.DATABASE_URL ?? "");
    const database = openDatabase({ url: proxy.url, connectionsMax: 2, applicationName: "test record" });
    const record = createRecordAccess(createTransact({ db: database.db, now: systemNow, wake: () => undefined }));
    const access = { contract: auditExported, data: { format: "cef" as const, filter: {} } };
    await Promise.all(Array.from({ length: 200 }, (_, n) => record({ ...access, subject: `s${n}`, outcome: "failed" })));
    const rows = await database.sql`select subject, outcome, tx::text as tx from audit_log where action = 'audit.exported'`;
    expect(new Set(rows.map(({ subject }) => subject)).size).toBe(200);
    expect(rows.every(({ outcome }) => outcome === "failed")).toBe(true);
    expect(new Set(rows.map(({ tx }) => tx)).size).toBeLessThan(20);
    await proxy.refuse();
    expect(record({ ...access, subject: "never" })).rejects.toMatchObject({ code: "unavailable" });
    await record({ ...access, subject: "never" }).catch(() => undefined);
    await proxy.accept();
    await until("it works again", () =>
      record({ ...access, subject: "again" }).then(
        () => true,
        () => false,
      ),
    );
    expect(await database.sql`select 1 from audit_log where subject = 'never'`).toHaveLength(0);

    proxy.freeze();
    const asked = performance.now();
    expect(record({ ...access, subject: "into a line that is dead" })).rejects.toMatchObject({ code: "unavailable" });
    await record({ ...access, subject: "behind it" }).catch(() => undefined);
    expect(performance.now() - asked).toBeLessThan(9_000);
    await database.close();
  }, 60_000);
});

describe("what is unusual", () => {
  test("another hour, another network, a rush: each told once, to whom it is about", async () => {
    await using copy = await startTestCopy("postgres", adminSettings);
    const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
    const user = await signUp(copy.url);
    const read = (at: Date, ip: string) => ({
      id: newId("event"),
      at,
      action: "secret.read",
      actor_id: user.id,
      subject: "sec_1",
      ip,
      data: sql.json({}),
    });
    const day = 86_400_000;
    const noon = Date.parse("2026-03-01T12:00:00Z");
    const usual = Array.from({ length: 60 }, (_, n) => read(new Date(noon + Math.floor(n / 4) * day + (n % 4) * 120_000), "192.0.2.1"));
    const night = read(new Date(noon + 20 * day + 14 * 3_600_000), "192.0.2.1");
    const abroad = [1, 2].map((n) => read(new Date(noon + 21 * day + n * 1_000), "198.51.100.7"));
    const rush = Array.from({ length: 50 }, (_, n) => read(new Date(noon + 22 * day + n * 1_000), "192.0.2.1"));
    for (const rows of [usual, [night], abroad, rush]) await sql`insert into audit_log ${sql(rows)}`;
    const token = await adminToken(copy.url);
    const found = async () =>
      (await request(copy.url, `/v1/audit?subject=${user.id}&action=security.unusual_access`, { token })).body.data.map(
        ({ data }: { data: { kind: string } }) => data.kind,
      );
    await until("they are told", async () => (await found()).length >= 3);
    expect((await found()).toReversed()).toEqual(["hour", "network", "rate"]);
    const own = (await request(copy.url, "/v1/audit?action=security.unusual_access", { token: user.token })).body.data;
    expect(own).toHaveLength(3);
    await sql`update access_profiles set profile = '{}'`;
    await sql`insert into audit_log ${sql([read(new Date(noon + 23 * day), "192.0.2.1")])}`;
    const accesses = async () => (await sql`select profile->>'accesses' as n from access_profiles where actor_id = ${user.id}`)[0]?.n;
    await until("what can't be read is begun anew", async () => (await accesses()) === "1");
    await request(copy.url, "/v1/me", { method: "DELETE", token: user.token });
    await until("it goes with the account", async () => (await accesses()) === undefined, 20_000);
    await sql.end();
  }, 60_000);
});

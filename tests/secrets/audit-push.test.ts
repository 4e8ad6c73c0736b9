import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import postgres from "postgres";
import { newId } from "../../app/platform/ids.ts";
import { signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { testPostgres } from "../services.ts";
import { until } from "../until.ts";

interface Received {
  readonly authorization: string | undefined;
  readonly type: string | undefined;
  readonly text: string;
}

/** Takes what is pushed, but for those that `refusals` holds an answer for, in order. */
class TestCollector {
  readonly got: Received[] = [];
  readonly refusals: ((answer: ServerResponse) => void)[] = [];
  readonly #server: Server = createServer((incoming, answer) => {
    let text = "";
    incoming.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
    incoming.on("end", () => {
      const refuse = this.refusals.shift();
      if (refuse) return refuse(answer);
      const { authorization, "content-type": type } = incoming.headers;
      this.got.push({ authorization, type, text });
      answer.writeHead(204).end();
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/audit`;
  }

  lines(): string[] {
    return this.got.flatMap(({ text }) => text.trimEnd().split("\n"));
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const status = (code: number) => (answer: ServerResponse) => void answer.writeHead(code, { location: "/elsewhere" }).end();
const hangUp = (answer: ServerResponse) => void answer.destroy();

describe("the push to a collector", () => {
  const collector = new TestCollector();
  let copy: TestCopy;
  let sql: postgres.Sql;
  beforeAll(async () => {
    collector.refusals.push(status(503), status(302), hangUp);
    copy = await startTestCopy("postgres", {
      DATABASE_URL: await testPostgres(),
      KEELSON_AUDIT_PUSH_URL: await collector.start(),
      KEELSON_AUDIT_PUSH_TOKEN: "collector-token",
    });
    sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
  }, 60_000);
  afterAll(async () => {
    await sql.end();
    await copy[Symbol.asyncDispose]();
    collector.stop();
  });
  const seqs = (): number[] => collector.lines().map((line) => JSON.parse(line).seq);

  test("each entry in the order of the chain, also when it fails at first", async () => {
    await Promise.all(Array.from({ length: 12 }, () => signUp(copy.url)));
    await until("all has come", () => seqs().length >= 12, 30_000);
    expect(seqs()).toEqual(seqs().map((_, index) => index + 1));
    expect(collector.refusals).toHaveLength(0);
    expect(new Set(collector.got.map(({ authorization, type }) => `${authorization} ${type}`))).toEqual(
      new Set(["Bearer collector-token application/x-ndjson"]),
    );
  }, 60_000);

  test("another thread goes on where the last one was", async () => {
    const before = seqs().length;
    await copy.copy.threads.bus.kill();
    await signUp(copy.url);
    await until("what is new has come", () => seqs().length > before, 30_000);
    expect(new Set(seqs()).size).toBe(Math.max(...seqs()));
  }, 60_000);

  test("what is much goes in parts, a large entry alone", async () => {
    const from = collector.got.length;
    const sizes = [1, 1, 3_000_000, ...Array.from({ length: 30 }, () => 100_000)];
    const rows = sizes.map((size) => ({
      id: newId("event"),
      at: new Date(),
      action: "test.large",
      data: sql.json({ text: "x".repeat(size) }),
    }));
    await sql`insert into audit_log ${sql(rows)}`;
    const [mark] = await sql`select count(*)::int as n from audit_log`;
    await until("all has come", () => new Set(seqs()).size >= mark?.n, 30_000);
    const bodies = collector.got.slice(from).map(({ text }) => ({ bytes: text.length, lines: text.trimEnd().split("\n").length }));
    expect(bodies.filter(({ bytes }) => bytes > 1_000_000)).toEqual([{ bytes: expect.any(Number), lines: 1 }]);
    expect(bodies.length).toBeLessThan(12);
  }, 60_000);

  test("what fails for long is told once, and goes on in the end", async () => {
    const told = async () => (await sql`select 1 from bus_events where type = 'audit.push_failing'`).length;
    const before = seqs().length;
    collector.refusals.push(status(500), status(401));
    await sql`update audit_push set failing_since = now() - interval '10 minutes'`;
    await signUp(copy.url);
    await until("it is told", async () => (await told()) > 0, 20_000);
    await until("it goes on", () => seqs().length > before, 30_000);
    await until("everything is announced", async () => (await sql`select 1 from outbox`).length === 0);
    expect(await told()).toBe(1);
    const [row] = await sql`select failing_since, told_at from audit_push`;
    expect({ ...row }).toEqual({ failing_since: null, told_at: null });
  }, 60_000);
});

test("the push in CEF, without a token", async () => {
  const collector = new TestCollector();
  await using copy = await startTestCopy("postgres", {
    DATABASE_URL: await testPostgres(),
    KEELSON_AUDIT_PUSH_URL: await collector.start(),
    KEELSON_AUDIT_PUSH_FORMAT: "cef",
  });
  const { id } = await signUp(copy.url);
  await until("it has come", () => collector.lines().some((line) => line.includes("|user.signed_up|") && line.includes(`suid=${id} `)));
  expect(collector.lines().every((line) => line.startsWith("CEF:0|Keelson|"))).toBe(true);
  expect(collector.got[0]).toMatchObject({ authorization: undefined, type: "text/plain; charset=utf-8" });
  collector.stop();
}, 60_000);

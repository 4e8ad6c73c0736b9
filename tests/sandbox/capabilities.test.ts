import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createForgetExecutions } from "../../app/services/sandbox/retention.ts";
import { createExecutionStore } from "../../app/services/sandbox/store.ts";
import { createValueStore } from "../../app/services/sandbox/values/store.ts";
import { openDatabase } from "../../db/client.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { makeTeam, recent, registerType } from "../events/events.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings } from "../tasks/tasks.ts";
import { until } from "../until.ts";

const running = sharedCopy("postgres", { ...adminSettings, KEELSON_SANDBOX_NETWORKS: "127.0.0.1/32" });
let user: SignedInUser;
beforeAll(async () => {
  user = await signUp(running.url);
});

interface Run {
  readonly code: string;
  readonly capabilities: object;
  readonly [more: string]: unknown;
}
const execute = async (body: Run, token = user.token) => {
  const answer = await request(running.url, "/v1/sandbox/executions", { token, body: { timeoutMs: 5_000, ...body } });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body.execution;
};
const caught = (code: string) => `try { ${code} } catch (e) { \`\${e.name}: \${e.message}\` }`;

describe("fetch", () => {
  const seen: Headers[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (asked) => {
      seen.push(new Headers(Object.fromEntries(asked.headers)));
      const { pathname } = new URL(asked.url);
      if (pathname === "/redirect") return Response.redirect("http://169.254.169.254/latest", 302);
      if (pathname === "/large") return new Response("x".repeat(300_000));
      if (pathname === "/slow") await Bun.sleep(2_000);
      if (pathname === "/echo")
        return new Response(await asked.text(), {
          status: 201,
          headers: [
            ["x-two", "1"],
            ["x-two", "2"],
          ],
        });
      return Response.json({ n: 1, text: "ü\0" });
    },
  });
  afterAll(() => server.stop(true));
  const host = `127.0.0.1:${server.port}`;
  const at = (path: string) => JSON.stringify(`http://${host}${path}`);
  const grant = (over: object = {}) => ({ fetch: { hosts: [host], ...over } });

  test("a granted host: status, headers, text and JSON; it is counted and remembered without its query", async () => {
    const { output, calls, receipt } = await execute({
      code: `const a = await fetch(${at("/json?token=hidden#x")}); [a.ok, a.status, a.headers.get('Content-Type'), await a.json(), typeof await a.text()]`,
      capabilities: grant(),
    });
    expect(output).toEqual([true, 200, "application/json;charset=utf-8", { n: 1, text: "ü\0" }, "string"]);
    expect(calls).toEqual([{ capability: "fetch", method: "fetch", target: `GET http://${host}/json`, ok: true, ms: expect.any(Number) }]);
    expect(receipt.hostCalls).toBe(1);
  });

  test("a body and headers, where the method is granted", async () => {
    const { output } = await execute({
      code: `const a = await fetch(${at("/echo")}, { method: 'post', headers: { 'X-Own': 'v' }, body: 'bödy' }); [a.status, await a.text(), a.headers.get('x-two'), [...a.headers].length > 1]`,
      capabilities: grant({ methods: ["POST"] }),
    });
    expect(output).toEqual([201, "bödy", "1, 2", true]);
    expect(seen.at(-1)?.get("x-own")).toBe("v");
    expect(seen.at(-1)?.get("user-agent")).toBe("Keelson-Sandbox");
  });

  test("redirects are answers, and are not followed", async () => {
    const { output } = await execute({
      code: `const a = await fetch(${at("/redirect")}); [a.status, a.headers.get('location')]`,
      capabilities: grant(),
    });
    expect(output).toEqual([302, "http://169.254.169.254/latest"]);
  });

  const refused: [name: string, code: string, over: object, message: string][] = [
    ["another host", "await fetch('http://example.com/')", {}, "NotGrantedError: requests to example.com are not granted"],
    ["the same host at another port", "await fetch('http://127.0.0.1:1/')", {}, "NotGrantedError: requests to 127.0.0.1:1 are not granted"],
    [
      "a private address behind a granted name",
      "await fetch('http://10.0.0.1/')",
      { hosts: ["10.0.0.1"] },
      "NotGrantedError: 10.0.0.1 is not at a public address",
    ],
    [
      "another spelling of a private address",
      "await fetch('http://0x0a000001/')",
      { hosts: ["10.0.0.1"] },
      "NotGrantedError: 10.0.0.1 is not at a public address",
    ],
    ["a name that leads to a private address", "await fetch('http://localhost.:1/')", { hosts: ["localhost"] }, "NotGrantedError"],
    [
      "a method that is not granted",
      `await fetch(${at("/")}, { method: 'DELETE' })`,
      {},
      "NotGrantedError: the method DELETE is not granted",
    ],
    ["another scheme", "await fetch('file:///etc/passwd')", {}, "TypeError: the URL is not an absolute http(s) one"],
    ["a user in the URL", `await fetch('http://a:b@${host}/')`, {}, "TypeError: the URL must not have a user and password"],
    [
      "a header that is the connection's",
      `await fetch(${at("/")}, { headers: { Host: 'evil' } })`,
      {},
      "TypeError: the header Host can't be set",
    ],
    [
      "a header with a line break",
      `await fetch(${at("/")}, { headers: { a: 'b\\r\\nc: d' } })`,
      {},
      "TypeError: the header a can't be set",
    ],
    [
      "an answer that is too large",
      `await fetch(${at("/large")})`,
      {},
      "LimitError: the answer is larger than the 262144 bytes that are granted",
    ],
    ["an answer that takes too long", `await fetch(${at("/slow")})`, { timeoutMs: 100 }, `TimeoutError: ${host} did not answer in time`],
    [
      "more requests than granted",
      `await fetch(${at("/")}); await fetch(${at("/")}); await fetch(${at("/")})`,
      { requestsMax: 2 },
      "LimitError: no more than 2 requests are granted",
    ],
  ];
  test.each(refused)("%s is refused", async (_name, code, over, message) => {
    const { output, calls } = await execute({ code: caught(code), capabilities: grant(over) });
    expect(output).toStartWith(message);
    expect(calls.at(-1)).toMatchObject({ ok: false });
  });

  test("hosts with a star are those below, and not the one itself", async () => {
    const code = `const tried = []; for (const h of ['a.invalid.test', 'invalid.test', 'evilinvalid.test']) try { await fetch('http://' + h) } catch (e) { tried.push(e.name) } tried`;
    const { output } = await execute({ code, capabilities: { fetch: { hosts: ["*.invalid.test"] } } });
    expect(output).toEqual(["NetworkError", "NotGrantedError", "NotGrantedError"]);
  });
});

describe("kv", () => {
  const kv = { kv: {} };

  test("values outlive the run, for the same owner alone", async () => {
    await execute({
      code: "await kv.set('a', { n: [1, '\\0\\ud800', null] }); await kv.set('ab', 2); await kv.set('b', 3)",
      capabilities: kv,
    });
    expect((await execute({ code: "[await kv.get('a'), await kv.get('none')]", capabilities: kv })).output).toEqual([
      { n: [1, "\0\ud800", null] },
      null,
    ]);
    expect((await execute({ code: "await kv.list({ prefix: 'a' })", capabilities: kv })).output).toEqual(["a", "ab"]);
    expect((await execute({ code: "await kv.list({ after: 'a', limit: 1 })", capabilities: kv })).output).toEqual(["ab"]);
    expect((await execute({ code: "[await kv.delete('b'), await kv.delete('b'), await kv.get('b')]", capabilities: kv })).output).toEqual([
      true,
      false,
      null,
    ]);
    const other = await signUp(running.url);
    expect((await execute({ code: "[await kv.get('a'), await kv.list()]", capabilities: kv }, other.token)).output).toEqual([null, []]);
  });

  test("a team's programs share theirs, apart from their makers' own", async () => {
    const team = await makeTeam(running.url, user);
    await execute({ code: "await kv.set('a', 'team')", capabilities: kv }, team.key);
    expect((await execute({ code: "await kv.get('a')", capabilities: kv }, team.key)).output).toBe("team");
    expect((await execute({ code: "await kv.get('a')", capabilities: kv })).output).not.toBe("team");
  });

  test("a value with a time to live goes", async () => {
    await execute({ code: "await kv.set('brief', 1, { ttlSeconds: 0.05 })", capabilities: kv });
    await until("it is gone", async () => (await execute({ code: "await kv.get('brief')", capabilities: kv })).output === null);
  });

  const refused: [code: string, capabilities: object, message: string][] = [
    ["await kv.set('a', 1)", { kv: { readOnly: true } }, "NotGrantedError: only reading is granted"],
    ["await kv.delete('a')", { kv: { readOnly: true } }, "NotGrantedError: only reading is granted"],
    ["await kv.set('', 1)", kv, "TypeError: key"],
    ["await kv.set('a\\0', 1)", kv, "TypeError: key"],
    ["await kv.set('\\ud800', 1)", kv, "TypeError: key"],
    ["await kv.set('k'.repeat(513), 1)", kv, "TypeError: key"],
    ["await kv.set('a', 'x'.repeat(70000))", kv, "LimitError: a value may have at most 65536 bytes of JSON"],
    ["await kv.set('a', 1, { ttlSeconds: -1 })", kv, "TypeError: ttlSeconds"],
    ["await kv.list({ limit: 1e6 })", kv, "TypeError: limit"],
  ];
  test.each(refused)("%s is refused", async (code, capabilities, message) => {
    expect((await execute({ code: caught(code), capabilities })).output).toStartWith(message);
  });

  test("what one owner may keep is bounded, also when many write at once", async () => {
    const other = await signUp(running.url);
    const code = `const text = 'x'.repeat(65000); const all = await Promise.allSettled(Array.from({ length: 90 }, (_, i) => kv.set(input + i, text))); all.filter(({ status }) => status === 'fulfilled').length`;
    const runs = await Promise.all(["a", "b"].map((input) => execute({ code, input, capabilities: kv, timeoutMs: 10_000 }, other.token)));
    expect(runs.map(({ output }) => output).reduce((sum, count) => sum + count)).toBe(Math.floor(10_485_760 / 65_002));
  }, 30_000);
});

describe("events", () => {
  test("publishes in the owner's name what is granted, and nothing else", async () => {
    const [type, other] = [await registerType(running.url), await registerType(running.url)];
    const tryTo = (name: string) =>
      `await (async () => { try { await events.publish({ type: '${name}', data: { n: 1 } }) } catch (e) { return e.name + ': ' + e.message } })()`;
    const code = `const { id } = await events.publish({ type: input, subject: 's', data: { n: 7 } }); [id, ${tryTo(other)}, ${tryTo("auth.user.registered")}]`;
    const { output } = await execute({ code, input: type, capabilities: { events: { types: [type] } } });
    expect(output.slice(1)).toEqual([
      `NotGrantedError: events of type ${other} are not granted`,
      "NotGrantedError: events of type auth.user.registered are not granted",
    ]);
    const found = await until("it is there", async () => (await recent(running.url, user.token, `?pattern=${type}`)).body.data[0]);
    expect(found).toMatchObject({ id: output[0], subject: "s", data: { n: 7 }, actor: user.id });
  });

  test("an event that is not as its type says is refused with its place", async () => {
    const type = await registerType(running.url);
    const { output } = await execute({
      code: caught(`await events.publish({ type: '${type}', data: { n: 'x' } })`),
      capabilities: { events: { types: [">"] } },
    });
    expect(output).toContain("/data/n");
  });

  test("system events stay the system's", async () => {
    const { output } = await execute({
      code: caught("await events.publish({ type: 'task.changed', data: {} })"),
      capabilities: { events: { types: [">"] } },
    });
    expect(output).toContain("HostError: Only the program itself publishes task.changed.");
  });

  test("403: a key without events:write can't grant what it may not do", async () => {
    const { body } = await request(running.url, "/v1/api-keys", { token: user.token, body: { name: "k", scopes: ["sandbox:write"] } });
    const answer = await request(running.url, "/v1/sandbox/executions", {
      token: body.key,
      body: { code: "1", capabilities: { events: { types: [">"] } } },
    });
    expectProblem(answer, "insufficient_scope");
  });
});

test("as a task, in a queue thread, a program asks the same host", async () => {
  const { body } = await request(running.url, "/v1/sandbox/executions", {
    token: user.token,
    body: {
      code: "await kv.set('queued', 5); log('info', 'from a task'); await kv.get('queued')",
      capabilities: { kv: {}, log: true },
      wait: false,
    },
  });
  const done = await until("it has ended", async () => {
    const { execution } = (await request(running.url, `/v1/sandbox/executions/${body.execution.id}`, { token: user.token })).body;
    return execution.finishedAt ? execution : undefined;
  });
  expect(done).toMatchObject({ status: "succeeded", output: 5 });
  expect(done.calls.map(({ capability, method }: { capability: string; method: string }) => `${capability}.${method}`)).toEqual([
    "kv.set",
    "log.write",
    "kv.get",
  ]);
});

test("a program that came with a task is granted nothing", async () => {
  const answer = await request(running.url, "/v1/tasks", {
    token: user.token,
    body: { queue: "sandbox-execution", input: { code: "1", capabilities: { kv: {} } } },
  });
  expectProblem(answer, "validation_failed");
});

test("executions are forgotten after their days, and values after their time", async () => {
  const { id } = await execute({ code: "await kv.set('old', 1, { ttlSeconds: 1 })", capabilities: { kv: {} } });
  const database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 1, applicationName: "test" });
  const forgetAt = (at: number) =>
    createForgetExecutions({
      executions: createExecutionStore(database.db),
      values: createValueStore(database.db),
      days: 30,
      now: () => new Date(at),
    })();
  const day = 86_400_000;
  await forgetAt(Date.now() + 29 * day);
  expect((await request(running.url, `/v1/sandbox/executions/${id}`, { token: user.token })).status).toBe(200);
  expect(await createValueStore(database.db).get(user.id, "old", new Date(0))).toBeUndefined();
  expect(await forgetAt(Date.now() + 31 * day)).toBeGreaterThan(0);
  expect((await request(running.url, `/v1/sandbox/executions/${id}`, { token: user.token })).status).toBe(404);
  await database.close();
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomToken } from "../../app/platform/ids.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { makeTeam } from "../events/events.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings } from "../tasks/tasks.ts";

const running = sharedCopy("postgres", { ...adminSettings, KEELSON_SANDBOX_NETWORKS: "127.0.0.1/32" });
const value = `sk-${randomToken(18)}`;
const seen: { readonly authorization: string | null; readonly body: string }[] = [];
/** Says everything that it was told. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (asked) => {
    const authorization = asked.headers.get("authorization");
    const body = await asked.text();
    seen.push({ authorization, body });
    return new Response(`you said ${authorization} and ${body}`, { headers: { "x-echo": authorization ?? "" } });
  },
});
const host = `127.0.0.1:${server.port}`;
let user: SignedInUser;
beforeAll(async () => {
  user = await signUp(running.url);
  await request(running.url, "/v1/secrets", { token: user.token, body: { name: "stripe", value } });
  await request(running.url, "/v1/secrets", { token: user.token, body: { name: "fields", value: { id: "me", key: `${value}-field` } } });
  await request(running.url, "/v1/secrets", { token: user.token, body: { name: "lines", value: "a\r\nx-injected: 1" } });
});
afterAll(() => server.stop(true));

const ask = (secret: string, more = "") =>
  `const a = await fetch("http://${host}/", { method: "POST", headers: { authorization: "Bearer \${secret:${secret}}" }, body: "it is \${secret:${secret}}" }); ${more || "[a.status, await a.text(), a.headers.get('x-echo')]"}`;
const execute = (code: string, secrets: readonly string[], { token = user.token, ...more }: { token?: string; wait?: boolean } = {}) =>
  request(running.url, "/v1/sandbox/executions", {
    token,
    body: { code, timeoutMs: 5_000, capabilities: { fetch: { hosts: [host], methods: ["POST"], secrets } }, ...more },
  });

test("the far end gets the secret; the program, its log and its record never have it", async () => {
  const { body } = await execute(`console.log("\${secret:stripe}"); ${ask("stripe")}`, ["stripe"]);
  const hidden = ["$", "{secret:stripe}"].join("");
  expect(body.execution.output).toEqual([200, `you said Bearer ${hidden} and it is ${hidden}`, `Bearer ${hidden}`]);
  expect(seen.at(-1)).toEqual({ authorization: `Bearer ${value}`, body: `it is ${value}` });
  expect(JSON.stringify(body)).not.toContain(value);
  const stored = await request(running.url, `/v1/sandbox/executions/${body.execution.id}`, { token: user.token });
  expect(JSON.stringify(stored.body)).not.toContain(value);
});

test("a field of a secret", async () => {
  const { body } = await execute(ask("fields#key"), ["fields"]);
  expect(body.execution.status).toBe("succeeded");
  expect(seen.at(-1)?.authorization).toBe(`Bearer ${value}-field`);
  expect(JSON.stringify(body)).not.toContain(value);
});

test("each use is in the audit trail, with the execution that it was for", async () => {
  const { body } = await execute(ask("stripe"), ["stripe"]);
  const { data } = (await request(running.url, "/v1/audit?action=secret.read&limit=200", { token: user.token })).body;
  const uses = data.filter(({ data: it }: { data: { usedBy?: { subject: string } } }) => it.usedBy?.subject === body.execution.id);
  expect(uses).toHaveLength(1);
  expect(uses[0].data).toMatchObject({ name: "stripe", as: "machine", usedBy: { service: "sandbox" } });
});

test.each([
  ["one that is not granted", "stripe", ["fields"], "NotGrantedError: the secret stripe is not granted"],
  ["one that does not exist", "nothing", ["nothing"], "HostError: There is no secret nothing"],
  ["one whose value is no header", "lines", ["lines"], "TypeError: the header authorization can't be set"],
  ["a field that is not there", "fields#other", ["fields"], "HostError:"],
  ["none", "", [], "NotGrantedError"],
])("%s is refused before anything is sent", async (_, secret, granted, says) => {
  const before = seen.length;
  const code = `try { ${ask(secret, "0")} } catch (e) { \`\${e.name}: \${e.message}\` }`;
  const { body } = await execute(code, granted);
  expect(body.execution.output).toStartWith(says);
  expect(seen).toHaveLength(before);
});

test("somebody else's secret is not there, and a team's program has the team's", async () => {
  const other = await signUp(running.url);
  const refused = await execute(`try { ${ask("stripe", "0")} } catch (e) { e.message }`, ["stripe"], { token: other.token });
  expect(refused.body.execution.output).toStartWith("There is no secret stripe");
  const { id: team } = await makeTeam(running.url, user);
  await request(running.url, "/v1/secrets", { token: user.token, body: { name: "stripe", value: "the team's", teamId: team } });
  const { key } = (
    await request(running.url, "/v1/api-keys", {
      token: user.token,
      body: { name: "t", scopes: ["sandbox:write", "secrets:read"], teamId: team },
    })
  ).body;
  await execute(ask("stripe"), ["stripe"], { token: key });
  expect(seen.at(-1)?.authorization).toBe("Bearer the team's");
});

test("a key grants secrets only when it may read them itself", async () => {
  const { key } = (await request(running.url, "/v1/api-keys", { token: user.token, body: { name: "k", scopes: ["sandbox:write"] } })).body;
  expectProblem(await execute(ask("stripe"), ["stripe"], { token: key }), "insufficient_scope");
});

test("as a task too", async () => {
  const { body } = await execute(ask("stripe"), ["stripe"], { wait: false });
  const done = async () =>
    (await request(running.url, `/v1/sandbox/executions/${body.execution.id}`, { token: user.token })).body.execution;
  for (let tries = 0; tries < 500 && (await done()).status === "queued"; tries += 1) await Bun.sleep(20);
  expect((await done()).status).toBe("succeeded");
  expect(seen.at(-1)?.authorization).toBe(`Bearer ${value}`);
});

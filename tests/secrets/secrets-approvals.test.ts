// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how references are written
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemNow as now } from "../../app/platform/clock.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { openSecretChores } from "../../app/services/secrets/core.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { eventsAbout, keyOf, makeTeam, secretsOf } from "./secrets.ts";

const running = sharedCopy("postgres", adminSettings);
let database: DatabaseClient;
beforeAll(() => {
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 4, applicationName: "test approvals" });
});
afterAll(() => database.close());
const join = async (team: string, user: string, role: string) => {
  await database.sql`insert into team_members (team_id, user_id, role) values (${team}, ${user}, ${role})`;
};

/** A team with a secret that takes two. */
async function marked(value: unknown = "guarded") {
  const owner = await signUp(running.url);
  const team = await makeTeam(running.url, owner, join);
  const of = (user: Pick<SignedInUser, "token">) => secretsOf(running.url, user, `teamId=${team.id}`);
  const made = await secretsOf(running.url, owner).create({ name: "a", value, teamId: team.id, approval: { required: true } });
  expect(made.body.secret.approval).toEqual({ required: true });
  return { owner, team, of, id: String(made.body.secret.id) };
}

const ask = async (by: ReturnType<typeof secretsOf>, action: string, more: object = {}): Promise<string> => {
  const { status, body } = await by.act("a", "requests", { action, reason: "the deploy", ...more });
  expect([status, body.request?.status]).toEqual([201, "pending"]);
  return body.request.id;
};
const decide = (user: Pick<SignedInUser, "token">, id: string, verb: "approve" | "deny"): Promise<Answer> =>
  request(running.url, `/v1/secrets/requests/${id}/${verb}`, { method: "POST", token: user.token });

describe("everything takes a second person, once each", () => {
  const acts: readonly (readonly [action: string, what: string, act: (by: ReturnType<typeof secretsOf>) => Promise<Answer>])[] = [
    ["read", "a read", (by) => by.read("a")],
    ["read", "a read of an older version", (by) => by.read("a", "?version=1")],
    ["read", "a link", (by) => by.act("a", "share", {})],
    ["write", "another value", (by) => by.put("a", { value: "new" })],
    ["write", "a rollback", (by) => by.act("a", "rollback", { version: 1 })],
    ["write", "an undelete", (by) => by.act("a", "undelete")],
    ["write", "other labels", (by) => by.patch("a", { labels: { x: "y" } })],
    ["write", "another expiry", (by) => by.patch("a", { expiresAt: "2099-01-01T00:00:00Z" })],
    ["write", "a delete", (by) => by.delete("a")],
    ["destroy", "a destroy", (by) => by.act("a", "destroy")],
    ["unmark", "that it does not any more", (by) => by.patch("a", { approval: { required: false } })],
  ];
  for (const [action, what, act] of acts)
    test(what, async () => {
      const { team, of, owner, id } = await marked();
      const by = of(team.member);
      expectProblem(await act(by), "approval_required");
      const requestId = await ask(by, action);
      expectProblem(await act(by), "approval_required");
      expectProblem(await decide(team.member, requestId, "approve"), "forbidden");
      expect((await decide(owner, requestId, "approve")).body.request).toMatchObject({ status: "approved", decidedBy: owner.id });
      // It is the requester's alone.
      if (what !== "a delete") expectProblem(await act(of(owner)), "approval_required");
      expect((await act(by)).status).toBeWithin(200, 205);
      if (action !== "unmark") expectProblem(await act(by), "approval_required");
      const { body } = await request(running.url, `/v1/secrets/requests/${requestId}`, { token: team.member.token });
      expect(body.request).toMatchObject({ status: "used", action, requestedBy: team.member.id });
      for (const type of ["approval_requested", "approval_granted", "approval_used"])
        await eventsAbout(running.url, team.viewer.token, id, `secret.${type}`);
      const audit =
        await database.sql`select action, actor_id from audit_log where subject = ${id} and action like 'secret.approval%' order by at, id`;
      expect(audit.map((row) => [row.action, row.actor_id])).toEqual([
        ["secret.approval_requested", team.member.id],
        ["secret.approval_granted", owner.id],
        ["secret.approval_used", team.member.id],
      ]);
    });

  test("a read that was refused is in the trail as one", async () => {
    const { team, of, id } = await marked();
    expectProblem(await of(team.member).read("a"), "approval_required");
    const rows = await database.sql`select actor_id, outcome, data from audit_log where subject = ${id} and action = 'secret.read'`;
    expect([...rows]).toEqual([
      { actor_id: team.member.id, outcome: "refused", data: { name: "a", version: 1, as: "value", outcome: "refused" } },
    ]);
  });

  test("an approval of one thing is none of another", async () => {
    const { team, of, owner } = await marked();
    const by = of(team.member);
    await decide(owner, await ask(by, "read"), "approve");
    expectProblem(await by.put("a", { value: "new" }), "approval_required");
    expectProblem(await by.act("a", "destroy"), "approval_required");
    expect((await by.read("a")).body.value).toBe("guarded");
  });

  test("of twenty reads at once one is given", async () => {
    const { team, of, owner } = await marked();
    const by = of(team.member);
    await decide(owner, await ask(by, "read"), "approve");
    const answers = await Promise.all(Array.from({ length: 20 }, () => by.read("a")));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 200) expectProblem(answer, "approval_required");
  });

  test("what was refused for another reason has not used it up", async () => {
    const { team, of, owner } = await marked();
    const by = of(team.member);
    await decide(owner, await ask(by, "write"), "approve");
    expectProblem(await by.put("a", { value: "${secret:nobody}" }), "invalid_reference");
    expectProblem(await by.put("a", { value: "x".repeat(70_000) }), "payload_too_large");
    expect((await by.put("a", { value: "new" })).status).toBe(200);
  });
});

describe("no way round it", () => {
  test("by a reference, an import, a new secret of its name, or a link from before", async () => {
    const { team, of, owner, id } = await marked();
    const by = of(team.member);
    const all = secretsOf(running.url, team.member);
    await all.create({ name: "b", value: "is ${secret:a}", teamId: team.id });
    expectProblem(await by.read("b"), "approval_required");
    expectProblem(await by.act("b", "share", {}), "approval_required");
    await decide(owner, await ask(by, "read"), "approve");
    expect((await by.read("b")).body.value).toBe("is guarded");
    expectProblem(await by.read("b"), "approval_required");
    await decide(owner, await ask(by, "write"), "approve");
    await by.delete("a");
    expectProblem(await all.create({ name: "a", value: "mine", teamId: team.id }), "approval_required");
    const given =
      await database.sql`select data ->> 'as' as given from audit_log where subject = ${id} and action = 'secret.read' and outcome = 'success'`;
    expect(given.map((row) => row.given)).toEqual(["reference"]);
  });

  test("not for administrators either, and system secrets take two of them", async () => {
    const token = await adminToken(running.url);
    const { owner, team, of } = await marked();
    expectProblem(await of({ token }).read("a"), "approval_required");
    const system = secretsOf(running.url, { token }, "scope=system");
    await secretsOf(running.url, { token }).create({ name: "a", value: "s", scope: "system", approval: { required: true } });
    const requestId = await ask(system, "read");
    expectProblem(await decide({ token }, requestId, "approve"), "forbidden");
    expectProblem(await decide(owner, requestId, "approve"), "not_found");
    await database.sql`update users set role = 'admin' where id = ${team.member.id}`;
    const { body } = await request(running.url, "/v1/auth/login", { body: { email: team.member.email, password: team.member.password } });
    expect((await decide({ token: body.accessToken }, requestId, "approve")).status).toBe(200);
    expect((await system.read("a")).body.value).toBe("s");
  });

  test("a user's own takes an administrator", async () => {
    const [user, stranger] = [await signUp(running.url), await signUp(running.url)];
    const mine = secretsOf(running.url, user);
    await mine.create({ name: "a", value: "own", approval: { required: true } });
    expectProblem(await mine.read("a"), "approval_required");
    const requestId = await ask(mine, "read");
    expectProblem(await decide(user, requestId, "approve"), "forbidden");
    expectProblem(await decide(stranger, requestId, "approve"), "not_found");
    const token = await adminToken(running.url);
    const { body } = await request(running.url, "/v1/secrets/requests?all=true&status=pending", { token });
    expect(body.data.map(({ id }: { id: string }) => id)).toContain(requestId);
    expectProblem(await request(running.url, "/v1/secrets/requests?all=true", { token: user.token }), "forbidden");
    expect((await decide({ token }, requestId, "approve")).status).toBe(200);
    expect((await mine.read("a")).body.value).toBe("own");
  });
});

describe("who decides", () => {
  const cases: readonly (readonly [
    who: "viewer" | "stranger" | "requester" | "key",
    code: "forbidden" | "not_found" | "insufficient_scope",
  ])[] = [
    ["viewer", "forbidden"],
    ["stranger", "not_found"],
    ["requester", "forbidden"],
    ["key", "insufficient_scope"],
  ];
  for (const [who, code] of cases)
    for (const verb of ["approve", "deny"] as const)
      test(`${who} may not ${verb}`, async () => {
        const { team, of, owner } = await marked();
        const requestId = await ask(of(team.member), "read");
        const tokens = { viewer: team.viewer.token, stranger: (await signUp(running.url)).token, requester: team.member.token };
        const headers =
          who === "key" ? { "x-api-key": await keyOf(running.url, owner, { scopes: ["secrets:write"], teamId: team.id }) } : {};
        const answer = await request(running.url, `/v1/secrets/requests/${requestId}/${verb}`, {
          method: "POST",
          headers,
          ...(who === "key" ? {} : { token: tokens[who] }),
        });
        expectProblem(answer, code);
        expectProblem(await of(team.member).read("a"), "approval_required");
      });

  test("a denied request gives nothing, and none is decided twice", async () => {
    const { team, of, owner, id } = await marked();
    const requestId = await ask(of(team.member), "read");
    expect((await decide(owner, requestId, "deny")).body.request.status).toBe("denied");
    await eventsAbout(running.url, team.member.token, id, "secret.approval_denied");
    expectProblem(await of(team.member).read("a"), "approval_required");
    expectProblem(await decide(owner, requestId, "approve"), "conflict");
    const second = await ask(of(team.member), "read");
    const both = await Promise.all([decide(owner, second, "approve"), decide(owner, second, "deny")]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  });

  test("who has left the team has nothing of an approval", async () => {
    const { team, of, owner } = await marked();
    await decide(owner, await ask(of(team.member), "read"), "approve");
    await database.sql`delete from team_members where user_id = ${team.member.id}`;
    expectProblem(await of(team.member).read("a"), "not_found");
  });
});

describe("asking", () => {
  test("is refused where it makes no sense", async () => {
    const { team, of, owner } = await marked();
    await ask(of(team.member), "read");
    expectProblem(await of(team.member).act("a", "requests", { action: "read", reason: "again" }), "conflict");
    await ask(of(owner), "read");
    expectProblem(await of(team.viewer).act("a", "requests", { action: "write", reason: "x" }), "forbidden");
    await ask(of(team.viewer), "read");
    expectProblem(await of(team.member).act("b", "requests", { action: "read", reason: "x" }), "not_found");
    for (const body of [{ action: "read" }, { action: "read", reason: " " }, { action: "look", reason: "x" }])
      expectProblem(await of(team.member).act("a", "requests", body), "validation_failed");
    const { name } = (await secretsOf(running.url, owner).create({ name: "open", value: "v" })).body.secret;
    expectProblem(await secretsOf(running.url, owner).act(name, "requests", { action: "read", reason: "x" }), "conflict");
    const { data } = (await of(team.viewer).send("GET", "/a/requests")).body;
    expect(data.map(({ requestedBy }: { requestedBy: string }) => requestedBy)).toEqual([team.viewer.id, owner.id, team.member.id]);
  });

  test("ends when nobody decides, or nobody uses it, in time", async () => {
    const { team, of, owner, id } = await marked();
    const [pending, approved] = [await ask(of(team.member), "write"), await ask(of(team.member), "read", { windowSeconds: 60 })];
    const { body } = await decide(owner, approved, "approve");
    expect(Date.parse(body.request.expiresAt) - Date.now()).toBeWithin(50_000, 60_001);
    await database.sql`update secret_requests set expires_at = now() where secret_id = ${id}`;
    expectProblem(await of(team.member).read("a"), "approval_required");
    expectProblem(await decide(owner, pending, "approve"), "conflict");
    const chores = openSecretChores({ db: database.db, transact: createTransact({ db: database.db, now, wake: () => undefined }), now });
    for (const { run } of [...chores, ...chores]) await run();
    const events = await eventsAbout(running.url, team.member.token, id, "secret.approval_expired", 2);
    expect(events.map((event: { data: { requestId: string } }) => event.data.requestId).toSorted()).toEqual([pending, approved].toSorted());
    await ask(of(team.member), "read");
  });
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how references are written
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { eventsAbout, keyOf, makeTeam, secretsOf } from "./secrets.ts";

const running = sharedCopy("postgres", adminSettings);
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());
const join = async (team: string, user: string, role: string) => {
  await database`insert into team_members (team_id, user_id, role) values (${team}, ${user}, ${role})`;
};

/** Every verb, and what it answers to somebody who may read, or only write, or nothing. */
const verbs: readonly (readonly [method: string, path: string, body?: object])[] = [
  ["GET", "/a"],
  ["GET", "/a/versions"],
  ["GET", "/a/shares"],
  ["GET", "/a/requests"],
  ["PUT", "/a", { value: "changed" }],
  ["PATCH", "/a", { labels: {} }],
  ["POST", "/a/share", {}],
  ["POST", "/a/rollback", { version: 1 }],
  ["POST", "/a/destroy", { versions: [1] }],
  ["POST", "/a/undelete"],
  ["DELETE", "/a"],
];

test("nobody sees another user's secrets, administrators no more than others", async () => {
  const [owner, stranger] = [await signUp(running.url), await signUp(running.url)];
  await secretsOf(running.url, owner).create({ name: "a", value: "kept" });
  for (const token of [stranger.token, await adminToken(running.url)])
    for (const whose of ["", `teamId=${owner.id}`])
      for (const [method, path, body] of verbs) {
        const { status } = await secretsOf(running.url, { token }, whose).send(method, path, body);
        expect([method, path, whose, status]).toEqual([method, path, whose, 404]);
      }
  expect((await secretsOf(running.url, owner).read("a")).body).toMatchObject({ value: "kept", secret: { currentVersion: 1 } });
});

describe("a team's", () => {
  const may: readonly (readonly [who: "owner" | "member" | "viewer" | "stranger" | "admin", reads: number, writes: number])[] = [
    ["owner", 200, 200],
    ["member", 200, 200],
    ["viewer", 200, 403],
    ["stranger", 404, 404],
    ["admin", 200, 200],
  ];
  for (const [who, reads, writes] of may)
    test(`${who}: reads ${reads}, writes ${writes}`, async () => {
      const owner = await signUp(running.url);
      const team = await makeTeam(running.url, owner, join);
      const tokens = {
        owner: owner.token,
        member: team.member.token,
        viewer: team.viewer.token,
        stranger: (await signUp(running.url)).token,
        admin: await adminToken(running.url),
      };
      const made = await secretsOf(running.url, owner).create({ name: "a", value: "kept", teamId: team.id });
      expect(made.body.secret).toMatchObject({ scope: "team", teamId: team.id });
      const theirs = secretsOf(running.url, { token: tokens[who] }, `teamId=${team.id}`);
      for (const [method, path, body] of verbs) {
        const { status } = await theirs.send(method, path, body);
        const expected = method === "GET" ? reads : writes;
        const done = path.endsWith("/share") ? 201 : method === "DELETE" ? 204 : 200;
        expect([method, path, status]).toEqual([method, path, expected === 200 ? done : expected]);
      }
      expect((await secretsOf(running.url, { token: tokens[who] }).create({ name: "b", value: "v", teamId: team.id })).status).toBe(
        writes === 200 ? 201 : writes,
      );
    });

  test("its events are for its members, and no longer for who has left", async () => {
    const owner = await signUp(running.url);
    const team = await makeTeam(running.url, owner, join);
    const { id } = (await secretsOf(running.url, owner).create({ name: "a", value: "kept", teamId: team.id })).body.secret;
    expect((await secretsOf(running.url, team.viewer, `teamId=${team.id}`).read("a")).body.value).toBe("kept");
    const [event] = await eventsAbout(running.url, team.member.token, id, "secret.read");
    expect(event.data).toEqual({ name: "a", version: 1, as: "value" });
    await request(running.url, `/v1/teams/${team.id}/members/${team.viewer.id}`, { method: "DELETE", token: owner.token });
    expectProblem(await secretsOf(running.url, team.viewer, `teamId=${team.id}`).read("a"), "not_found");
  });

  test("names of a user's and a team's secrets do not meet", async () => {
    const owner = await signUp(running.url);
    const team = await makeTeam(running.url, owner, join);
    const [mine, ours] = [secretsOf(running.url, owner), secretsOf(running.url, owner, `teamId=${team.id}`)];
    await mine.create({ name: "a", value: "mine" });
    await mine.create({ name: "a", value: "ours", teamId: team.id });
    expect([(await mine.read("a")).body.value, (await ours.read("a")).body.value]).toEqual(["mine", "ours"]);
    expectProblem(await mine.create({ name: "b", value: "${secret:a} ${secret:c}" }), "invalid_reference");
  });

  test("secrets of a team that is no more are forgotten", async () => {
    const owner = await signUp(running.url);
    const team = await makeTeam(running.url, owner, join);
    const { id } = (await secretsOf(running.url, owner).create({ name: "a", value: "ours", teamId: team.id })).body.secret;
    const { createSecretStore } = await import("../../app/services/secrets/store.ts");
    const { openDatabase } = await import("../../db/client.ts");
    const client = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 1, applicationName: "test orphans" });
    const { deleteOrphaned } = createSecretStore(client.db);
    const left = async () => (await database`select id from secrets where id = ${id}`).length;
    await deleteOrphaned();
    expect(await left()).toBe(1);
    await request(running.url, `/v1/teams/${team.id}`, { method: "DELETE", token: owner.token });
    await deleteOrphaned();
    expect(await left()).toBe(0);
    await client.close();
  });
});

test("the system's are for administrators", async () => {
  const user = await signUp(running.url);
  const token = await adminToken(running.url);
  const [admins, theirs] = [secretsOf(running.url, { token }, "scope=system"), secretsOf(running.url, user, "scope=system")];
  const { id } = (await secretsOf(running.url, { token }).create({ name: "smtp", value: "kept", scope: "system" })).body.secret;
  expect((await admins.read("smtp")).body).toMatchObject({ value: "kept", secret: { scope: "system" } });
  for (const [method, path, body] of verbs) expectProblem(await theirs.send(method, path.replace("/a", "/smtp"), body), "forbidden");
  expectProblem(await theirs.list(), "forbidden");
  await eventsAbout(running.url, token, id, "secret.read");
  const { body } = await request(running.url, "/v1/events?pattern=secret.*&limit=200", { token: user.token });
  expect(body.data.filter(({ subject }: { subject: string }) => subject === id)).toEqual([]);
});

describe("API keys", () => {
  const cases: readonly (readonly [scopes: readonly string[], reads: number, writes: number])[] = [
    [["secrets:read"], 200, 403],
    [["secrets:write"], 200, 200],
    [["tasks:write"], 403, 403],
    [["admin"], 403, 403],
  ];
  for (const [scopes, reads, writes] of cases)
    test(`${scopes}: reads ${reads}, writes ${writes}`, async () => {
      const user = await signUp(running.url);
      await secretsOf(running.url, user).create({ name: "a", value: "kept" });
      const answer = await request(running.url, "/v1/api-keys", { token: user.token, body: { name: "robot", scopes } });
      if (scopes.includes("admin")) return expect(answer.status).toBeGreaterThanOrEqual(400);
      const by = secretsOf(running.url, { key: answer.body.key });
      expect([(await by.read("a")).status, (await by.put("a", { value: "v" })).status]).toEqual([reads, writes]);
      expect((await by.act("a", "share", {})).status).toBe(writes === 200 ? 201 : writes);
    });

  test("a team's key is about its team, whatever it asks for", async () => {
    const owner: SignedInUser = await signUp(running.url);
    const team = await makeTeam(running.url, owner, join);
    const other = await makeTeam(running.url, owner, join);
    await secretsOf(running.url, owner).create({ name: "a", value: "mine" });
    await secretsOf(running.url, owner).create({ name: "a", value: "ours", teamId: team.id });
    await secretsOf(running.url, owner).create({ name: "a", value: "theirs", teamId: other.id });
    const key = await keyOf(running.url, owner, { scopes: ["secrets:write"], teamId: team.id });
    expect((await secretsOf(running.url, { key }).read("a")).body.value).toBe("ours");
    expect((await secretsOf(running.url, { key }, `teamId=${team.id}`).read("a")).body.value).toBe("ours");
    expectProblem(await secretsOf(running.url, { key }, `teamId=${other.id}`).read("a"), "not_found");
    expectProblem(await secretsOf(running.url, { key }, "scope=system").read("a"), "not_found");
    expect((await secretsOf(running.url, { key }).create({ name: "b", value: "v" })).body.secret.teamId).toBe(team.id);
  });
});

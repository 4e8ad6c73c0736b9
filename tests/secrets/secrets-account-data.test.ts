import { afterAll, beforeAll, expect, test } from "bun:test";
import { secretAccountData } from "../../app/services/secrets/account-data.ts";
import { createSecretStore } from "../../app/services/secrets/store.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { request, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { secretsOf } from "./secrets.ts";

const running = sharedCopy();
let database: DatabaseClient;
beforeAll(() => {
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 2, applicationName: "test account data" });
});
afterAll(() => database.close());

test("a copy of somebody's data names their secrets, and no value", async () => {
  const user = await signUp(running.url);
  const mine = secretsOf(running.url, user);
  await mine.create({ name: "a", value: "hidden", labels: { env: "test" } });
  await mine.create({ name: "b", value: { password: "hidden" } });
  const given = await secretAccountData(createSecretStore(database.db)).export(user.id);
  expect(given).toMatchObject([{ name: "b" }, { name: "a", labels: { env: "test" }, currentVersion: 1 }]);
  expect(JSON.stringify(given)).not.toContain("hidden");
});

test("with an account its secrets go, with all versions, links and requests; a team's stay", async () => {
  const user = await signUp(running.url);
  const mine = secretsOf(running.url, user);
  const { id } = (await mine.create({ name: "a", value: "1" })).body.secret;
  await mine.put("a", { value: "2" });
  await mine.act("a", "share", {});
  await mine.patch("a", { approval: { required: true } });
  await mine.act("a", "requests", { action: "read", reason: "x" });
  const other = await signUp(running.url);
  const team = (await request(running.url, "/v1/teams", { token: other.token, body: { name: "Crew" } })).body.team.id;
  await database.sql`insert into team_members (team_id, user_id, role) values (${team}, ${user.id}, 'member')`;
  await mine.create({ name: "a", value: "ours", teamId: team });

  const { status } = await request(running.url, "/v1/me", { method: "DELETE", token: user.token });
  expect(status).toBeLessThan(300);
  await until("they are gone", async () => {
    const [row] = await database.sql<{ left: number }[]>`select (select count(*) from secrets where id = ${id})
      + (select count(*) from secret_versions where secret_id = ${id}) + (select count(*) from secret_shares where secret_id = ${id})
      + (select count(*) from secret_requests where secret_id = ${id}) as left`;
    return Number(row?.left) === 0;
  });
  expect((await secretsOf(running.url, other, `teamId=${team}`).read("a")).body.value).toBe("ours");
});

import { expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request, signUp } from "../client.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { testPostgres } from "../services.ts";
import { until } from "../until.ts";
import { secretsOf } from "./secrets.ts";

/** A server that is killed under way answers nothing; what it had answered counts. */
const answered = (sent: Promise<Answer>): Promise<Answer | undefined> => sent.catch(() => undefined);

const atOnce = 6;

for (const acksBeforeTheEnd of [40, 90, 160])
  test(`killed after ${acksBeforeTheEnd} answers, everything that was answered is there, and nothing is half done`, async () => {
    await using folder = await temporaryDataFolder();
    await using opening = new AsyncDisposableStack();
    const databaseUrl = await testPostgres();
    const server = await runServer({
      DATABASE_URL: databaseUrl,
      KEELSON_DATA_DIR: folder.path,
      LOG_LEVEL: "warn",
      KEELSON_LOGIN_LIMIT_PER_MINUTE: "100000",
      KEELSON_ROLES: "api,bus",
    });
    opening.defer(async () => {
      server.signal("SIGKILL");
      await server.exited;
    });
    await whenReady(server);
    const database = postgres(databaseUrl, { max: 1 });
    opening.defer(() => database.end());

    const [owner, second] = [await signUp(server.url), await signUp(server.url)];
    const team: string = (await request(server.url, "/v1/teams", { token: owner.token, body: { name: "Crew" } })).body.team.id;
    await database`insert into team_members (team_id, user_id, role) values (${team}, ${second.id}, 'member')`;
    const ours = secretsOf(server.url, owner, `teamId=${team}`);
    const acked = { versions: new Map<string, number[]>(), reads: 0, redeemed: 0 };
    let acks = 0;
    let killed = false;
    const note = (answer: Answer | undefined, status: number): answer is Answer => {
      if (answer?.status !== status) return false;
      acks += 1;
      return true;
    };

    const work = async (index: number) => {
      const [plain, guarded] = [`plain-${index}`, `guarded-${index}`];
      acked.versions.set(plain, [1]);
      await answered(secretsOf(server.url, owner).create({ name: plain, value: "1", teamId: team, maxVersions: 3 }));
      await answered(secretsOf(server.url, owner).create({ name: guarded, value: "1", teamId: team, approval: { required: true } }));
      while (!killed) {
        const put = await answered(ours.put(plain, { value: randomToken(40) }));
        if (note(put, 200)) acked.versions.get(plain)?.push(put.body.secret.version);
        const link = await answered(ours.act(plain, "share", {}));
        if (note(link, 201)) {
          const redeemed = await answered(request(server.url, "/v1/secrets/shared/redeem", { body: { token: link.body.token } }));
          if (note(redeemed, 200)) acked.redeemed += 1;
        }
        const asked = await answered(ours.act(guarded, "requests", { action: "read", reason: "x" }));
        if (asked?.status === 201) {
          const path = `/v1/secrets/requests/${asked.body.request.id}/approve`;
          note(await answered(request(server.url, path, { method: "POST", token: second.token })), 200);
          if (note(await answered(ours.read(guarded)), 200)) acked.reads += 1;
        }
      }
    };
    const working = Promise.all(Array.from({ length: atOnce }, (_, index) => work(index)));
    await until("enough was answered", () => acks >= acksBeforeTheEnd, 30_000);
    server.signal("SIGKILL");
    await server.exited;
    killed = true;
    await working;

    for (const [name, versions] of acked.versions) {
      const rows = await database<{ version: number; state: string }[]>`
        select v.version, v.state from secret_versions v join secrets s on s.id = v.secret_id where s.tenant = ${team} and s.name = ${name} order by 1`;
      expect(rows.map(({ version }) => version)).toEqual(Array.from(rows, (_, index) => index + 1));
      expect(versions.filter((version) => version > rows.length)).toEqual([]);
      expect(rows.filter(({ state }) => state === "live").map(({ version }) => version)).toEqual(
        rows.slice(-3).map(({ version }) => version),
      );
    }
    const [counted] = await database<Record<string, number>[]>`select
      (select count(*) from secrets s where current_version <> (select max(version) from secret_versions where secret_id = s.id))::int as torn,
      (select count(*) from secret_versions v where v.version > 1)::int as updates,
      (select count(*) from audit_log where action = 'secret.updated')::int as updates_told,
      (select count(*) from secret_shares where redeemed_at is not null and sealed is null)::int as redeemed,
      (select count(*) from secret_shares where redeemed_at is not null and sealed is not null)::int as half_redeemed,
      (select count(*) from audit_log where action = 'secret.share_redeemed')::int as redemptions_told,
      (select count(*) from secret_requests where status = 'used')::int as used,
      (select count(*) from audit_log where action = 'secret.approval_used')::int as uses_told,
      (select count(*) from audit_log a join secrets s on s.id = a.subject where action = 'secret.read' and outcome = 'success' and s.approval_required)::int as guarded_reads`;
    expect(counted).toMatchObject({ torn: 0, half_redeemed: 0 });
    expect(counted?.updates_told).toBe(counted?.updates ?? -1);
    expect(counted?.redemptions_told).toBe(counted?.redeemed ?? -1);
    expect([counted?.uses_told, counted?.guarded_reads]).toEqual([counted?.used, counted?.used]);
    expect(counted?.redeemed).toBeWithin(acked.redeemed, acked.redeemed + atOnce + 1);
    expect(counted?.used).toBeWithin(acked.reads, acked.reads + atOnce + 1);
    expect(acked.reads + acked.redeemed).toBeGreaterThan(10);
  }, 90_000);

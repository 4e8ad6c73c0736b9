import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { createLockout } from "../../app/services/auth/passwords/lockout.ts";
import { createPasswordStore } from "../../app/services/auth/passwords/store.ts";
import { openDatabase } from "../../db/client.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const running = sharedCopy("postgres", { KEELSON_TRUST_PROXY: "true" });
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 2 });
});
afterAll(() => database.end());

let addresses = 0;
const freshAddress = () => `203.0.${Math.floor(++addresses / 250)}.${(addresses % 250) + 1}`;
const freshEmail = () => `${randomToken(9)}@example.com`;
const from = (address: string) => ({ "x-forwarded-for": address });
const home = "127.0.0.1";
const login = (address: string, email: string, password = "wrong"): Promise<Answer> =>
  request(running.url, "/v1/auth/login", { body: { email, password }, headers: from(address) });
const enter = (address: string, { email, password }: SignedInUser) => login(address, email, password);

async function fail(times: number, address: string, email: string): Promise<void> {
  for (let n = 0; n < times; n += 1) expectProblem(await login(address, email), "invalid_credentials");
}

function waitOf(answer: Answer): number {
  expectProblem(answer, "rate_limited");
  return Number(answer.headers.get("retry-after"));
}

/** As if the blocks had just ended. */
const waitOut = (address: string) =>
  database`update login_failures set blocked_until = now() - interval '1 second' where key like ${`% ${address}`}`;
/** Blocks that have just begun last long enough for a slow machine to look at them. */
const prolong = () => database`update login_failures set blocked_until = now() + interval '10 minutes' where blocked_until is not null`;
/** The blocks that the last failures from the address began, in seconds; null for none. */
const blocksAt = async (address: string): Promise<readonly (number | null)[]> => {
  const rows = await database`
    select extract(epoch from blocked_until - last_failed_at)::int as seconds from login_failures
    where key like ${`% ${address}`} order by key like 'network%'`;
  return rows.map(({ seconds }) => seconds);
};
const setFailures = (address: string, failures: number) =>
  database`update login_failures set failures = ${failures}, blocked_until = null where key like ${`% ${address}`}`;
const failuresAt = async (address: string): Promise<readonly { readonly key: string; readonly failures: number }[]> =>
  database`select key, failures from login_failures where key like ${`% ${address}`} order by key`;

describe("per account and network", () => {
  test.each(["an account", "no account"])("five failures are free, the sixth makes the next wait: %s", async (which) => {
    const user = await signUp(running.url);
    const [address, email] = [freshAddress(), which === "an account" ? user.email : freshEmail()];
    await fail(5, address, email);
    expect(await blocksAt(address)).toEqual([null, null]);
    await fail(1, address, email);
    expect(await blocksAt(address)).toEqual([1, null]);
    await prolong();
    for (const spelling of [email, email.toUpperCase()]) expect(waitOf(await login(address, spelling))).toBeGreaterThan(500);
  });

  test("the wait doubles up to a quarter of an hour, the same for an account and for none", async () => {
    const user = await signUp(running.url);
    for (const email of [user.email, freshEmail()]) {
      const address = freshAddress();
      await fail(5, address, email);
      for (let n = 0; n < 12; n += 1) {
        await fail(1, address, email);
        const seconds = Math.min(900, 2 ** n);
        expect(await blocksAt(address)).toEqual([seconds, null]);
        // Short ones may be over by the time this asks.
        if (seconds >= 64) {
          const wait = waitOf(await login(address, email));
          expect(wait).toBeLessThanOrEqual(seconds);
          expect(wait).toBeGreaterThan(seconds - 30);
        }
        await waitOut(address);
        // Only the counter of account and network is looked at here.
        await database`delete from login_failures where key not like ${`% ${address}`}`;
      }
    }
  });

  test("while it lasts the right password is refused too, with the same words; then it opens and the count begins anew", async () => {
    const user = await signUp(running.url);
    const address = freshAddress();
    await fail(5, address, user.email);
    await setFailures(address, 12);
    await fail(1, address, user.email);
    const [wrong, right] = [await login(address, user.email), await enter(address, user)];
    expectProblem(right, "rate_limited");
    expect({ ...right.body, instance: "" }).toEqual({ ...wrong.body, instance: "" });
    await waitOut(address);
    expect((await enter(address, user)).status).toBe(200);
    expect((await failuresAt(address)).map(({ key }) => key)).toEqual([`network ${address}`]);
    await fail(5, address, user.email);
    expect((await enter(address, user)).status).toBe(200);
  });

  test("what is refused while waiting is not counted, and other networks and accounts go on", async () => {
    const [user, other] = [await signUp(running.url), await signUp(running.url)];
    const address = freshAddress();
    await fail(5, address, user.email);
    await setFailures(address, 20);
    await fail(1, address, user.email);
    const before = await failuresAt(address);
    for (let n = 0; n < 5; n += 1) waitOf(await login(address, user.email));
    expect(await failuresAt(address)).toEqual(before);
    expect((await enter(address, other)).status).toBe(200);
    expect((await enter(freshAddress(), user)).status).toBe(200);
  });

  test("failures at once are all counted", async () => {
    const [address, email] = [freshAddress(), freshEmail()];
    await Promise.all(Array.from({ length: 5 }, () => login(address, email)));
    expect((await failuresAt(address)).map(({ failures }) => failures)).toEqual([5, 5]);
  });

  test("of tries at once no more learn something than one by one", async () => {
    const user = await signUp(running.url);
    const address = freshAddress();
    await fail(1, address, user.email);
    await setFailures(address, 12);
    const answers = await Promise.all(Array.from({ length: 20 }, () => login(address, user.email)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(19);
    expect((await failuresAt(address)).find(({ key }) => !key.startsWith("network"))?.failures).toBe(13);
  });

  test("a day without a failure is forgotten", async () => {
    const [address, email] = [freshAddress(), freshEmail()];
    await fail(5, address, email);
    await database`update login_failures set last_failed_at = now() - interval '86401 seconds' where key like ${`% ${address}`}`;
    await fail(5, address, email);
    expect(await blocksAt(address)).toEqual([null, null]);
  });

  test("an IPv6 subscriber's /64 is one network", async () => {
    const email = freshEmail();
    for (let n = 1; n <= 6; n += 1) await fail(1, `2001:db8:9:9::${n}`, email);
    await prolong();
    waitOf(await login("2001:db8:9:9:a:b:c:d", email));
    await fail(1, "2001:db8:9:8::1", email);
  });
});

describe("per network", () => {
  test("after a hundred failures on whatever accounts all new ones from there wait, and others do not", async () => {
    const [user, familiar] = [await signUp(running.url), await signUp(running.url)];
    const address = freshAddress();
    expect((await enter(address, familiar)).status).toBe(200);
    await fail(1, address, freshEmail());
    await database`update login_failures set failures = 99 where key = ${`network ${address}`}`;
    await fail(1, address, freshEmail());
    await database`update login_failures set failures = 110 where key = ${`network ${address}`}`;
    await fail(1, address, freshEmail());
    for (const email of [freshEmail(), user.email]) expect(waitOf(await login(address, email))).toBeGreaterThan(890);
    expectProblem(await enter(address, user), "rate_limited");
    expect((await enter(freshAddress(), user)).status).toBe(200);
    // Whoever has logged in from there lately is not locked out by the neighbours.
    expect((await enter(address, familiar)).status).toBe(200);
  });
});

describe("per account", () => {
  test("twenty failures from anywhere make strangers wait for up to a minute; its owner's network does not", async () => {
    const user = await signUp(running.url);
    for (let n = 0; n < 21; n += 1) await fail(1, freshAddress(), user.email);
    await prolong();
    waitOf(await enter(freshAddress(), user));
    await database`update login_failures set failures = 1000, blocked_until = null where failures = 21`;
    await fail(1, freshAddress(), user.email);
    const wait = waitOf(await enter(freshAddress(), user));
    expect(wait).toBeGreaterThan(50);
    expect(wait).toBeLessThanOrEqual(60);
    expect((await enter(home, user)).status).toBe(200);
    await database`update sessions set created_at = now() - interval '31 days' where active_user_id = ${user.id}`;
    expectProblem(await enter(home, user), "rate_limited");
  });

  test("an account that does not exist waits the same", async () => {
    const email = freshEmail();
    for (let n = 0; n < 21; n += 1) await fail(1, freshAddress(), email);
    await prolong();
    waitOf(await login(freshAddress(), email));
  });
});

describe("every way to try a password", () => {
  const ways: readonly (readonly [string, (user: SignedInUser, victim: SignedInUser, password: string) => Promise<Answer>])[] = [
    [
      "POST /v1/auth/session/users",
      ({ token }, { email }, password) => request(running.url, "/v1/auth/session/users", { token, body: { email, password } }),
    ],
    [
      "POST /v1/auth/password/change",
      (_, { token }, currentPassword) =>
        request(running.url, "/v1/auth/password/change", { token, body: { currentPassword, newPassword: "quartz vexing sphinx" } }),
    ],
  ];

  test.each(ways)("%s counts, and waits", async (_, attempt) => {
    const [user, victim] = [await signUp(running.url), await signUp(running.url)];
    for (let n = 0; n < 6; n += 1) expectProblem(await attempt(user, victim, "wrong"), "invalid_credentials");
    await prolong();
    waitOf(await attempt(user, victim, victim.password));
    waitOf(await enter(home, victim));
  });
});

test("a block leaves a row in the audit log, with no address of a person in the counters", async () => {
  const user = await signUp(running.url);
  const address = freshAddress();
  await fail(6, address, user.email);
  const rows = await database`select subject, ip, data from audit_log where action = 'security.login_blocked' and ip = ${address}`;
  expect([...rows]).toEqual([{ subject: user.id, ip: address, data: { scope: "account_network", failures: 6 } }]);
  const keys = await database`select key from login_failures where key ilike '%example.com%'`;
  expect(keys).toHaveLength(0);
});

test("old counters go", async () => {
  const address = freshAddress();
  await fail(1, address, freshEmail());
  const opened = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 1, applicationName: "test" });
  const purge = (hours: number) =>
    createLockout({
      store: createPasswordStore(opened.db),
      sightings: async () => [],
      now: () => new Date(Date.now() + hours * 3_600_000),
    }).purge();
  await purge(24);
  expect(await failuresAt(address)).toHaveLength(2);
  expect(await purge(26)).toBeGreaterThanOrEqual(2);
  expect(await failuresAt(address)).toHaveLength(0);
  await opened.close();
});

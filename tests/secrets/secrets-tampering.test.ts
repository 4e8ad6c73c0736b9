// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how references are written
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { eventsAbout, secretsOf, unlikely } from "./secrets.ts";

const running = sharedCopy("postgres", adminSettings);
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

interface Planted {
  readonly user: SignedInUser;
  readonly id: string;
  readonly value: string;
}

async function plant(name: string, user?: SignedInUser): Promise<Planted> {
  const owner = user ?? (await signUp(running.url));
  const value = unlikely();
  const { body } = await secretsOf(running.url, owner).create({ name, value });
  return { user: owner, id: body.secret.id, value };
}

/** Refused, audited, told to administrators, and nothing of the value in the answer. */
async function expectTampered({ user, id, value }: Planted, name: string): Promise<void> {
  const answer = await secretsOf(running.url, user).read(name);
  expectProblem(answer, "secret_unreadable");
  expect(JSON.stringify(answer.body)).not.toContain(value);
  const admin = await adminToken(running.url);
  const [told] = await eventsAbout(running.url, admin, id, "security.secret_tampered");
  expect(told.data).toMatchObject({ tenant: user.id, name });
  const [read] = await eventsAbout(running.url, user.token, id, "secret.read");
  expect(read.data).toMatchObject({ name, as: "value", outcome: "failed" });
  const acts =
    await database`select action, outcome from audit_log where subject = ${id} and actor_id = ${user.id} and action <> 'secret.created' order by action`;
  expect(acts.map(({ action, outcome }) => [action, outcome])).toEqual([
    ["secret.read", "failed"],
    ["security.secret_tampered", "failed"],
  ]);
}

describe("one byte is another", () => {
  const parts = {
    format: 0,
    "key version": 4,
    "nonce of the data key": 5,
    "tag of the data key": 17,
    "wrapped data key": 33,
    nonce: 65,
    tag: 77,
    ciphertext: 93,
  } as const;
  for (const [part, place] of Object.entries(parts))
    test(part, async () => {
      const planted = await plant("a");
      await database`update secret_versions set kept = set_byte(kept, ${place}, get_byte(kept, ${place}) # 1) where secret_id = ${planted.id}`;
      await expectTampered(planted, "a");
    });

  test("any byte of a row, and none more or fewer", async () => {
    const { user, id, value } = await plant("a");
    const mine = secretsOf(running.url, user);
    const [row] = await database`select kept, length(kept)::int as length from secret_versions where secret_id = ${id}`;
    const alter = (kept: unknown) => database`update secret_versions set kept = ${kept as Uint8Array} where secret_id = ${id}`;
    for (let place = 0; place < row?.length; place += 1) {
      const altered = Buffer.from(row?.kept);
      altered[place] = (altered[place] ?? 0) ^ 0x80;
      await alter(altered);
      expect([place, (await mine.read("a")).body.code]).toEqual([place, "secret_unreadable"]);
    }
    for (const other of [
      Buffer.alloc(0),
      row?.kept.subarray(0, 20),
      row?.kept.subarray(0, -1),
      Buffer.concat([row?.kept, Buffer.from([0])]),
    ]) {
      await alter(other);
      expect((await mine.read("a")).body.code).toBe("secret_unreadable");
    }
    await alter(row?.kept);
    expect((await mine.read("a")).body.value).toBe(value);
  }, 30_000);
});

describe("a row in another's place", () => {
  test("of another name", async () => {
    const a = await plant("a");
    const b = await plant("b", a.user);
    await database`update secret_versions set kept = (select kept from secret_versions where secret_id = ${b.id}) where secret_id = ${a.id}`;
    await expectTampered(a, "a");
    expect(JSON.stringify((await secretsOf(running.url, a.user).read("a")).body)).not.toContain(b.value);
  });

  test("of another version", async () => {
    const a = await plant("a");
    await secretsOf(running.url, a.user).put("a", { value: "two" });
    await database`update secret_versions set kept = (select kept from secret_versions where secret_id = ${a.id} and version = 1) where secret_id = ${a.id} and version = 2`;
    expectProblem(await secretsOf(running.url, a.user).read("a"), "secret_unreadable");
    expect((await secretsOf(running.url, a.user).read("a", "?version=1")).body.value).toBe(a.value);
    expectProblem(await secretsOf(running.url, a.user).read("a", "?version=2"), "secret_unreadable");
  });

  test("of another owner", async () => {
    const [a, theirs] = [await plant("a"), await plant("a")];
    await database`update secret_versions set kept = (select kept from secret_versions where secret_id = ${theirs.id}) where secret_id = ${a.id}`;
    await expectTampered(a, "a");
    expect(JSON.stringify((await secretsOf(running.url, a.user).read("a")).body)).not.toContain(theirs.value);
  });

  test("a secret given to another owner, or another name", async () => {
    const [a, thief] = [await plant("a"), await signUp(running.url)];
    // What was opened a moment ago must not answer for it.
    expect((await secretsOf(running.url, a.user).read("a")).body.value).toBe(a.value);
    await database`update secrets set tenant = ${thief.id} where id = ${a.id}`;
    expectProblem(await secretsOf(running.url, thief).read("a"), "secret_unreadable");
    await database`update secrets set tenant = ${a.user.id}, name = 'b' where id = ${a.id}`;
    expectProblem(await secretsOf(running.url, a.user).read("b"), "secret_unreadable");
    await database`update secrets set name = 'a' where id = ${a.id}`;
    expect((await secretsOf(running.url, a.user).read("a")).body.value).toBe(a.value);
  });

  test("its versions given to another secret", async () => {
    const a = await plant("a");
    const b = await plant("b", a.user);
    await database`delete from secret_versions where secret_id = ${b.id}`;
    await database`update secret_versions set secret_id = ${b.id} where secret_id = ${a.id}`;
    expectProblem(await secretsOf(running.url, a.user).read("b"), "secret_unreadable");
  });
});

test("neither a value that was just read nor one that others refer to, or roll back to, is given out altered", async () => {
  const a = await plant("a");
  const mine = secretsOf(running.url, a.user);
  await mine.create({ name: "b", value: "is ${secret:a}" });
  expect([(await mine.read("a")).body.value, (await mine.read("b")).body.value]).toEqual([a.value, `is ${a.value}`]);
  await database`update secret_versions set kept = set_byte(kept, 93, get_byte(kept, 93) # 1) where secret_id = ${a.id}`;
  for (const answer of [
    await mine.read("a"),
    await mine.read("b"),
    await mine.act("b", "share", {}),
    await mine.act("a", "rollback", { version: 1 }),
  ]) {
    expectProblem(answer, "secret_unreadable");
    expect(JSON.stringify(answer.body)).not.toContain(a.value);
  }
  const events = await eventsAbout(running.url, await adminToken(running.url), a.id, "security.secret_tampered", 4);
  expect(events).toHaveLength(4);
});

import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { newId } from "../../app/platform/ids.ts";
import { formatKey, newSecret } from "../../app/services/auth/api-keys/key-format.ts";
import { request, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const admin = { KEELSON_ADMIN_EMAIL: "root@example.com", KEELSON_ADMIN_PASSWORD: "correct horse battery staple" };
const keysMax = 3;
const running = sharedCopy("postgres", { ...admin, KEELSON_API_KEYS_MAX: String(keysMax) });
const secret = "sklive0ldSystemSecret42";
let database: postgres.Sql;
let adminToken: string;
let hash: string;

beforeAll(async () => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  const body = { email: admin.KEELSON_ADMIN_EMAIL, password: admin.KEELSON_ADMIN_PASSWORD };
  adminToken = (await request(running.url, "/v1/auth/login", { body })).body.accessToken;
  hash = await Bun.password.hash(secret, { algorithm: "bcrypt", cost: 4 });
});
afterAll(() => database.end());

const importKey = (body: object, token = adminToken) => request(running.url, "/v1/api-keys/import", { token, body });
const withKey = (key: string) => request(running.url, "/v1/tasks", { headers: { "x-api-key": key } });
const keyOf = (userId: string) => ({ userId, name: "old", scopes: ["tasks:read"], hash });

test.each(["2a", "2b", "2y"])("a $%s$ hash: the key opens what its owner may see, and is the owner's to manage", async (version) => {
  const ada = await signUp(running.url);
  const imported = hash.replace("$2b$", `$${version}$`);
  const answer = await importKey({ ...keyOf(ada.id), hash: imported, rateLimit: 100, expiresAt: "2100-01-01T00:00:00Z" });
  expect([answer.status, answer.body.apiKey]).toMatchObject([
    201,
    { ownerId: ada.id, teamId: null, name: "old", scopes: ["tasks:read"], rateLimit: 100, expiresAt: "2100-01-01T00:00:00.000Z" },
  ]);
  expect(JSON.stringify(answer.body)).not.toContain(imported);
  const { id, start } = answer.body.apiKey;
  const key = formatKey({ keyId: id, secret });
  expect(key.startsWith(`${start}${secret}`)).toBe(true);
  expectProblem(await withKey(formatKey({ keyId: id, secret: newSecret() })), "invalid_token");
  for (let n = 0; n < 2; n += 1) expect((await withKey(key)).status).toBe(200);
  const [row] = await database`select secret_hash from api_keys where id = ${id}`;
  expect(row?.secret_hash).not.toStartWith("$2");
  expect((await request(running.url, `/v1/api-keys/${id}`, { method: "DELETE", token: ada.token })).status).toBe(204);
  expectProblem(await withKey(key), "invalid_token");
});

test("the act is audited as the administrator's, for its owner to see, without the hash", async () => {
  const ada = await signUp(running.url);
  const { body } = await importKey(keyOf(ada.id));
  const [act] = await database`select actor_id, data from audit_log where subject = ${body.apiKey.id}`;
  expect(act?.data).toEqual({ name: "old", scopes: ["tasks:read"], ownerId: ada.id });
  const [root] = await database`select id from users where email = ${admin.KEELSON_ADMIN_EMAIL}`;
  expect(act?.actor_id).toBe(root?.id);
});

test("an id of one's choice, once", async () => {
  const [ada, id] = [await signUp(running.url), newId("apiKey")];
  expect((await importKey({ ...keyOf(ada.id), id })).body.apiKey.id).toBe(id);
  expect((await withKey(formatKey({ keyId: id, secret }))).status).toBe(200);
  expectProblem(await importKey({ ...keyOf(ada.id), id }), "conflict");
  await request(running.url, `/v1/api-keys/${id}`, { method: "DELETE", token: ada.token });
  expectProblem(await importKey({ ...keyOf(ada.id), id }), "conflict");
});

test("many wrong secrets: 429, which tells when to try again", async () => {
  const ada = await signUp(running.url);
  const { id: keyId } = (await importKey(keyOf(ada.id))).body.apiKey;
  for (let n = 0; n < 10; n += 1) expectProblem(await withKey(formatKey({ keyId, secret: newSecret() })), "invalid_token");
  const refused = await withKey(formatKey({ keyId, secret: newSecret() }));
  expectProblem(refused, "rate_limited");
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
});

test(`an owner has at most ${keysMax} keys, imported ones too, also at once`, async () => {
  const ada = await signUp(running.url);
  const answers = await Promise.all(Array.from({ length: keysMax + 2 }, () => importKey(keyOf(ada.id))));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, 409, 409]);
});

test("who is no administrator: 403; the scope admin only for the keys of administrators", async () => {
  const ada = await signUp(running.url);
  expectProblem(await importKey(keyOf(ada.id), ada.token), "forbidden");
  expectProblem(await importKey({ ...keyOf(ada.id), scopes: ["admin"] }), "forbidden");
  expect((await request(running.url, "/v1/api-keys", { token: ada.token })).body.data).toEqual([]);
});

const broken = "$2b$10$GMbUPEr9CRdNk2HWSPjY/uJ2ylzBDRJGXEUjS6zcQFIfRSHpK.nYi";
test.each<readonly [string, object, readonly string[]]>([
  ["nobody", { userId: "usr_none" }, ["/userId"]],
  ["no hash", { hash: undefined }, ["/hash"]],
  ["a password", { hash: "hunter22hunter22" }, ["/hash"]],
  ["argon2id", { hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g" }, ["/hash"]],
  ["bcrypt of PHP before 5.3.7", { hash: broken.replace("2b", "2x") }, ["/hash"]],
  ["a cost of 3", { hash: broken.replace("$10$", "$03$") }, ["/hash"]],
  ["a cost of 31, which takes days", { hash: broken.replace("$10$", "$31$") }, ["/hash"]],
  ["a character less", { hash: broken.slice(0, -1) }, ["/hash"]],
  ["a character more", { hash: `${broken}a` }, ["/hash"]],
  ["a line break after it", { hash: `${broken}\n` }, ["/hash"]],
  ["a salt that is no base64", { hash: `${broken.slice(0, 28)}z${broken.slice(29)}` }, ["/hash"]],
  ["a digest that is no base64", { hash: `${broken.slice(0, -1)}z` }, ["/hash"]],
  ["another kind of id", { id: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e42" }, ["/id"]],
  ["an id in capitals", { id: "key_0199F0A8C7D87D1B9C5F2F6D4B7A1E42" }, ["/id"]],
  ["a secret", { secret: "x" }, ["/secret"]],
  ["a team", { teamId: "team_1" }, ["/teamId"]],
  ["the past", { expiresAt: "2020-01-01T00:00:00Z" }, ["/expiresAt"]],
])("%s: 400", async (_, more, pointers) => {
  const ada = await signUp(running.url);
  expect(pointersOf(await importKey({ ...keyOf(ada.id), ...more }))).toEqual([...pointers]);
});

import { beforeAll, describe, expect, test } from "bun:test";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const admin = { KEELSON_ADMIN_EMAIL: "root@example.com", KEELSON_ADMIN_PASSWORD: "correct horse battery staple" };
const running = sharedCopy("postgres", admin);
let ada: SignedInUser;
let bob: SignedInUser;
let adminToken: string;
let task: string;
let execution: string;

beforeAll(async () => {
  [ada, bob] = await Promise.all([signUp(running.url), signUp(running.url)]);
  const body = { email: admin.KEELSON_ADMIN_EMAIL, password: admin.KEELSON_ADMIN_PASSWORD };
  adminToken = (await request(running.url, "/v1/auth/login", { body })).body.accessToken;
  const accepted = await request(running.url, "/v1/sandbox/executions", { token: ada.token, body: { code: "'of ada'", wait: false } });
  task = accepted.body.taskId;
  execution = accepted.body.execution.id;
  const finished = async () => (await request(running.url, `/v1/tasks/${task}`, { token: ada.token })).body.task.status === "completed";
  await until("it has run", finished);
}, 30_000);

const get = (path: string, token: string) => request(running.url, path, { token });

describe("what belongs to somebody else does not exist", () => {
  const paths: readonly (readonly [string, () => string, string])[] = [
    ["a task", () => `/v1/tasks/${task}`, "/v1/tasks/tsk_0"],
    ["the stream of a task", () => `/v1/tasks/${task}/stream`, "/v1/tasks/tsk_0/stream"],
    ["an execution", () => `/v1/sandbox/executions/${execution}`, "/v1/sandbox/executions/exe_0"],
  ];
  test.each(paths)("%s: 404, exactly like one that was never there; its owner and administrators see it", async (_, path, missing) => {
    const others = await get(path(), bob.token);
    const none = await get(missing, bob.token);
    expectProblem(others, "not_found");
    expectProblem(none, "not_found");
    const shape = ({ body }: typeof others) => ({ ...body, instance: "", detail: body.detail.replace(/(tsk|exe)_\w+/, "") });
    expect(shape(others)).toEqual(shape(none));
    for (const token of [ada.token, adminToken]) expect((await get(path(), token)).status).toBe(200);
    expectProblem(await request(running.url, path()), "unauthenticated");
  });

  test.each(["/v1/tasks", "/v1/sandbox/executions"])("%s lists what is one's own; everything for an administrator", async (path) => {
    const idsFor = async (token: string) => (await get(path, token)).body.data.map(({ id }: { readonly id: string }) => id);
    const id = path === "/v1/tasks" ? task : execution;
    expect(await idsFor(ada.token)).toEqual([id]);
    expect(await idsFor(bob.token)).toEqual([]);
    expect(await idsFor(adminToken)).toContain(id);
  });

  test("somebody else's id as a cursor shows nothing of theirs", async () => {
    for (const path of [
      `/v1/tasks?cursor=${task}`,
      "/v1/tasks?cursor=tsk_z",
      `/v1/sandbox/executions?cursor=${execution}`,
      "/v1/sandbox/executions?cursor=zzz",
    ]) {
      expect((await get(path, bob.token)).body).toEqual({ data: [], nextCursor: null });
    }
  });

  test.each(["ownerId", "userId", "owner", "user_id"])("?%s= is not a way to ask for theirs", async (name) => {
    expect(pointersOf(await get(`/v1/tasks?${name}=${ada.id}`, bob.token))).toEqual([`query.${name}`]);
  });
});

describe("fields the caller may not set", () => {
  test.each<readonly [string, unknown]>([
    ["id", "exe_00000000000000000000000000000001"],
    ["ownerId", "usr_1"],
    ["owner_id", "usr_1"],
    ["userId", "usr_1"],
    ["status", "succeeded"],
    ["output", 42],
    ["taskId", "tsk_1"],
    ["role", "admin"],
    ["receipt", {}],
    ["createdAt", "2000-01-01T00:00:00Z"],
  ])("%s in an execution: 400, and nothing runs", async (field, value) => {
    const body = { code: "1", [field]: value };
    expect(pointersOf(await request(running.url, "/v1/sandbox/executions", { token: bob.token, body }))).toEqual([`/${field}`]);
    expect((await get("/v1/sandbox/executions", bob.token)).body.data).toEqual([]);
  });
});

test("pages are cut where asked, and together are everything once", async () => {
  const user = await signUp(running.url);
  const made: string[] = [];
  for (let n = 0; n < 7; n += 1) {
    made.unshift(
      (await request(running.url, "/v1/sandbox/executions", { token: user.token, body: { code: String(n) } })).body.execution.id,
    );
  }
  const seen: string[] = [];
  const sizes: number[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: { data: { id: string }[]; nextCursor: string | null } = (
      await get(`/v1/sandbox/executions?limit=3${cursor ? `&cursor=${cursor}` : ""}`, user.token)
    ).body;
    seen.push(...page.data.map(({ id }) => id));
    sizes.push(page.data.length);
    cursor = page.nextCursor;
  }
  expect(seen).toEqual(made);
  expect(sizes).toEqual([3, 3, 1]);
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { request, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const queue = "sandbox-execution";
const running = sharedCopy("postgres", adminSettings);
const call = async (path: string, options: Parameters<typeof request>[2] = {}) =>
  request(running.url, `/admin/queues${path}`, { token: await adminToken(running.url), ...options });
const listed = async (status: string) => {
  const { body } = await call(`/api/queues?activeQueue=${queue}&status=${status}&page=1&jobsPerPage=20`);
  return body.queues.find(({ name }: { name: string }) => name === queue);
};
const idsOf = ({ jobs }: { jobs: { id: string }[] }) => jobs.map(({ id }) => id);
const verb = (id: string, name: string) => call(`/api/queues/${queue}/${id}/${name}`, { method: "PUT" });

describe("who may see the board", () => {
  const paths = ["", `/queue/${queue}`, "/api/queues", `/api/queues/${queue}/tsk_1`];

  test.each(paths)("%p: nobody without a log-in, and no one but administrators", async (path) => {
    expectProblem(await request(running.url, `/admin/queues${path}`), "unauthenticated");
    const { token } = await signUp(running.url);
    expectProblem(await request(running.url, `/admin/queues${path}`, { token }), "forbidden");
  });

  test("a browser gets a form to sign in, with the same status", async () => {
    const headers = { accept: "text/html,application/xhtml+xml" };
    const page = await request(running.url, "/admin/queues", { headers });
    expect([page.status, page.body]).toEqual([401, expect.stringContaining("Sign in as an administrator")]);
    const { token } = await signUp(running.url);
    expect((await request(running.url, "/admin/queues", { headers, token })).status).toBe(403);
  });

  test("a page of another site has the browser change nothing", async () => {
    const login = await request(running.url, "/v1/auth/login", {
      body: { email: adminSettings.KEELSON_ADMIN_EMAIL, password: adminSettings.KEELSON_ADMIN_PASSWORD },
      headers: { "x-session-transport": "cookie" },
    });
    const cookie = login.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");
    const headers = { cookie, origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    const answer = await request(running.url, `/admin/queues/api/queues/${queue}/pause`, { method: "PUT", headers });
    expectProblem(answer, "cross_site_request");
    expect((await listed("latest")).isPaused).toBe(false);
  });
});

describe("what it shows and does", () => {
  test("tasks of all users by state, with their input, result, error and log", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    const [good, bad] = [await tasks.add("6 * 7"), await tasks.add("throw new Error('no')")];
    const later = await tasks.add("1", { delayMs: 3_600_000 });
    await until("two have ended", async () => ["completed"].includes(await tasks.status(good)) && (await tasks.status(bad)) === "failed");
    // Counts are kept for a second.
    await until("it counts them", async () => (await listed("latest")).counts.failed >= 1);
    const { counts, statuses, hasWorkers } = await listed("latest");
    expect({ counts, statuses, hasWorkers }).toMatchObject({
      counts: { completed: expect.any(Number), failed: 1, delayed: 1, active: 0 },
      statuses: ["latest", "active", "waiting", "delayed", "paused", "completed", "failed"],
      hasWorkers: true,
    });
    expect(idsOf(await listed("completed"))).toContain(good);
    expect(idsOf(await listed("failed"))).toEqual([bad]);
    expect(idsOf(await listed("delayed"))).toEqual([later]);
    expect(idsOf(await listed("latest")).slice(0, 3)).toEqual([later, bad, good]);

    const { body } = await call(`/api/queues/${queue}/${bad}`);
    expect(body).toMatchObject({
      status: "failed",
      job: { id: bad, data: { code: "throw new Error('no')" }, failedReason: expect.stringContaining("no"), attempts: 1 },
    });
    expect((await call(`/api/queues/${queue}/${good}`)).body.job.returnValue).toMatchObject({ output: 42 });
    expect((await call(`/api/queues/${queue}/${good}/logs`)).status).toBe(200);
    const farAway = await call(`/api/queues?activeQueue=${queue}&status=completed&page=999999999999999&jobsPerPage=300`);
    expect([farAway.status, farAway.body.queues.flatMap(({ jobs }: { jobs: unknown[] }) => jobs)]).toEqual([200, []]);
    expect((await call(`/api/queues/${queue}/tsk_nope`)).status).toBe(404);
    expect((await call(`/api/queues/email-send/${good}`)).status).toBe(404);
  }, 30_000);

  test("its buttons: retry, promote, remove, pause, resume, add", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    const bad = await tasks.add("throw new Error('again')");
    await until("it failed", async () => (await tasks.status(bad)) === "failed");
    expect((await verb(bad, "retry")).status).toBe(204);
    await until("it failed again", async () => (await tasks.get(bad)).status === "failed");

    const [later, never] = [await tasks.add("2", { delayMs: 3_600_000 }), await tasks.add("3", { delayMs: 3_600_000 })];
    expect((await verb(later, "promote")).status).toBe(204);
    await until("it ran", async () => (await tasks.status(later)) === "completed");
    expect((await verb(never, "clean")).status).toBe(204);
    expect(await tasks.status(never)).toBe("cancelled");

    expect((await call(`/api/queues/${queue}/pause`, { method: "PUT" })).status).toBe(200);
    const held = await tasks.add("4");
    expect((await listed("latest")).isPaused).toBe(true);
    expect(idsOf(await listed("waiting"))).toEqual([held]);
    expect((await call(`/api/queues/${queue}/resume`, { method: "PUT" })).status).toBe(200);
    await until("it ran", async () => (await tasks.status(held)) === "completed");

    const added = await call(`/api/queues/${queue}/add`, { body: { name: "sandbox.execute", data: { code: "5" }, options: {} } });
    expect(added.status).toBe(200);
    await until("it ran", async () => (await call(`/api/queues/${queue}/${added.body.job.id}`)).body.status === "completed");
  }, 30_000);

  test.each([
    ["POST", `/api/queues/${queue}/add`, { name: "x", data: { nonsense: 1 }, options: {} }, 400, "/input/code"],
    ["PUT", `/api/queues/${queue}/empty`, undefined, 409, "one by one"],
    ["PUT", `/api/queues/${queue}/clean/completed`, undefined, 409, "by its age"],
    ["PUT", "/api/queues/nope/pause", undefined, 404, "QUEUE_NOT_FOUND"],
  ] as const)("%s %s is refused with a reason", async (method, path, body, status, reason) => {
    const answer = await call(path, { method, ...(body ? { body } : {}) });
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toContain(reason);
  });
});

describe("in a browser", () => {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launchChromium();
  }, 180_000);
  afterAll(() => browser?.close());

  test("an administrator signs in and finds a failed task, and nothing is asked of any other host", async () => {
    if (!browser) return;
    const tasks = tasksOf(running.url, await signUp(running.url));
    const bad = await tasks.add("throw new Error('seen in the browser')");
    await until("it failed", async () => (await tasks.status(bad)) === "failed");
    const page = await browser.newPage();
    const strangers: string[] = [];
    page.on("request", (sent) => void (sent.url().startsWith(running.url) || sent.url().startsWith("data:") || strangers.push(sent.url())));
    await page.goto(`${running.url}/admin/queues/queue/${queue}?status=failed`);
    await signInAs(page, adminSettings.KEELSON_ADMIN_EMAIL, adminSettings.KEELSON_ADMIN_PASSWORD);
    await page.getByText("seen in the browser").first().waitFor();
    expect(strangers).toEqual([]);
    await page.close();
  }, 60_000);
});

async function signInAs(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readStream, request, type SignedInUser, signUp } from "../client.ts";
import { runServer, type ServerProcess, whenReady } from "../server-process.ts";
import { stopTestServices, testPostgres, testRedis } from "../services.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";

/**
 * Runs `dist/keelson` where nothing of the source tree can be reached: copied alone into an empty folder, started from another one, with an empty HOME.
 * First with nothing configured, then on a PostgreSQL and a Redis.
 */
const built = join(import.meta.dir, "..", "..", "dist", "keelson");
const place = await mkdtemp(join(tmpdir(), "keelson-smoke-"));
const program = join(place, "bin", "keelson");
const counts = { passed: 0, failed: 0, skipped: 0 };
/** What was started last, so that a step that fails leaves nothing behind. */
let server: ServerProcess | undefined;

try {
  await mkdir(join(place, "bin"));
  await mkdir(join(place, "home"));
  await copyFile(built, program);
  await commands();
  await embedded();
  await external();
} finally {
  server?.signal("SIGKILL");
  await server?.exited;
  await stopTestServices();
  await until("every process of the smoke test has ended", async () => (await processesHere()).length === 0, 20_000);
  await rm(place, { recursive: true, force: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed === 0 ? 0 : 1;

async function commands(): Promise<void> {
  const run = (command: string) =>
    Bun.$`${program} ${command}`
      .cwd(place)
      .env({ PATH: "/usr/bin:/bin", HOME: join(place, "home") })
      .quiet();
  await step("keelson --version", async () => expectThat(/^\d+\.\d+\.\d+/.test(await run("--version").text()), "it prints a version"));
  await step("keelson openapi", async () => expectThat((await run("openapi").json()).openapi.startsWith("3.1"), "it prints OpenAPI 3.1"));
}

async function embedded(): Promise<void> {
  const folder = join(place, "embedded");
  let user: SignedInUser | undefined;
  await step("embedded: the first start unpacks and initialises PostgreSQL", () => start(folder, {}));
  await step("embedded: sign-up", async () => {
    user = await signUp(url());
  });
  if (user) await useAll("embedded", user);
  await step("embedded: SIGTERM exits 0", stop);
  await step("embedded: the second start", () => start(folder, {}));
  await step("embedded: it has the data of the first", async () => {
    const { status } = await request(url(), "/v1/auth/login", { body: { email: user?.email, password: user?.password } });
    expectThat(status === 200, `the account can log in, got ${status}`);
  });
  await step("embedded: kill -9 leaves no PostgreSQL and no cell", async () => {
    server?.signal("SIGKILL");
    await server?.exited;
    await until("its children have ended", async () => (await processesHere()).length === 0, 20_000);
  });
  await step("embedded: starts again after kill -9", () => start(folder, {}));
  await step("embedded: doctor beside a running copy", async () => {
    const doctor = await Bun.$`${program} doctor`
      .cwd(folder)
      .env({ PATH: "/usr/bin:/bin", HOME: join(place, "home") })
      .quiet()
      .nothrow();
    expectThat(doctor.exitCode === 0, `doctor ended with ${doctor.exitCode}: ${doctor.stdout}${doctor.stderr}`);
  });
  await step("embedded: SIGTERM exits 0 again", stop);
}

async function external(): Promise<void> {
  const redis = await testRedis();
  if (redis === undefined) {
    counts.skipped += 1;
    console.log("skip  external: there is no Redis");
    return;
  }
  const folder = join(place, "external");
  const settings = {
    DATABASE_URL: await testPostgres(),
    REDIS_URL: redis,
    ...adminSettings,
    KEELSON_KEY_PREFIX: `smoke-${process.pid}`,
    KEELSON_PUBLIC_URL: "https://keelson.example.com",
    KEELSON_OAUTH_PROVIDERS: `[{"name":"github","preset":"github","clientId":"id","clientSecret":"secret"}]`,
  };
  let user: SignedInUser | undefined;
  await step("external: the first start migrates", () => start(folder, settings));
  await step("external: sign-up", async () => {
    user = await signUp(url());
  });
  if (user) await useAll("external", user);
  await step("external: log-in through a provider", async () => {
    const { status, headers } = await fetch(`${url()}/v1/auth/oauth/github`, { redirect: "manual" });
    expectThat(status === 302 && headers.get("location")?.startsWith("https://github.com/") === true, `it goes to GitHub, got ${status}`);
  });
  await step("external: the board of the queues with its files", async () => {
    const page = await request(url(), "/admin/queues", { token: await adminToken(url()) });
    const [, script = "none"] = /src="(static\/js\/main[^"]+)"/.exec(page.body) ?? [];
    for (const path of ["static/images/logo.svg", "static/locales/en-US/messages.json", script])
      expectThat((await request(url(), `/admin/queues/${path}`)).status === 200, `${path} is there`);
  });
  await step("external: SIGTERM exits 0", stop);
  await step("external: the second start", () => start(folder, settings));
  await step("external: no PostgreSQL of its own", async () => {
    expectThat(
      !(await readdir(join(folder, ".keelson"))).some((name) => /^(postgres|database)/.test(name)),
      "the data folder has secrets only",
    );
  });
  await step("external: SIGTERM exits 0 again", stop);
}

/** Bundled otherwise than what is loaded at the start, and one of them needs a polyfill that comes before it. */
async function usesLibraries(token: string): Promise<void> {
  const passkey = await request(url(), "/v1/auth/passkeys/register/options", { method: "POST", token });
  expectThat(passkey.status === 200 && passkey.body.options?.challenge?.length > 20, `passkey options: ${JSON.stringify(passkey.body)}`);
  const totp = await request(url(), "/v1/auth/mfa/totp", { method: "POST", token });
  expectThat(totp.status === 200 && totp.body.uri?.startsWith("otpauth://"), `an authenticator app's secret: ${JSON.stringify(totp.body)}`);
}

/** The main job and what may break it, over HTTP. */
async function useAll(name: string, { token }: SignedInUser): Promise<void> {
  const execute = async (body: object) => await request(url(), "/v1/sandbox/executions", { token, body });
  const adds = async () => {
    const { body } = await execute({ code: "input.a + input.b", input: { a: 1, b: 2 } });
    expectThat(body.execution?.status === "succeeded" && body.execution.output === 3, `1 + 2 is 3: ${JSON.stringify(body)}`);
  };
  await step(`${name}: libraries that are loaded when they are first needed`, () => usesLibraries(token));
  await step(`${name}: an execution that is waited for`, adds);
  const gives = async (program: object, output: unknown) => {
    const { body } = await execute(program);
    expectThat(Bun.deepEquals(body.execution?.output, output), `its output is ${JSON.stringify(output)}: ${JSON.stringify(body)}`);
  };
  await step(`${name}: TypeScript, whose stripper is in the file`, () => gives({ code: "const n: number = 2; n as number" }, 2));
  await step(`${name}: web APIs and special values`, () =>
    gives({ code: "new Map([[new URL('/b', 'http://a').href, 1n]])" }, { $map: [["http://a/b", { $bigint: "1" }]] }),
  );
  await step(`${name}: a capability, and debug mode`, async () => {
    const { body } = await execute({ code: "await kv.set('n', 1)\nawait kv.get('n')", capabilities: { kv: {} }, debug: true });
    expectThat(body.execution?.output === 1 && body.execution.debug.trace.lines.join() === "1,2", JSON.stringify(body));
  });
  await step(`${name}: an execution as a task, with its stream to the result`, async () => {
    const { status, body } = await execute({ code: "console.log('hello'); output = input * 2", input: 21, wait: false });
    expectThat(status === 202, `it is accepted, got ${status}`);
    const { events } = await readStream(url(), `/v1/tasks/${body.taskId}/stream`, { token });
    const last = events.at(-1);
    expectThat(
      last?.event === "result" && JSON.stringify(last.data).includes("42"),
      `the stream ends with the result: ${JSON.stringify(events)}`,
    );
  });
  for (const code of ["while (true) {}", "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)"]) {
    await step(`${name}: ${code}`, async () => {
      const { body } = await execute({ code, timeoutMs: 300 });
      expectThat(["timeout", "killed"].includes(body.execution?.status), `it is ended: ${JSON.stringify(body)}`);
      expectThat(body.execution.receipt.wallMs < 1_500, `in about its limit: ${body.execution.receipt.wallMs} ms`);
    });
    await step(`${name}: the next execution works`, adds);
  }
  await step(`${name}: /docs with its assets`, async () => {
    for (const path of ["/docs", "/docs/swagger-ui.js", "/docs/swagger-ui.css", "/openapi.json", "/metrics"]) {
      const { status } = await request(url(), path);
      expectThat(status === 200, `${path} answers 200, got ${status}`);
    }
  });
}

async function start(folder: string, settings: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(folder, { recursive: true });
  const begun = performance.now();
  const environment = { PATH: "/usr/bin:/bin", HOME: join(place, "home"), LOG_LEVEL: "warn" };
  server = await runServer({ ...environment, ...settings }, { program, cwd: folder });
  await whenReady(server);
  return `ready after ${(performance.now() - begun).toFixed(0)} ms`;
}

async function stop(): Promise<void> {
  server?.signal("SIGTERM");
  const code = await server?.exited;
  expectThat(code === 0, `it exits 0, got ${code}: ${server?.output()}`);
}

function url(): string {
  return server?.url ?? "";
}

/** One counted line; what `work` returns is a remark for it. */
async function step(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    const remark = await work();
    counts.passed += 1;
    console.log(`pass  ${name}${typeof remark === "string" ? ` (${remark})` : ""}`);
  } catch (error) {
    counts.failed += 1;
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected that ${what}`);
}

/** Whatever runs from our folder: the program, its cells, and the PostgreSQL it unpacked there. */
async function processesHere(): Promise<string[]> {
  const list = await Bun.$`ps -eo pid,stat,args`.text();
  return list.split("\n").filter((line) => line.includes(place) && !/^\s*\d+\s+Z/.test(line));
}

import { expect, test } from "bun:test";

test("a failed query is logged without its parameters, also as the cause of another error", async () => {
  const script = `
    import { DrizzleQueryError } from "drizzle-orm/errors";
    import { createLogger } from "./app/platform/logger.ts";
    const log = createLogger({ level: "info", part: "test" });
    const failed = new DrizzleQueryError("insert into users values ($1)", ["hunter2\\nhunter3"], new Error("connection lost"));
    log.error({ err: failed }, "direct");
    log.error({ err: new Error("wrapped", { cause: failed }), password: "x", user: { password: "hunter4" } }, "as cause");
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: new URL("../..", import.meta.url).pathname, stdout: "pipe" });
  const output = await child.stdout.text();
  expect(output).not.toContain("hunter");
  const [direct, asCause] = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(direct.err).toMatchObject({ query: "insert into users values ($1)", cause: { message: "connection lost" } });
  expect(asCause.err).toMatchObject({ message: "wrapped", cause: { query: "insert into users values ($1)" } });
});

import { describe, expect, test } from "bun:test";
import { boot } from "../../app/boot.ts";
import { readStream, request, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { emptyPostgres, testLogger } from "../services.ts";

describe.each(await substrates())("one copy answers, another works, on %s", (substrate) => {
  test("a program sent to the one is run by the other, waited for or streamed", async () => {
    await using api = await startTestCopy(substrate, { KEELSON_ROLES: "api" });
    expect(api.copy.threads.sandbox).toBeUndefined();
    const worker = await boot({ ...api.config, KEELSON_ROLES: ["queue", "sandbox"] }, testLogger("worker"));
    try {
      expect(worker.url).toBeUndefined();
      const { token } = await signUp(api.url);
      const waited = await request(api.url, "/v1/sandbox/executions", { token, body: { code: "input + 1", input: 41 } });
      expect([waited.status, waited.body.execution.output]).toEqual([200, 42]);
      const { body } = await request(api.url, "/v1/sandbox/executions", { token, body: { code: "'streamed'", wait: false } });
      const { events } = await readStream(api.url, `/v1/tasks/${body.taskId}/stream`, { token });
      expect(events.at(-1)).toMatchObject({ event: "result", data: { result: { execution: { output: "streamed" } } } });
    } finally {
      await worker.close();
    }
  }, 60_000);

  test("two copies that start together on an empty database both come up", async () => {
    const settings = { DATABASE_URL: await emptyPostgres(), KEELSON_ROLES: "api" };
    const copies = await Promise.all([startTestCopy(substrate, settings), startTestCopy(substrate, settings)]);
    for (const { url } of copies) expect((await request(url, "/readyz")).status).toBe(200);
    for (const copy of copies) await copy[Symbol.asyncDispose]();
  }, 60_000);
});

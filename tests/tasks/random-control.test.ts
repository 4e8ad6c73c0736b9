import { describe, expect, test } from "bun:test";
import { readStream, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { until } from "../until.ts";
import { tasksOf } from "./tasks.ts";

const verbs = ["cancel", "pause", "resume", "retry"] as const;
const programs = ["1", "throw new Error('no')", "for (let n = 0; n < 3e6; n += 1);", "for (;;);"];
const actsPerLane = 60;

describe.each(await substrates())("on %s", (substrate) => {
  test("whatever is asked of tasks, from two copies at once: each ends once in its record, and its history says how it came to that", async () => {
    const settings = { KEELSON_QUEUES: JSON.stringify({ "sandbox-execution": { attempts: 2, backoff: { pausesMs: [20] } } }) };
    await using one = await startTestCopy(substrate, settings);
    const { DATABASE_URL = "", KEELSON_KEY_PREFIX } = one.config;
    await using other = await startTestCopy(substrate, { ...settings, DATABASE_URL, KEELSON_KEY_PREFIX });
    const user = await signUp(one.url);
    const clients = [tasksOf(one.url, user), tasksOf(other.url, user)] as const;
    const [client] = clients;
    const ids = await Promise.all(
      Array.from({ length: 24 }, (_, n) => client.add(programs[n % programs.length] ?? "1", {}, { timeoutMs: 400 })),
    );
    const random = (count: number) => Math.floor(Math.random() * count);
    const answers = new Set<number>();
    const lane = async (lane: number) => {
      for (let act = 0; act < actsPerLane; act += 1) {
        const { status } = await (clients[lane % 2] ?? client).verb(ids[random(ids.length)] ?? "", verbs[random(verbs.length)] ?? "cancel");
        answers.add(status);
      }
    };
    await Promise.all(Array.from({ length: 4 }, (_, n) => lane(n)));
    expect([...answers].filter((status) => status !== 200 && status !== 409)).toEqual([]);

    await until(
      "all have ended",
      async () => {
        for (const { id } of await client.list("status=paused&limit=200")) await client.verb(id, "resume");
        const statuses = await Promise.all(ids.map(client.status));
        return statuses.every((status) => ["completed", "dead", "failed", "cancelled"].includes(status));
      },
      30_000,
    );
    for (const id of ids) {
      const { status } = await client.get(id);
      const { events } = await readStream(one.url, `/v1/tasks/${id}/stream`, { token: user.token });
      expect(events.map((event) => Number(event.id))).toEqual(events.map((_, index) => index + 1));
      expect(events.at(-1)).toMatchObject({ event: "result", data: { status } });
      expect(events.findLast((event) => event.event === "state")?.data.status).toBe(status);
    }
  }, 90_000);
});

import { readFile } from "node:fs/promises";
import { z } from "zod";
import { request, signUp } from "../client.ts";
import { registerType } from "../events/events.ts";
import { testPostgres, testRedis } from "../services.ts";
import { adminSettings } from "../tasks/tasks.ts";
import { startChild } from "./child.ts";
import type { Bench, Side } from "./harness.ts";
import { newPrefix } from "./queue.ts";
import { startServer } from "./tasks-crowd.ts";

const clients = 5_000;
const seconds = 4;

/** One copy, 5 000 event streams: what they cost, and how soon events reach all of them. */
export const eventsSse: readonly Bench[] = [20, 100].map((perSecond) => ({
  name: `events-sse-${perSecond}`,
  what: `${clients} clients of one copy's event stream, ${perSecond} events/s to all of them (${clients * perSecond} messages/s); publisher, server and clients on one machine. Peer: a bare Bun.serve that writes one frame to every connection.`,
  needsRedis: true,
  rounds: 3,
  measures: [
    { name: "delivered of what was published", unit: "%" },
    { name: "publish to client p50", unit: "ms" },
    { name: "publish to client p95", unit: "ms", ...(perSecond === 100 ? { bar: { valueMax: 20 } } : {}) },
    { name: "memory of an idle client (RSS)", unit: "KB", bar: { valueMax: 16 } },
  ],
  subject: keelson(perSecond),
  peer: bare(perSecond),
}));

interface Target {
  readonly port: number;
  readonly pid: number;
  readonly path: string;
  readonly token: string;
  publish(data: unknown): Promise<unknown>;
}

const opened = z.object({ listening: z.number(), lost: z.number() });
const seen = z.object({ received: z.number(), lost: z.number(), p50: z.number().nullable(), p95: z.number().nullable() });

async function measuring(target: Target, perSecond: number) {
  const driver = await startChild("events-sse-clients.ts", { port: target.port, path: target.path, token: target.token });
  const before = await rssKb(target.pid);
  const { listening, lost } = await driver.ask("open", { clients }, opened);
  if (listening !== clients || lost > 0) throw new Error(`${listening} of ${clients} clients are connected, ${lost} were lost`);
  await Bun.sleep(2_000);
  const idleKb = ((await rssKb(target.pid)) - before) / clients;
  return {
    measure: async () => {
      await driver.ask("forget", {}, z.unknown());
      const startedAt = performance.now();
      const total = perSecond * seconds;
      const publishing: Promise<unknown>[] = [];
      for (let sent = 0; sent < total; sent += 1) {
        const wait = startedAt + (sent / perSecond) * 1_000 - performance.now();
        if (wait > 0) await Bun.sleep(wait);
        publishing.push(target.publish({ n: sent, sentAt: performance.timeOrigin + performance.now() }));
      }
      await Promise.all(publishing);
      let last = await driver.ask("seen", {}, seen);
      for (let waited = 0; waited < 100 && last.received < total * clients; waited += 1) {
        await Bun.sleep(100);
        last = await driver.ask("seen", {}, seen);
      }
      return {
        "delivered of what was published": (100 * last.received) / (total * clients),
        "publish to client p50": last.p50 ?? Number.NaN,
        "publish to client p95": last.p95 ?? Number.NaN,
        "memory of an idle client (RSS)": idleKb,
      };
    },
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}

function keelson(perSecond: number): Side {
  return {
    what: "Keelson",
    start: async () => {
      await using opening = new AsyncDisposableStack();
      const settings = {
        DATABASE_URL: await testPostgres(),
        KEELSON_KEY_PREFIX: newPrefix(),
        REDIS_URL: (await testRedis()) ?? "",
        KEELSON_STREAMS_MAX: "100000",
        ...adminSettings,
      };
      const server = opening.use(await startServer(settings));
      const user = await signUp(server.url);
      const type = await registerType(server.url);
      const publish = (data: unknown) => request(server.url, "/v1/events", { token: user.token, body: { type, data } });
      const target = {
        port: Number(new URL(server.url).port),
        pid: server.pid,
        path: `/v1/events/stream?pattern=${type}`,
        token: user.token,
        publish,
      };
      const side = opening.use(await measuring(target, perSecond));
      const open = opening.move();
      return { measure: side.measure, [Symbol.asyncDispose]: () => open.disposeAsync() };
    },
  };
}

function bare(perSecond: number): Side {
  return {
    what: "bare Bun.serve",
    start: async () => {
      await using opening = new AsyncDisposableStack();
      const listening = Promise.withResolvers<number>();
      const program = new URL("events-sse-bare-server.ts", import.meta.url).pathname;
      const child = Bun.spawn([process.execPath, program], {
        stdout: "ignore",
        ipc: (message) => listening.resolve(z.object({ port: z.number() }).parse(message).port),
      });
      opening.defer(async () => {
        child.kill("SIGKILL");
        await child.exited;
      });
      const port = await listening.promise;
      const publish = (data: unknown) => fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: JSON.stringify(data) });
      const side = opening.use(await measuring({ port, pid: child.pid, path: "/", token: "none", publish }, perSecond));
      const open = opening.move();
      return { measure: side.measure, [Symbol.asyncDispose]: () => open.disposeAsync() };
    },
  };
}

async function rssKb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN);
}

import { z } from "zod";
import { request, signUp } from "../client.ts";
import { testPostgres } from "../services.ts";
import { startChild } from "./child.ts";
import type { Bench, Sample } from "./harness.ts";
import { generateLoad } from "./load.ts";
import { newPrefix } from "./queue.ts";
import { assertSmallAnswer, smallProgram } from "./sandbox-program.ts";
import { startServer } from "./tasks-crowd.ts";

const connections = 8;
/** Beyond what the steady load needs, so that none waits for one. */
const connectionsMax = 64;
const seconds = 3;
const path = "/v1/sandbox/executions";
const { code, input, timeoutMs, memoryBytes } = smallProgram;
const program = { code, input, timeoutMs, memoryBytes, wait: true };

/** A program by one request. */
export const sandboxHttp: readonly Bench[] = [
  {
    name: "sandbox-http",
    what: `POST ${path} with \`wait: true\` and an access token to a whole copy, limits in Redis; its answer comes when the execution and its event are stored. Executions by ${connections} clients, and latencies at half the rate that Keelson had last. Peer: a bare Hono route, QuickJS in its own thread, and one insert; nobody is asked who they are, and nothing ends a program that the engine does not.`,
    needsRedis: true,
    rounds: 3,
    measures: [
      { name: "executions", unit: "1/s" },
      { name: "steady rate", unit: "1/s" },
      { name: "p50", unit: "ms" },
      { name: "p95", unit: "ms", bar: { valueMax: 10 } },
      { name: "p99", unit: "ms" },
    ],
    ...sides(),
  },
];

interface Made {
  readonly server: Awaited<ReturnType<typeof startServer>>;
  readonly databaseUrl: string;
  readonly userId: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Both sides see one database with one user in it, get the same request, and have to keep the same rate. */
function sides(): Pick<Bench, "subject" | "peer"> {
  let made: Promise<Made> | undefined;
  let perSecond: number | undefined;
  const make = async (): Promise<Made> => {
    const databaseUrl = await testPostgres();
    const server = await startServer({ DATABASE_URL: databaseUrl, KEELSON_KEY_PREFIX: newPrefix() });
    const { id: userId, token } = await signUp(server.url);
    const answer = await request(server.url, path, { body: program, token });
    assertSmallAnswer(answer.body.execution?.output);
    return { server, databaseUrl, userId, headers: { authorization: `Bearer ${token}` } };
  };
  const load = async (url: string, { headers }: Made, isSubject: boolean): Promise<Sample> => {
    const target = { url: `${url}${path}`, headers, seconds, body: JSON.stringify(program) };
    const most = await generateLoad({ ...target, connections });
    const executions = most.requests / most.seconds;
    if (isSubject) perSecond = executions / 2;
    const steady = await generateLoad({ ...target, connections: connectionsMax, perSecond: perSecond ?? executions / 2 });
    return { executions, "steady rate": steady.requests / steady.seconds, p50: steady.p50Ms, p95: steady.p95Ms, p99: steady.p99Ms };
  };
  return {
    subject: {
      what: "Keelson",
      start: async () => {
        made = make();
        const subject = await made;
        return {
          measure: () => load(subject.server.url, subject, true),
          [Symbol.asyncDispose]: () => subject.server[Symbol.asyncDispose](),
        };
      },
    },
    peer: {
      what: "bare Hono with QuickJS",
      start: async () => {
        if (made === undefined) throw new Error("the subject starts first: it makes the user");
        const { databaseUrl, userId } = await made;
        const bare = await startChild("sandbox-http-bare-server.ts", { databaseUrl, userId });
        const url = await bare.ask("url", {}, z.string());
        const subject = await made;
        return { measure: () => load(url, subject, false), [Symbol.asyncDispose]: () => bare[Symbol.asyncDispose]() };
      },
    },
  };
}

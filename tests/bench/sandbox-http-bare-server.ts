import variant from "@jitl/quickjs-wasmfile-release-sync";
import { type Context, Hono } from "hono";
import postgres from "postgres";
import { newQuickJSWASMModuleFromVariant } from "quickjs-emscripten-core";
import { z } from "zod";
import { newId } from "../../app/platform/ids.ts";
import { answerParent, argumentOf } from "./child.ts";

// The peer of sandbox-http: Hono, QuickJS in the thread that answers, and one insert of what Keelson's execution keeps.
const { databaseUrl, userId } = argumentOf(z.object({ databaseUrl: z.string(), userId: z.string() }));
const sql = postgres(databaseUrl, { max: 10, fetch_types: false });
const quickjs = await newQuickJSWASMModuleFromVariant(variant);
const program = z.object({ code: z.string(), input: z.unknown(), timeoutMs: z.number(), memoryBytes: z.number() });
type Program = z.infer<typeof program>;

function evaluate({ code, input, timeoutMs, memoryBytes }: Program): unknown {
  const deadline = performance.now() + timeoutMs;
  const runtime = quickjs.newRuntime({ memoryLimitBytes: memoryBytes, interruptHandler: () => performance.now() > deadline });
  const context = runtime.newContext();
  const result = context.evalCode(`const input = ${JSON.stringify(input)};\n${code}`);
  const output = result.error ? undefined : context.dump(result.value);
  (result.error ?? result.value).dispose();
  context.dispose();
  runtime.dispose();
  return output;
}

async function run(c: Context) {
  const asked = program.parse(await c.req.json());
  const output: unknown = evaluate(asked);
  const id = newId("execution");
  const { code, timeoutMs, memoryBytes } = asked;
  await sql`
    insert into executions (id, owner_id, status, code, input, timeout_ms, memory_bytes, output, finished_at)
    values (${id}, ${userId}, 'succeeded', ${code}, ${JSON.stringify(asked.input)}, ${timeoutMs}, ${memoryBytes}, ${JSON.stringify(output)}, now())`;
  return c.json({ execution: { id, status: "succeeded", output } });
}

const app = new Hono().post("/v1/sandbox/executions", run);
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
answerParent({ url: () => `http://127.0.0.1:${server.port}` });

import { Hono } from "hono";
import postgres from "postgres";
import { z } from "zod";
import { answerParent, argumentOf } from "./child.ts";

// The peer of http-auth: Hono on Bun.serve and nothing else.
const { databaseUrl, userId } = argumentOf(z.object({ databaseUrl: z.string(), userId: z.string() }));
const sql = postgres(databaseUrl, { max: 10, fetch_types: false });

const app = new Hono()
  .get("/v1/bench", (c) => c.json({ answer: 42, text: "as small as an answer usually is" }))
  .get("/v1/me", async (c) => {
    const [user] = await sql`select id, email, name, role, created_at from users where id = ${userId}`;
    return c.json({ user });
  });

const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
answerParent({ url: () => `http://127.0.0.1:${server.port}`, cpu: () => process.cpuUsage() });

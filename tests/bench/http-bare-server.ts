import { type Context, Hono } from "hono";
import postgres from "postgres";
import { z } from "zod";
import { answerParent, argumentOf } from "./child.ts";

// The peer of http-auth: Hono on Bun.serve and nothing else.
const { databaseUrl, userId } = argumentOf(z.object({ databaseUrl: z.string(), userId: z.string() }));
const sql = postgres(databaseUrl, { max: 10, fetch_types: false });

const hash = Bun.password.hash("correct horse battery staple", { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 });

const small = (c: Context) => c.json({ answer: 42, text: "as small as an answer usually is" });
const app = new Hono()
  .get("/v1/bench", small)
  .get("/v1/models", small)
  .get("/v1/me", async (c) => {
    const [user] = await sql`select id, email, name, role, created_at from users where id = ${userId}`;
    return c.json({ user });
  })
  .post("/refresh", async (c) => {
    const { refreshToken } = await c.req.json();
    const [row] = await sql`
      select * from refresh_tokens join sessions on sessions.id = session_id join users on users.id = active_user_id where hash = ${refreshToken}`;
    await sql`update sessions set last_seen_at = now() where id = ${row?.session_id}`;
    return c.json({ refreshToken });
  })
  .post("/login", async (c) => {
    const { password } = await c.req.json();
    return c.json({ matches: await Bun.password.verify(password, await hash) });
  });

const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
answerParent({ url: () => `http://127.0.0.1:${server.port}`, cpu: () => process.cpuUsage() });

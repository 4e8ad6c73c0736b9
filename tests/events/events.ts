import { expect } from "bun:test";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request } from "../client.ts";
import { adminToken } from "../tasks/tasks.ts";

/** A type that nobody else has, whose data is any object with a number `n`. */
export async function registerType(url: string, over: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const type = `test.t${randomToken(6).replaceAll(/[^A-Za-z0-9]/g, "x")}`;
  const schema = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
  const { status } = await request(url, `/v1/event-types/${type}`, {
    method: "PUT",
    token: await adminToken(url),
    body: { schema, ...over },
  });
  expect(status).toBe(201);
  return type;
}

/** Publishes and answers with the ids. */
export async function publish(url: string, token: string, events: unknown): Promise<string[]> {
  const { status, body } = await request(url, "/v1/events", { token, body: events });
  if (status !== 202) throw new Error(`publishing answered ${status}: ${JSON.stringify(body)}`);
  return body.ids;
}

export function recent(url: string, token: string, query = ""): Promise<Answer> {
  return request(url, `/v1/events${query}`, { token });
}

/** A team of `owner`, with a key of the team's. */
export async function makeTeam(url: string, owner: { readonly token: string }) {
  const team = (await request(url, "/v1/teams", { token: owner.token, body: { name: "Crew" } })).body.team;
  const answer = await request(url, "/v1/api-keys", {
    token: owner.token,
    body: { name: "robot", scopes: ["events:write", "tasks:write", "sandbox:write"], teamId: team.id },
  });
  return { id: String(team.id), key: String(answer.body.key) };
}

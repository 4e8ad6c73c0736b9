import { expect } from "bun:test";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request, type SignedInUser, signUp } from "../client.ts";
import { until } from "../until.ts";

/** A log-in or an API key. */
export type Caller = { readonly token: string } | { readonly key: string };

export function secretsOf(url: string, caller: Caller, whose = "") {
  const auth = "token" in caller ? { token: caller.token } : { headers: { "x-api-key": caller.key } };
  const send = (method: string, path: string, body?: unknown): Promise<Answer> =>
    request(url, `/v1/secrets${path}${whose === "" ? "" : `${path.includes("?") ? "&" : "?"}${whose}`}`, { ...auth, method, body });
  const at = (name: string) => `/${encodeURIComponent(name)}`;
  return {
    send,
    create: (body: object) => request(url, "/v1/secrets", { ...auth, body }),
    put: (name: string, body: object) => send("PUT", at(name), body),
    patch: (name: string, body: object) => send("PATCH", at(name), body),
    read: (name: string, query = "") => send("GET", `${at(name)}${query}`),
    list: (query = "") => send("GET", query),
    versions: (name: string) => send("GET", `${at(name)}/versions`),
    delete: (name: string, query = "") => send("DELETE", `${at(name)}${query}`),
    act: (name: string, verb: string, body?: unknown) => send("POST", `${at(name)}/${verb}`, body),
  };
}

/** A team of `owner`, with another member and a viewer. */
export async function makeTeam(url: string, owner: SignedInUser, join: (teamId: string, userId: string, role: string) => Promise<void>) {
  const { id } = (await request(url, "/v1/teams", { token: owner.token, body: { name: "Crew" } })).body.team;
  const [member, viewer] = [await signUp(url), await signUp(url)];
  await join(id, member.id, "member");
  await join(id, viewer.id, "viewer");
  return { id: String(id), member, viewer };
}

export async function keyOf(
  url: string,
  user: SignedInUser,
  given: { readonly scopes: readonly string[]; readonly teamId?: string },
): Promise<string> {
  const { status, body } = await request(url, "/v1/api-keys", { token: user.token, body: { name: "robot", ...given } });
  expect(status).toBe(201);
  return body.key;
}

/** Types and data of the events about a subject, oldest first. */
export function eventsAbout(url: string, token: string, subject: string, type: string, count = 1) {
  return until(`${count} of ${type}`, async () => {
    const { body } = await request(url, `/v1/events?pattern=${type}&limit=200`, { token });
    const found = body.data.filter((event: { readonly subject: string }) => event.subject === subject);
    return found.length >= count ? found : undefined;
  });
}

export function unlikely(): string {
  return `canary-${randomToken(24)}`;
}

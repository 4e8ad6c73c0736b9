import { request, type SignedInUser } from "../client.ts";

/** The administrator that `adminSettings` makes. */
const admin = { email: "root@example.com", password: "correct horse battery staple" };
export const adminSettings = { KEELSON_ADMIN_EMAIL: admin.email, KEELSON_ADMIN_PASSWORD: admin.password } as const;

export async function adminToken(url: string): Promise<string> {
  const { body } = await request(url, "/v1/auth/login", { body: admin });
  return body.accessToken;
}

/** A client's view of tasks on one copy. */
export function tasksOf(url: string, { token }: Pick<SignedInUser, "token">) {
  const submit = (code: string, more: Readonly<Record<string, unknown>> = {}, input: Readonly<Record<string, unknown>> = {}) =>
    request(url, "/v1/tasks", { token, body: { queue: "sandbox-execution", input: { code, timeoutMs: 8_000, ...input }, ...more } });
  const get = async (id: string) => (await request(url, `/v1/tasks/${id}`, { token })).body.task;
  return {
    submit,
    get,
    /** Submits and answers with the id. */
    add: async (...args: Parameters<typeof submit>): Promise<string> => (await submit(...args)).body.task.id,
    verb: (id: string, verb: "cancel" | "pause" | "resume" | "retry") => request(url, `/v1/tasks/${id}/${verb}`, { method: "POST", token }),
    status: async (id: string): Promise<string> => (await get(id)).status,
    list: async (query = "") => (await request(url, `/v1/tasks?${query}`, { token })).body.data,
  };
}

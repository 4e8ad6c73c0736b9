import { readFile } from "node:fs/promises";
import { z } from "zod";
import { VaultError, VaultForbidden, VaultUnavailable } from "./errors.ts";
import { parseAnswer, type Send } from "./requests.ts";

/** How to get a token: one that was given, or one of Vault's methods for machines. */
export type VaultAuth =
  | { readonly method: "token"; readonly token: string }
  | { readonly method: "approle"; readonly roleId: string; readonly secretId: string }
  | { readonly method: "kubernetes"; readonly role: string; readonly jwtFile: string };

export interface Grant {
  readonly token: string;
  /** 0: it does not end, or nobody says when. */
  readonly leaseMs: number;
  readonly renewable: boolean;
}

const granted = z.object({ auth: z.object({ client_token: z.string().min(1), lease_duration: z.number(), renewable: z.boolean() }) });
const looked = z.object({ data: z.object({ ttl: z.number(), expire_time: z.string().nullish(), renewable: z.boolean().default(false) }) });

/** Throws `VaultForbidden` when the credentials are refused, whichever status that comes with. */
export async function logIn(auth: VaultAuth, send: Send): Promise<Grant> {
  switch (auth.method) {
    case "token":
      return await lookUp(auth.token, send);
    case "approle":
      return await exchange(auth.method, { role_id: auth.roleId, secret_id: auth.secretId }, send);
    case "kubernetes":
      return await exchange(auth.method, { role: auth.role, jwt: await readJwt(auth.jwtFile) }, send);
    default:
      return auth satisfies never;
  }
}

/** Throws `VaultError` when Vault refuses to renew it. */
export async function renewSelf(token: string, send: Send): Promise<Grant> {
  return toGrant(await send({ method: "POST", path: "auth/token/renew-self", body: {}, token }));
}

async function exchange(method: string, body: object, send: Send): Promise<Grant> {
  try {
    return toGrant(await send({ method: "POST", path: `auth/${method}/login`, body }));
  } catch (error) {
    if (!(error instanceof VaultError) || error instanceof VaultUnavailable) throw error;
    throw new VaultForbidden(`the log-in by ${method} was refused: ${error.message}`, error.status);
  }
}

/** A token may be good for what we need and not for looking itself up; then it is used as it is. */
async function lookUp(token: string, send: Send): Promise<Grant> {
  try {
    const { ttl, expire_time, renewable } = parseAnswer(looked, await send({ method: "GET", path: "auth/token/lookup-self", token })).data;
    return { token, leaseMs: expire_time ? Math.max(1, ttl) * 1_000 : 0, renewable };
  } catch (error) {
    if (error instanceof VaultForbidden) return { token, leaseMs: 0, renewable: false };
    throw error;
  }
}

function toGrant(answer: unknown): Grant {
  const { client_token, lease_duration, renewable } = parseAnswer(granted, answer).auth;
  return { token: client_token, leaseMs: lease_duration * 1_000, renewable };
}

/** Read each time: Kubernetes replaces it about once an hour. */
async function readJwt(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw new VaultForbidden(
      `the service account's token ${file} can't be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

import { randomToken } from "../../../platform/ids.ts";
import { hashToken } from "../one-time-tokens.ts";
import type { AuthStore } from "../store.ts";

/** A fresh set-up token, which makes any earlier one useless; undefined once there is an administrator. */
export async function newSetupToken(store: AuthStore): Promise<string | undefined> {
  if (await store.hasAdmin()) return undefined;
  const token = randomToken(24);
  await store.replaceSetupToken(hashToken(token));
  return token;
}

/** A set-up token at the very first start; undefined ever after, so that a restart prints no new link. */
export async function firstSetupToken(store: AuthStore): Promise<string | undefined> {
  return (await store.hasSetupToken()) ? undefined : newSetupToken(store);
}

import { randomBytes } from "node:crypto";

/** The kinds of thing that have an id, and the prefix that tells them apart. */
const prefixes = {
  user: "usr",
  session: "ses",
  task: "tsk",
  worker: "wrk",
  execution: "exe",
  event: "evt",
  request: "req",
  mail: "mail",
  passkey: "pky",
  apiKey: "key",
  team: "team",
  invitation: "inv",
  schedule: "sch",
  run: "run",
  swarm: "swm",
  export: "exp",
  import: "imp",
  deadLetter: "dlt",
  subscription: "sub",
  delivery: "dlv",
  externalKey: "xky",
  rotation: "rot",
  integration: "int",
  connection: "con",
  secret: "sec",
  secretVersion: "scv",
  secretShare: "shr",
  secretRequest: "apr",
} as const;

export type IdKind = keyof typeof prefixes;

/** What an API key begins with. No access token does: a JWS has no underscore there. */
export const apiKeyPrefix = "klsn_";

/** A prefixed UUIDv7 (RFC 9562 §5.7) in plain hex, so ids of one kind sort by the time they were made. */
export function newId(kind: IdKind): string {
  return `${prefixes[kind]}_${Bun.randomUUIDv7("hex").replaceAll("-", "")}`;
}

/** The same thing seen as another kind: a run is a task with more to show. Undefined when `id` is none of `from`. */
export function idAs(kind: IdKind, { id, from }: { readonly id: string; readonly from: IdKind }): string | undefined {
  const prefix = `${prefixes[from]}_`;
  return id.startsWith(prefix) ? `${prefixes[kind]}_${id.slice(prefix.length)}` : undefined;
}

/** `bytes` of randomness as base64url: for tokens, never for ids. */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString("base64url");
}

import { createHash } from "node:crypto";
import type { Next } from "hono";
import { createMiddleware } from "hono/factory";
import { Problem } from "../platform/errors.ts";
import type { IdempotencyRecords } from "../platform/idempotency/store.ts";
import type { AppContext, AppEnv } from "./env.ts";

const keyShape = /^[\x21-\x7e]{1,255}$/;

/**
 * `Idempotency-Key` on POST (IETF draft-ietf-httpapi-idempotency-key-header): the first answer is kept and replayed to the same request;
 * another request under the key is refused (422), a second one while the first runs too (409). Refusals and failures are not kept: they
 * changed nothing, so the next try may do better. Nor are the tokens of a session: they belong into cookies for some, codes and refresh tokens have
 * protections of their own against coming twice, and a replay would pass them by.
 */
export function idempotency(records: IdempotencyRecords) {
  return createMiddleware<AppEnv>(function idempotency(c, next) {
    const key = c.req.method === "POST" ? c.req.header("idempotency-key") : undefined;
    return key === undefined ? next() : answerOnce(c, key, next);
  });

  async function answerOnce(c: AppContext, key: string, next: Next): Promise<Response | undefined> {
    if (!keyShape.test(key)) {
      throw new Problem("validation_failed", {
        errors: [{ pointer: "header.idempotency-key", detail: "1 to 255 visible ASCII characters" }],
      });
    }
    const address = { scope: scopeOf(c), key };
    const claim = await records.claim(address, await fingerprint(c));
    switch (claim.kind) {
      case "replay":
        return c.body(claim.answer.body, {
          status: claim.answer.status,
          headers: {
            ...(claim.answer.body.length > 0 ? { "content-type": claim.answer.contentType } : {}),
            "idempotency-replayed": "true",
            "cache-control": "no-store",
          },
        });
      case "mismatch":
        throw new Problem("idempotency_mismatch", { detail: "The key was first used with another path or body." });
      case "unreadable":
        throw new Problem("conflict", { detail: "The answer can't be opened any more, so it can't be replayed." });
      case "in_flight":
        throw new Problem("idempotency_in_flight", { retryAfterSeconds: 1 });
      case "claimed":
        break;
      default:
        claim satisfies never;
    }
    await next();
    await keep(c, records, address);
    return undefined;
  }
}

/** A key does not get to read what was answered to its owner's session or to another key, which may do more. */
function scopeOf(c: AppContext): string {
  const { actor } = c.env;
  if (!actor) return `address:${c.env.ip}`;
  return actor.via.kind === "api_key" ? `key:${actor.via.keyId}` : `user:${actor.userId}`;
}

async function keep(c: AppContext, records: IdempotencyRecords, address: { readonly scope: string; readonly key: string }) {
  const { status } = c.res;
  if (status >= 400 || c.env.issuesTokens) return records.release(address);
  const body = new Uint8Array(await c.res.clone().arrayBuffer());
  await records.keep(address, { status, contentType: c.res.headers.get("content-type") ?? "application/json", body });
}

async function fingerprint(c: AppContext): Promise<string> {
  return createHash("sha256")
    .update(`${c.req.method} ${c.req.url.slice(c.req.url.indexOf(c.req.path))}\n`)
    .update(new Uint8Array(await c.req.arrayBuffer()))
    .digest("base64url");
}

import type { z } from "zod";
import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId, randomToken } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { about, missing } from "../conditions.ts";
import { secretRead, secretTampered } from "../events.ts";
import type { SecretReading } from "../reading/service.ts";
import type { SecretRow, SecretStore } from "../store.ts";
import { addressOf, type SecretCall, type Whose } from "../tenant.ts";
import type { TenantWork } from "../tenant-work.ts";
import type { SecretValue } from "../value.ts";
import { secretShared, shareRedeemed, shareReused, shareRevoked } from "./events.ts";
import type { createShareRequest, redeemRequest, share, sharesQuery } from "./schema.ts";
import type { ShareRow, ShareStore } from "./store.ts";
import { hashShareToken, openShare, sealShare } from "./token.ts";

export interface ShareDeps {
  readonly store: ShareStore;
  readonly secrets: Pick<SecretStore, "find" | "findById" | "lock" | "versions">;
  readonly reading: Pick<SecretReading, "reveal" | "recordIn">;
  readonly transact: Transact;
  readonly tenants: Pick<TenantWork, "tenantFor">;
  /** Where links lead. */
  readonly publicUrl: string;
  readonly now: Now;
}

export type ShareService = ReturnType<typeof createShareService>;
export type ShareView = z.infer<typeof share>;
type Named = Whose & { readonly name: string };

type Redemption =
  | { readonly kind: "redeemed"; readonly name: string; readonly version: number; readonly value: SecretValue }
  | { readonly kind: "refused" }
  | { readonly kind: "unreadable" };

/** Links that give a value to whoever has them, once. */
export function createShareService({ store, secrets, reading, transact, tenants, publicUrl, now }: ShareDeps) {
  const { tenantFor } = tenants;
  return {
    /** The value is taken as it is now, with what it refers to. */
    create: async (
      call: SecretCall,
      { name, ...whose }: Named,
      { expiresInSeconds, version }: z.infer<typeof createShareRequest>,
    ): Promise<{ readonly share: ShareView; readonly token: string; readonly url: string; readonly expiresAt: string }> => {
      const tenant = await tenantFor(call, whose, "secrets:write");
      const revealed = await reading.reveal({ reader: call, tenant, name, moment: { version }, resolve: true });
      const token = randomToken(32);
      return transact(async (unit) => {
        const secret = await secrets.lock({ tenant, name }, unit.tx);
        if (!secret) throw missing(name);
        // What would have ended this link, had it been there, may have happened since the value was opened.
        const rows = await secrets.versions(secret.id, unit.tx);
        const isLive = rows.some(({ version: number, state }) => number === revealed.found.version.version && state === "live");
        if (!isLive || secret.approvalRequired !== revealed.found.secret.approvalRequired)
          throw new Problem("conflict", { detail: `${name} was changed meanwhile.` });
        await reading.recordIn(unit, call, { revealed, as: "share" });
        const createdAt = now();
        const until = createdAt.getTime() + expiresInSeconds * 1_000;
        const expiresAt = new Date(Math.min(until, secret.expiresAt?.getTime() ?? until));
        const place = { id: newId("secretShare"), secretId: secret.id, version: revealed.found.version.version };
        const row = await store.insert(
          {
            ...place,
            tokenHash: hashShareToken(token),
            sealed: sealShare(token, place, revealed.value),
            createdBy: call.actor.userId,
            createdAt,
            expiresAt,
          },
          unit.tx,
        );
        const data = { name, version: row.version, shareId: row.id, expiresAt: expiresAt.toISOString() };
        unit.publish(secretShared, { ...about(secret, call), data });
        return { share: toShareView(row, createdAt), token, url: `${publicUrl}/v1/secrets/shared#${token}`, expiresAt: data.expiresAt };
      });
    },

    /** Once. Throws `Problem` (`invalid_link`) for a link that is used, past its time, taken back or none of ours; its owner is told of a used one. */
    redeem: async ({ token }: z.infer<typeof redeemRequest>, origin: RequestOrigin) => {
      const redemption = await transact((unit) => redeemIn(unit, token, origin));
      switch (redemption.kind) {
        case "redeemed":
          return { name: redemption.name, version: redemption.version, value: redemption.value };
        case "refused":
          throw new Problem("invalid_link", { detail: "The link was used, is past its time, or was taken back." });
        case "unreadable":
          throw new Problem("secret_unreadable", { detail: "What the link leads to does not open." });
        default:
          return redemption satisfies never;
      }
    },

    list: async (
      call: Pick<SecretCall, "actor">,
      { name, limit, cursor, ...whose }: z.infer<typeof sharesQuery> & { readonly name: string },
    ) => {
      const tenant = await tenantFor(call, whose, "secrets:read");
      const secret = await secrets.find({ tenant, name });
      if (!secret) throw missing(name);
      const rows = await store.list(secret.id, { before: cursor, limit: limit + 1 });
      const page = rows.slice(0, limit);
      return { data: page.map((row) => toShareView(row, now())), nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
    },

    revoke: async (call: SecretCall, { name, ...whose }: Named, id: string): Promise<void> => {
      const tenant = await tenantFor(call, whose, "secrets:write");
      return transact(async (unit) => {
        const secret = await secrets.find({ tenant, name }, unit.tx);
        if (!secret) throw missing(name);
        const row = await store.lock(secret.id, id, unit.tx);
        if (!row) throw new Problem("not_found", { detail: `There is no link ${id}.` });
        if (row.redeemedAt) throw new Problem("conflict", { detail: "The link was used already." });
        if (row.revokedAt) return;
        await store.end(id, { revokedAt: now() }, unit.tx);
        unit.publish(shareRevoked, { ...about(secret, call), data: dataOf(secret, row) });
      });
    },
  };

  async function redeemIn(unit: Unit, token: string, origin: RequestOrigin): Promise<Redemption> {
    const row = await store.lockByHash(hashShareToken(token), unit.tx);
    const secret = row && (await secrets.findById(row.secretId, unit.tx));
    if (!row || !secret) return { kind: "refused" };
    const address = { subject: secret.id, ...addressOf(secret.tenant), origin };
    if (row.redeemedAt) {
      unit.publish(shareReused, { ...address, data: dataOf(secret, row) });
      return { kind: "refused" };
    }
    const at = now();
    const isOver = row.revokedAt !== null || row.expiresAt <= at || (secret.expiresAt !== null && secret.expiresAt <= at);
    if (isOver || !row.sealed) return { kind: "refused" };
    const opened = tryOpen(token, row, row.sealed);
    if (opened === undefined) {
      unit.publish(secretTampered, {
        subject: secret.id,
        origin,
        data: { tenant: secret.tenant, name: secret.name, version: row.version },
      });
      const data = { name: secret.name, version: row.version, as: "redemption", outcome: "failed" } as const;
      unit.publish(secretRead, { ...address, outcome: "failed", data });
      return { kind: "unreadable" };
    }
    await store.end(row.id, { redeemedAt: at }, unit.tx);
    unit.publish(shareRedeemed, { ...address, data: dataOf(secret, row) });
    unit.publish(secretRead, { ...address, data: { name: secret.name, version: row.version, as: "redemption" } });
    return { kind: "redeemed", name: secret.name, version: row.version, value: opened };
  }
}

/** Why it does not open stays out of the log: it could quote what was opened. */
function tryOpen(token: string, row: ShareRow, sealed: Uint8Array): SecretValue | undefined {
  try {
    return openShare(token, row, sealed);
  } catch {
    return undefined;
  }
}

function dataOf({ name }: Pick<SecretRow, "name">, { id, version }: ShareRow) {
  return { name, version, shareId: id };
}

function toShareView(row: ShareRow, at: Date): ShareView {
  return {
    id: row.id,
    version: row.version,
    status: statusOf(row, at),
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    ...(row.redeemedAt === null ? {} : { redeemedAt: row.redeemedAt.toISOString() }),
  };
}

function statusOf({ redeemedAt, revokedAt, expiresAt }: ShareRow, at: Date): ShareView["status"] {
  if (redeemedAt) return "redeemed";
  if (revokedAt) return "revoked";
  return expiresAt <= at ? "expired" : "open";
}

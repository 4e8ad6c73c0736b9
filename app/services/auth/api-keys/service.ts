import type { z } from "zod";
import type { Actor } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { sessionOf } from "../sessions/service.ts";
import type { TeamStore } from "../teams/store.ts";
import { addressOf, type Call, type KeyAuthority } from "./authority.ts";
import { apiKeyChanged, apiKeyCreated, apiKeyRotated } from "./events.ts";
import { formatKey, hashSecret, newSecret } from "./key-format.ts";
import type { createKeyRequest, keyQuery, rotateKeyRequest, updateKeyRequest } from "./schema.ts";
import type { ApiKeyRow, ApiKeyStore } from "./store.ts";
import { type ApiKeyView, toApiKeyView } from "./view.ts";

export type ApiKeyService = ReturnType<typeof createApiKeyService>;

export interface ApiKeyDeps {
  readonly store: ApiKeyStore;
  readonly authority: KeyAuthority;
  readonly teams: Pick<TeamStore, "roleOf" | "lockRole">;
  readonly transact: Transact;
  /** How many live keys one user may have made. */
  readonly keysMax: number;
  /** Of one user; only administrators give a key more. */
  readonly requestsPerMinute: number;
  readonly now: Now;
}

type WithSecret = { readonly apiKey: ApiKeyView; readonly key: string };

/** What people do with keys: their own, and those of the teams that they run. All verbs that write take a session: a key never makes keys. */
export function createApiKeyService({ store, authority, teams, transact, keysMax, requestsPerMinute, now }: ApiKeyDeps) {
  /** Throws unless the user runs the team. To who is not in it, it does not exist. */
  const assertRunsTeam = async (actor: Actor, teamId: string, unit?: Unit) => {
    const role = unit ? await teams.lockRole(teamId, actor.userId, unit.tx) : await teams.roleOf(teamId, actor.userId);
    if (!role) throw new Problem("not_found", { detail: `There is no team ${teamId}.` });
    if (role !== "owner" && role !== "admin") throw new Problem("forbidden", { detail: "This needs the team's owner or an admin of it." });
  };

  /** Of a team that the user does not run, a key does not exist either. */
  const mayManage = async (actor: Actor, { ownerId, teamId }: ApiKeyRow): Promise<boolean> => {
    if (teamId === null) return ownerId === actor.userId;
    const role = await teams.roleOf(teamId, actor.userId);
    return role === "owner" || role === "admin";
  };

  const managed = async (actor: Actor, id: string, row: ApiKeyRow | undefined): Promise<ApiKeyRow> => {
    if (!row || !(await mayManage(actor, row))) throw new Problem("not_found", { detail: `There is no API key ${id}.` });
    return row;
  };

  const assertGrantable = ({ role }: Actor, scopes: readonly string[] | undefined, teamId: string | null | undefined) => {
    if (!scopes?.includes("admin")) return;
    if (role !== "admin") throw new Problem("forbidden", { detail: "The scope admin is for keys of administrators." });
    if (teamId) throw new Problem("forbidden", { detail: "A team's key can't have the scope admin: it acts for the team." });
  };

  const assertOwnLimit = ({ role }: Actor, rateLimit: number | null | undefined) => {
    if (role !== "admin" && (rateLimit ?? 0) > requestsPerMinute)
      throw invalid("/rateLimit", `more than ${requestsPerMinute} a minute is for administrators to grant`);
  };

  const futureMoment = (text: string | null | undefined): Date | null => {
    if (!text) return null;
    const at = new Date(text);
    if (at <= now()) throw invalid("/expiresAt", "must be in the future");
    return at;
  };

  return {
    create: (call: Call, input: z.infer<typeof createKeyRequest>): Promise<WithSecret> =>
      transact(async (unit) => {
        const { actor } = call;
        sessionOf(actor);
        assertGrantable(actor, input.scopes, input.teamId);
        assertOwnLimit(actor, input.rateLimit);
        const expiresAt = futureMoment(input.expiresAt);
        if (input.teamId) await assertRunsTeam(actor, input.teamId, unit);
        if ((await store.lockAndCount(actor.userId, now(), unit.tx)) >= keysMax)
          throw new Problem("conflict", { detail: `You have ${keysMax} API keys already: delete one first.` });
        const parts = { keyId: newId("apiKey"), secret: newSecret() };
        const row = await store.insert(
          { ...input, id: parts.keyId, ownerId: actor.userId, expiresAt, secretHash: hashSecret(parts), createdAt: now() },
          unit.tx,
        );
        const { name, scopes, teamId } = row;
        unit.publish(apiKeyCreated, { ...addressOf(row, call), data: { name, scopes: [...scopes], teamId } });
        return { apiKey: toApiKeyView(row), key: formatKey(parts) };
      }),

    list: async (actor: Actor, { teamId, limit, cursor }: z.infer<typeof keyQuery>) => {
      if (teamId) await assertRunsTeam(actor, teamId);
      const rows = await store.list(teamId ? { teamId } : { ownerId: actor.userId }, { after: cursor, limit: limit + 1 });
      const page = rows.slice(0, limit);
      return { data: page.map(toApiKeyView), nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
    },

    get: async (actor: Actor, id: string): Promise<ApiKeyView> => toApiKeyView(await managed(actor, id, await store.find(id))),

    /** In effect on every copy within a second. */
    update: (call: Call, id: string, input: z.infer<typeof updateKeyRequest>): Promise<ApiKeyView> =>
      transact(async (unit) => {
        sessionOf(call.actor);
        const before = await managed(call.actor, id, await store.lock(id, unit.tx));
        assertGrantable(call.actor, input.scopes, before.teamId);
        assertOwnLimit(call.actor, input.rateLimit);
        const { expiresAt, ...rest } = input;
        const set = withoutUndefined(rest);
        const after = { ...before, ...set };
        if ((after.creditLimitSoft ?? 0) > (after.creditLimitHard ?? Number.POSITIVE_INFINITY))
          throw invalid("/creditLimitSoft", "the soft limit must not be above the hard limit");
        const row = await authority.change(unit, id, {
          ...set,
          ...(expiresAt === undefined ? {} : { expiresAt: futureMoment(expiresAt) }),
          ...(input.creditLimitHard === undefined ? {} : { creditLimitReachedAt: null }),
        });
        unit.publish(apiKeyChanged, { ...addressOf(before, call), data: { changed: Object.keys(input) } });
        return toApiKeyView(row ?? before);
      }),

    revoke: (call: Call, id: string): Promise<void> =>
      transact(async (unit) => {
        sessionOf(call.actor);
        await managed(call.actor, id, await store.lock(id, unit.tx));
        await authority.end(unit, id, { reason: "revoked", ...call });
      }),

    /** A new secret under the same id. The key is then of who rotated it, because only they have seen it. */
    rotate: (call: Call, id: string, { graceSeconds }: z.infer<typeof rotateKeyRequest>): Promise<WithSecret> =>
      transact(async (unit) => {
        sessionOf(call.actor);
        const before = await managed(call.actor, id, await store.lock(id, unit.tx));
        const parts = { keyId: id, secret: newSecret() };
        const row = await authority.change(unit, id, {
          ownerId: call.actor.userId,
          secretHash: hashSecret(parts),
          previousHash: graceSeconds > 0 ? before.secretHash : null,
          previousUntil: graceSeconds > 0 ? new Date(now().getTime() + graceSeconds * 1_000) : null,
        });
        unit.publish(apiKeyRotated, { ...addressOf(before, call), data: { graceSeconds } });
        return { apiKey: toApiKeyView(row ?? before), key: formatKey(parts) };
      }),
  };
}

function invalid(pointer: string, detail: string): Problem {
  return new Problem("validation_failed", { detail: "One or more fields are not as expected.", errors: [{ pointer, detail }] });
}

function withoutUndefined<T extends object>(of: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: Exclude<T[Name], undefined>;
  };
}

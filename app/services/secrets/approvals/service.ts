import type { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Can } from "../../auth/can.ts";
import type { SecretRow, SecretStore } from "../store.ts";
import { addressOf, assertMay, ownerOf, type SecretCall, tenantOf, type Whose } from "../tenant.ts";
import { approvalDenied, approvalGranted, approvalRequested, approvalUsed } from "./events.ts";
import type { approvalRequest, createApprovalRequest, requestsQuery } from "./schema.ts";
import type { RequestRow, RequestStore, RequestWithSecret } from "./store.ts";

export type ApprovalService = ReturnType<typeof createApprovalService>;
export type ApprovalView = z.infer<typeof approvalRequest>;
type Action = RequestRow["action"];

/** Uses up an approval of the caller's, in the unit that does what was approved. Throws `Problem` (`approval_required`) without one. */
export type UseApproval = (unit: Unit, call: SecretCall, what: { readonly secret: SecretRow; readonly action: Action }) => Promise<void>;

export interface ApprovalDeps {
  readonly store: RequestStore;
  readonly secrets: Pick<SecretStore, "find" | "lock">;
  readonly transact: Transact;
  readonly can: Can;
  readonly now: Now;
}

/** So long a request waits for somebody to decide it. */
const decideWithinMs = 86_400_000;

export function createUseApproval({ store, now }: Pick<ApprovalDeps, "store" | "now">): UseApproval {
  return async (unit, { actor, origin }, { secret, action }) => {
    if (!secret.approvalRequired) return;
    const open = await store.lockOpen({ secretId: secret.id, userId: actor.userId, action, at: now() }, unit.tx);
    const approved = open.find(({ status }) => status === "approved");
    if (!approved) throw new Problem("approval_required", { detail: `To ${action} ${secret.name} takes the approval of a second person.` });
    await store.update(approved.id, { status: "used", usedAt: now() }, unit.tx);
    const data = { name: secret.name, requestId: approved.id, action, requestedBy: actor.userId };
    unit.publish(approvalUsed, { subject: secret.id, ...addressOf(secret.tenant), actorId: actor.userId, origin, data });
  };
}

/** Two people for one act: one asks, another decides, the first does it, once. */
export function createApprovalService({ store, secrets, transact, can, now }: ApprovalDeps) {
  const seen = async (call: SecretCall, id: string): Promise<RequestWithSecret> => {
    const found = await store.find(id);
    const sees =
      found && (found.request.requestedBy === call.actor.userId || (await can(call.actor, "secrets:read", ownerOf(found.secret.tenant))));
    if (!sees) throw new Problem("not_found", { detail: `There is no request ${id}.` });
    return found;
  };

  const decide = async (call: SecretCall, id: string, status: "approved" | "denied"): Promise<ApprovalView> => {
    const found = await seen(call, id);
    await assertDecides(call, found);
    return transact(async (unit) => {
      const before = await store.lock(id, unit.tx);
      assertPending(before, now());
      const decidedAt = now();
      const expiresAt = status === "approved" ? new Date(decidedAt.getTime() + before.windowSeconds * 1_000) : before.expiresAt;
      const request = await store.update(id, { status, decidedBy: call.actor.userId, decidedAt, expiresAt }, unit.tx);
      const { secret } = found;
      const data = { name: secret.name, requestId: id, action: request.action, requestedBy: request.requestedBy };
      const address = { subject: secret.id, ...addressOf(secret.tenant), actorId: call.actor.userId, origin: call.origin };
      if (status === "approved") unit.publish(approvalGranted, { ...address, data: { ...data, expiresAt: expiresAt.toISOString() } });
      else unit.publish(approvalDenied, { ...address, data });
      return toApprovalView({ request, secret });
    });
  };
  const assertDecides = async ({ actor }: SecretCall, { request, secret }: RequestWithSecret): Promise<void> => {
    // Whoever holds a key of somebody's could be the one who asks.
    if (actor.via.kind !== "session") throw new Problem("insufficient_scope", { detail: "A person decides this: log in instead." });
    if (request.requestedBy === actor.userId) throw new Problem("forbidden", { detail: "Nobody decides their own request." });
    if (!(await can(actor, "secrets:write", ownerOf(secret.tenant))))
      throw new Problem("forbidden", { detail: "This takes somebody who may write the secret." });
  };
  /** Undefined: of all owners. */
  const tenantToList = async ({ actor }: Pick<SecretCall, "actor">, { all, ...whose }: Whose & { readonly all: boolean }) => {
    if (!all) {
      const tenant = tenantOf(actor, whose);
      await assertMay(can, actor, { tenant, action: "secrets:read" });
      return tenant;
    }
    if (await can(actor, "admin", {})) return undefined;
    throw new Problem("forbidden", { detail: "Requests of all owners are for administrators." });
  };

  return {
    request: async (
      call: SecretCall,
      { name, ...whose }: Whose & { readonly name: string },
      { action, reason, windowSeconds }: z.infer<typeof createApprovalRequest>,
    ): Promise<ApprovalView> => {
      const tenant = tenantOf(call.actor, whose);
      await assertMay(can, call.actor, { tenant, action: action === "read" ? "secrets:read" : "secrets:write" });
      return transact(async (unit) => {
        // Held, so that of two requests at once one is the first.
        const secret = await secrets.lock({ tenant, name }, unit.tx);
        if (!secret) throw new Problem("not_found", { detail: `There is no secret ${name}.` });
        if (!secret.approvalRequired) throw new Problem("conflict", { detail: `${name} takes nobody's approval.` });
        const { userId } = call.actor;
        const [open] = await store.lockOpen({ secretId: secret.id, userId, action, at: now() }, unit.tx);
        if (open) throw new Problem("conflict", { detail: `You have asked for that already: ${open.id} is ${open.status}.` });
        const createdAt = now();
        const request = await store.insert(
          {
            id: newId("secretRequest"),
            secretId: secret.id,
            action,
            reason,
            status: "pending",
            requestedBy: userId,
            windowSeconds,
            createdAt,
            expiresAt: new Date(createdAt.getTime() + decideWithinMs),
          },
          unit.tx,
        );
        const data = { name, requestId: request.id, action, requestedBy: userId, reason };
        unit.publish(approvalRequested, { subject: secret.id, ...addressOf(tenant), actorId: userId, origin: call.origin, data });
        return toApprovalView({ request, secret });
      });
    },

    list: async (
      call: Pick<SecretCall, "actor">,
      { teamId, scope, all, status, cursor, limit, name }: z.infer<typeof requestsQuery> & { readonly name?: string },
    ): Promise<{ data: ApprovalView[]; nextCursor: string | null }> => {
      const tenant = await tenantToList(call, { teamId, scope, all });
      const secret = name === undefined || tenant === undefined ? undefined : await secrets.find({ tenant, name });
      if (name !== undefined && !secret) throw new Problem("not_found", { detail: `There is no secret ${name}.` });
      const rows = await store.list({ tenant, secretId: secret?.id, status, before: cursor, limit: limit + 1 });
      const page = rows.slice(0, limit);
      return { data: page.map(toApprovalView), nextCursor: rows.length > limit ? (page.at(-1)?.request.id ?? null) : null };
    },

    get: async (call: SecretCall, id: string): Promise<ApprovalView> => toApprovalView(await seen(call, id)),
    approve: (call: SecretCall, id: string): Promise<ApprovalView> => decide(call, id, "approved"),
    deny: (call: SecretCall, id: string): Promise<ApprovalView> => decide(call, id, "denied"),
  };
}

function assertPending(row: RequestRow | undefined, at: Date): asserts row is RequestRow {
  if (row?.status === "pending" && row.expiresAt > at) return;
  throw new Problem("conflict", { detail: `The request is ${row?.status === "pending" ? "expired" : row?.status}.` });
}

function toApprovalView({ request, secret }: RequestWithSecret): ApprovalView {
  const { teamId } = ownerOf(secret.tenant);
  return {
    id: request.id,
    secretId: secret.id,
    name: secret.name,
    ...(teamId === undefined ? {} : { teamId }),
    action: request.action,
    reason: request.reason,
    status: request.status,
    requestedBy: request.requestedBy,
    ...(request.decidedBy === null ? {} : { decidedBy: request.decidedBy }),
    ...(request.decidedAt === null ? {} : { decidedAt: request.decidedAt.toISOString() }),
    ...(request.usedAt === null ? {} : { usedAt: request.usedAt.toISOString() }),
    createdAt: request.createdAt.toISOString(),
    expiresAt: request.expiresAt.toISOString(),
  };
}

import type { z } from "zod";
import type { Actor } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { AuditService } from "../audit/service.ts";
import type { TenantWork } from "../tenant-work.ts";
import { recommendationsFor } from "./recommendations.ts";
import type { ComplianceReport, reportQuery } from "./schema.ts";
import type { ComplianceStore, Of, Period } from "./store.ts";

export type ComplianceService = ReturnType<typeof createComplianceService>;

export interface ComplianceDeps {
  readonly store: ComplianceStore;
  readonly tenants: TenantWork;
  readonly audit: Pick<AuditService, "checkpoint">;
  readonly now: Now;
}

const periodDays = 30;
const expiryDays = 30;
const dayMs = 86_400_000;

/** How well secrets are kept: one's own, a team's, or for an administrator everybody's. */
export function createComplianceService({ store, tenants, audit, now }: ComplianceDeps) {
  return async (actor: Actor, { from, to, teamId, scope }: z.infer<typeof reportQuery>): Promise<ComplianceReport> => {
    const madeAt = now();
    const period = periodOf({ from, to }, madeAt);
    const isAll = actor.role === "admin" && teamId === undefined && scope === undefined;
    const of: Of = isAll ? undefined : await tenants.tenantFor({ actor }, { teamId, scope }, "secrets:read");
    // First, so that it vouches for what is counted.
    const { checkpoint } = await audit.checkpoint();
    const [secrets, externalKeys, keyEncryptionKeys, access, mostActive, done, policies] = await Promise.all([
      store.secrets(of),
      store.externalKeys(of),
      isAll ? store.keys() : undefined,
      store.access(of, period),
      store.readers(of, period),
      store.rotations(of, period),
      store.policies(of),
    ]);
    const { total, onTime, resting } = policies;
    const [overdue, expiringIn30Days, unusual] = await Promise.all([
      store.overdue(of),
      store.expiring(of, expiryDays),
      store.unusual(of, period),
    ]);
    const findings = {
      inventory: { secrets, externalKeys, ...(keyEncryptionKeys ? { keyEncryptionKeys } : {}) },
      access: { ...access, mostActive },
      rotation: { policies: total, onTime, resting, compliance: total === 0 ? null : onTime / total, ...done },
      ...{ overdue, expiringIn30Days, unusual },
    };
    return {
      of: of ?? "everybody",
      from: period.from.toISOString(),
      to: period.to.toISOString(),
      madeAt: madeAt.toISOString(),
      ...findings,
      recommendations: recommendationsFor(findings),
      checkpoint,
    };
  };
}

function periodOf({ from, to }: Pick<z.infer<typeof reportQuery>, "from" | "to">, at: Date): Period {
  const until = to === undefined ? at : new Date(to);
  const period = { from: from === undefined ? new Date(until.getTime() - periodDays * dayMs) : new Date(from), to: until };
  if (period.from < period.to) return period;
  throw new Problem("validation_failed", { errors: [{ pointer: "query.from", detail: "is not before `to`" }] });
}

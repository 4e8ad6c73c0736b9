import type { z } from "zod";
import { type Actor, ownershipOf } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import type { sandboxMetrics } from "../schema.ts";
import { memoryStepsBytes, type SandboxInsightStore } from "./store.ts";

export interface SandboxInsightDeps {
  readonly store: SandboxInsightStore;
  /** Of this copy's cells; undefined without the sandbox role, or while its thread starts. */
  readonly cells: () => Promise<Readonly<Record<string, number>> | undefined>;
  readonly now: Now;
}

const dayMs = 86_400_000;
const errorsMax = 20;

/** How executions went: the caller's own or the team's, and for administrators everybody's. */
export function createSandboxInsight({ store, cells, now }: SandboxInsightDeps) {
  return async (actor: Actor, asked: { readonly since?: string | undefined }): Promise<z.infer<typeof sandboxMetrics>> => {
    const since = asked.since ? new Date(asked.since) : new Date(now().getTime() - dayMs);
    const isAdmin = actor.role === "admin";
    const whose = isAdmin ? {} : ownershipOf(actor);
    const [byStatus, errors, receipts, stats] = await Promise.all([
      store.byStatus(whose, since),
      store.errors(whose, since, errorsMax),
      store.receipts(whose, since),
      isAdmin ? cells() : undefined,
    ]);
    const total = byStatus.reduce((sum, { count }) => sum + count, 0);
    const succeeded = byStatus.find(({ name }) => name === "succeeded")?.count ?? 0;
    return {
      since: since.toISOString(),
      total,
      byStatus: Object.fromEntries(byStatus.map(({ name, count }) => [name, count])),
      successRate: total === 0 ? null : succeeded / total,
      errors,
      wallMs: toDistribution(receipts.wall),
      cpuMs: toDistribution(receipts.cpu),
      memory: memoryStepsBytes.map((bytesMax, index) => ({ bytesMax, count: receipts.memory?.[index] ?? 0 })),
      ...(stats ? { cells: { ...stats } } : {}),
    };
  };
}

function toDistribution(percentiles: readonly number[] | null) {
  const [p50, p95, p99] = percentiles ?? [];
  return p50 === undefined || p95 === undefined || p99 === undefined ? null : { p50, p95, p99 };
}

import type { z } from "zod";
import { capabilityNames, type ExecutionRequest } from "../../../sandbox/execution.ts";
import { type Actor, ownershipOf } from "../../platform/actor.ts";
import { newId } from "../../platform/ids.ts";
import type { Guest } from "./capabilities/broker.ts";
import type { ExecutionInput, execution as executionSchema, executionSummary } from "./schema.ts";
import type { ExecutionRow, ExecutionStore, ExecutionSummaryRow } from "./store.ts";

export type ExecutionSummary = z.infer<typeof executionSummary>;
export type ExecutionView = z.infer<typeof executionSchema>;
export type NewRow = Parameters<ExecutionStore["insert"]>[0];

export function newRow(actor: Actor, { wait: _wait, ...input }: ExecutionInput, createdAt: Date): NewRow {
  const { debug: debugOptions, ...asked } = input;
  return {
    id: newId("execution"),
    ...ownershipOf(actor),
    status: "queued",
    ...asked,
    debugOptions,
    deterministic: input.seed !== undefined,
    createdAt,
  };
}

type Asked = Pick<NewRow, "id" | "ownerId" | "teamId" | "code" | "input" | "timeoutMs" | "memoryBytes"> &
  Partial<Pick<NewRow, "seed" | "language" | "deterministic" | "priority" | "capabilities" | "debugOptions">>;

/** The request a cell gets for a stored execution. */
export function toRequest(row: Asked): ExecutionRequest {
  const { id, ownerId, teamId, code, input = null, timeoutMs, memoryBytes, seed, language, capabilities, debugOptions: debug } = row;
  return {
    id,
    owner: teamId ?? ownerId,
    code,
    inputText: JSON.stringify(input),
    timeoutMs,
    memoryBytes,
    deterministic: row.deterministic ?? false,
    priority: row.priority ?? 0,
    capabilities: capabilityNames.filter((name) => capabilities?.[name] !== undefined),
    ...(seed ? { seed } : {}),
    ...(language ? { language } : {}),
    ...(debug ? { debug } : {}),
  };
}

/** In whose name a stored execution asks its host, and for what. */
export function guestOf({ id, ownerId, teamId, capabilities }: Pick<NewRow, "id" | "ownerId" | "teamId" | "capabilities">): Guest {
  return { executionId: id, ownerId, teamId: teamId ?? null, grants: capabilities ?? {} };
}

export function toView(row: ExecutionRow): ExecutionView {
  return {
    ...toSummary(row),
    ...(row.status === "succeeded" ? { output: row.output } : {}),
    logs: [...row.logs],
    calls: [...row.calls],
    ...(row.debug ? { debug: row.debug } : {}),
  };
}

export function toSummary(row: ExecutionSummaryRow): ExecutionSummary {
  return {
    id: row.id,
    status: row.status,
    ...(row.taskId ? { taskId: row.taskId } : {}),
    ...(row.error ? { error: row.error } : {}),
    ...(row.receipt ? { receipt: row.receipt } : {}),
    ...(row.receiptSignature ? { receiptSignature: row.receiptSignature } : {}),
    createdAt: row.createdAt.toISOString(),
    ...(row.finishedAt ? { finishedAt: row.finishedAt.toISOString() } : {}),
  };
}

import type { z } from "zod";
import type { ExecutionOutcome, ExecutionRequest } from "../../../sandbox/execution.ts";
import { type Actor, ownershipOf } from "../../platform/actor.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { newId } from "../../platform/ids.ts";
import type { Transact } from "../../platform/outbox.ts";
import type { Can } from "../auth/can.ts";
import type { TaskProducer } from "../tasks/record/create.ts";
import { executionFinished } from "./events.ts";
import { executeJob } from "./jobs.ts";
import type { ExecutionInput, execution as executionSchema, executionSummary } from "./schema.ts";
import { type EndedTasks, settled } from "./settled.ts";
import { type ExecutionRow, type ExecutionStore, type ExecutionSummaryRow, outcomeColumns } from "./store.ts";

export type ExecutionSummary = z.infer<typeof executionSummary>;
export type ExecutionView = z.infer<typeof executionSchema>;
export type SandboxService = ReturnType<typeof createSandboxService>;

export interface SandboxDeps {
  readonly store: ExecutionStore;
  readonly transact: Transact;
  readonly createTask: TaskProducer["create"];
  readonly can: Can;
  /** Runs a program in a cell of this copy and rejects when none can be had; undefined on a copy without the sandbox role. */
  readonly execute: ((request: ExecutionRequest, signal: AbortSignal) => Promise<ExecutionOutcome>) | undefined;
  /** Resolves when the task has ended, or when `signal` aborts. */
  readonly taskEnd: (taskId: string, signal: AbortSignal) => Promise<void>;
  readonly endedTasks: EndedTasks;
  readonly now: Now;
}

/** How long a request waits beyond the program's own limit for a program that another copy runs. */
const remotePatienceMs = 10_000;

/** The request that asks. */
interface Caller {
  readonly requestId: string;
  /** Aborts when the client has gone: a program that only it waits for is not run to its end. */
  readonly signal: AbortSignal;
}

type Accepted = { readonly execution: ExecutionView; readonly taskId: string };

/** What a client may do with the sandbox. Somebody else's execution does not exist for it; administrators see all. */
export function createSandboxService({ store, transact, createTask, can, execute, taskEnd, endedTasks, now }: SandboxDeps) {
  const assertMayMake = async (actor: Actor): Promise<void> => {
    if (!(await can(actor, "sandbox:write", ownershipOf(actor))))
      throw new Problem("forbidden", { detail: "Viewers of a team run nothing for it." });
  };

  const runHere = async (
    actor: Actor,
    input: ExecutionInput,
    run: (request: ExecutionRequest) => Promise<ExecutionOutcome>,
  ): Promise<ExecutionView> => {
    const row = newRow(actor, input, now());
    const outcome = await run(toRequest(row));
    const finishedAt = now();
    const stored = await transact(async (unit) => {
      const inserted = await store.insert({ ...row, ...outcomeColumns(outcome), finishedAt }, unit.tx);
      unit.publish(executionFinished, {
        subject: row.id,
        audience: actor.userId,
        data: { status: outcome.status, wallMs: outcome.receipt.wallMs },
      });
      return inserted;
    });
    return toView(stored);
  };

  const submit = (actor: Actor, input: ExecutionInput, { requestId }: Caller): Promise<Accepted> =>
    transact(async (unit) => {
      const row = newRow(actor, input, now());
      const task = await createTask(unit, { contract: executeJob, input: { executionId: row.id }, ...ownershipOf(actor), requestId });
      const stored = await store.insert({ ...row, taskId: task.id }, unit.tx);
      return { execution: toView(stored), taskId: task.id };
    });

  return {
    /** Runs the program and answers with its result; without cells of its own this copy waits for another, and when that takes long answers with the task. */
    run: async (actor: Actor, input: ExecutionInput, caller: Caller): Promise<{ readonly execution: ExecutionView } | Accepted> => {
      await assertMayMake(actor);
      if (execute) return { execution: await runHere(actor, input, (request) => execute(request, caller.signal)) };
      const accepted = await submit(actor, input, caller);
      await taskEnd(accepted.taskId, AbortSignal.timeout(input.timeoutMs + remotePatienceMs));
      const row = await store.find(accepted.execution.id);
      return row?.finishedAt ? { execution: toView(row) } : accepted;
    },

    /** Stores the program and asks for it to be run as a task; both or neither. */
    submit: async (actor: Actor, input: ExecutionInput, caller: Caller): Promise<Accepted> => {
      await assertMayMake(actor);
      return submit(actor, input, caller);
    },

    get: async (actor: Actor, id: string): Promise<ExecutionView> => {
      const row = await store.find(id);
      if (!row || !(await can(actor, "sandbox:read", row))) throw new Problem("not_found", { detail: `There is no execution ${id}.` });
      const [seen = row] = await settled([row], endedTasks);
      return toView(seen);
    },

    list: async (actor: Actor, query: { readonly limit: number; readonly cursor?: string | undefined }) => {
      const rows = await store.list({
        ...(actor.role === "admin" ? {} : ownershipOf(actor)),
        ...(query.cursor ? { before: query.cursor } : {}),
        limit: query.limit + 1,
      });
      const page = await settled(rows.slice(0, query.limit), endedTasks);
      return { data: page.map(toSummary), nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null };
    },
  };
}

type NewRow = Parameters<ExecutionStore["insert"]>[0];

function newRow(actor: Actor, input: ExecutionInput, createdAt: Date): NewRow {
  const { code, timeoutMs, memoryBytes, seed } = input;
  return {
    id: newId("execution"),
    ...ownershipOf(actor),
    status: "queued",
    code,
    input: input.input,
    timeoutMs,
    memoryBytes,
    seed,
    createdAt,
  };
}

/** The request a cell gets for a stored execution. */
export function toRequest(row: Pick<NewRow, "id" | "ownerId" | "code" | "input" | "timeoutMs" | "memoryBytes" | "seed">): ExecutionRequest {
  const { id, ownerId: owner, code, input = null, timeoutMs, memoryBytes, seed } = row;
  return { id, owner, code, inputText: JSON.stringify(input), timeoutMs, memoryBytes, ...(seed ? { seed } : {}) };
}

export function toView(row: ExecutionRow): ExecutionView {
  return { ...toSummary(row), ...(row.status === "succeeded" ? { output: row.output } : {}), logs: [...row.logs] };
}

function toSummary(row: ExecutionSummaryRow): ExecutionSummary {
  return {
    id: row.id,
    status: row.status,
    ...(row.taskId ? { taskId: row.taskId } : {}),
    ...(row.error ? { error: row.error } : {}),
    ...(row.receipt ? { receipt: row.receipt } : {}),
    createdAt: row.createdAt.toISOString(),
    ...(row.finishedAt ? { finishedAt: row.finishedAt.toISOString() } : {}),
  };
}

import { z } from "zod";
import type { AskHost, ExecutionOutcome, ExecutionRequest, HostAnswer, HostCall } from "../../../sandbox/execution.ts";
import { type Actor, ownershipOf } from "../../platform/actor.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import type { Transact } from "../../platform/outbox.ts";
import { holdsScope } from "../../platform/scopes.ts";
import type { Can } from "../auth/can.ts";
import type { TaskProducer } from "../tasks/record/create.ts";
import { type Guest, recordCalls } from "./capabilities/broker.ts";
import { type SignReceipt, signatureOf } from "./finish.ts";
import { executeJob } from "./jobs.ts";
import { createRecord } from "./record.ts";
import { differences, type Replay, replayRequest } from "./replay.ts";
import { type ExecutionView, guestOf, newRow, toRequest, toSummary, toView } from "./rows.ts";
import type { ExecutionInput } from "./schema.ts";
import { type EndedTasks, settled } from "./settled.ts";
import type { ExecutionRow, ExecutionStore } from "./store.ts";
import { capabilitiesOf, type Validation, type ValidationInput, validateRequest } from "./validate.ts";

export type SandboxService = ReturnType<typeof createSandboxService>;

export interface SandboxDeps {
  readonly store: ExecutionStore;
  readonly transact: Transact;
  readonly createTask: TaskProducer["create"];
  readonly can: Can;
  /** Runs a program in a cell of this copy and rejects when none can be had; undefined on a copy without the sandbox role. */
  readonly execute: Execute | undefined;
  /** Answers what a program asks of its host. */
  readonly answer: Answer;
  readonly sign: SignReceipt;
  /** Resolves when the task has ended, or when `signal` aborts. */
  readonly taskEnd: (taskId: string, signal: AbortSignal) => Promise<void>;
  readonly endedTasks: EndedTasks;
  readonly now: Now;
}

export type Execute = (
  request: ExecutionRequest,
  options: { readonly ask?: AskHost; readonly signal: AbortSignal },
) => Promise<ExecutionOutcome>;
export type Answer = (guest: Guest, call: HostCall) => Promise<HostAnswer>;

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
export function createSandboxService({ store, transact, createTask, can, execute, answer, sign, taskEnd, endedTasks, now }: SandboxDeps) {
  const record = createRecord({ store, transact });

  const assertMayMake = async (actor: Actor, { capabilities }: Pick<ExecutionInput, "capabilities">): Promise<void> => {
    if (!(await can(actor, "sandbox:write", ownershipOf(actor))))
      throw new Problem("forbidden", { detail: "Viewers of a team run nothing for it." });
    // Nobody may have a program do what they may not do themselves.
    if (capabilities?.events && !holdsScope(actor, "events:write"))
      throw new Problem("insufficient_scope", { detail: "To grant `events` the key needs the scope events:write itself." });
    if (capabilities?.fetch && capabilities.fetch.secrets.length > 0 && !holdsScope(actor, "secrets:read"))
      throw new Problem("insufficient_scope", { detail: "To grant `secrets` the key needs the scope secrets:read itself." });
  };

  const visible = async (actor: Actor, id: string): Promise<ExecutionRow> => {
    const row = await store.find(id);
    if (!row || !(await can(actor, "sandbox:read", row))) throw new Problem("not_found", { detail: `There is no execution ${id}.` });
    return row;
  };

  const cells = (): Execute => {
    if (!execute) throw new Problem("unavailable", { detail: "This copy has no sandbox role; ask one that has.", retryAfterSeconds: 5 });
    return execute;
  };

  const runHere = async (
    actor: Actor,
    input: ExecutionInput,
    run: (request: ExecutionRequest, ask: AskHost) => Promise<ExecutionOutcome>,
  ): Promise<ExecutionView> => {
    const row = newRow(actor, input, now());
    const guest = guestOf(row);
    const { ask, uses } = recordCalls(guest.grants, (call) => answer(guest, call));
    const outcome = await run(toRequest(row), ask);
    const signature = await signatureOf(row, outcome, sign);
    return toView(await record({ row, outcome, calls: uses, signature, finishedAt: now() }));
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
      await assertMayMake(actor, input);
      if (execute) return { execution: await runHere(actor, input, (request, ask) => execute(request, { ask, signal: caller.signal })) };
      const accepted = await submit(actor, input, caller);
      await taskEnd(accepted.taskId, AbortSignal.timeout(input.timeoutMs + remotePatienceMs));
      const row = await store.find(accepted.execution.id);
      return row?.finishedAt ? { execution: toView(row) } : accepted;
    },

    /** Stores the program and asks for it to be run as a task; both or neither. */
    submit: async (actor: Actor, input: ExecutionInput, caller: Caller): Promise<Accepted> => {
      await assertMayMake(actor, input);
      return submit(actor, input, caller);
    },

    get: async (actor: Actor, id: string): Promise<ExecutionView> => {
      const row = await visible(actor, id);
      const [seen = row] = await settled([row], endedTasks);
      return toView(seen);
    },

    /** Runs a finished execution once more and tells what differs. Stores nothing. */
    replay: async (actor: Actor, id: string, { signal }: Pick<Caller, "signal">): Promise<Replay> => {
      const row = await visible(actor, id);
      if (!row.finishedAt) throw new Problem("conflict", { detail: `${id} has not ended yet.` });
      if (row.calls.length > 0)
        throw new Problem("conflict", { detail: `${id} asked its host for ${row.calls.length} things, which may have changed.` });
      const outcome = await cells()(replayRequest(toRequest(row), row), { signal });
      const differing = differences(row, outcome);
      const { status, output, error, logs, receipt } = outcome;
      return {
        identical: differing.length === 0,
        deterministic: row.deterministic,
        differences: differing,
        outcome: { status, ...(output === undefined ? {} : { output }), ...(error ? { error } : {}), logs: [...logs], receipt },
      };
    },

    /** Looks at the code as a run would, without running it. */
    validate: async (actor: Actor, input: ValidationInput, { signal }: Pick<Caller, "signal">): Promise<Validation> => {
      const { teamId, ownerId } = ownershipOf(actor);
      const { status, output, error } = await cells()(validateRequest(input, teamId ?? ownerId), { signal });
      return {
        valid: status === "succeeded",
        ...(error ? { error } : {}),
        ...(status === "succeeded" ? check.parse(output) : {}),
        codeBytes: Buffer.byteLength(input.code),
        capabilities: capabilitiesOf(input),
      };
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

const check = z.object({ kind: z.enum(["script", "asyncScript", "module"]), language: z.enum(["javascript", "typescript"]) });

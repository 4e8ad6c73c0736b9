import type { Db, Queryable } from "../../../../db/client.ts";
import { createBatcher } from "../../../platform/batcher.ts";
import type { Now } from "../../../platform/clock.ts";
import { newId } from "../../../platform/ids.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { QueueName, QueueTable } from "../../../platform/queue/catalogue.ts";
import type { JobContract } from "../../../platform/queue/job.ts";
import { type NewTask, taskRecord } from "./store.ts";

/** What it adds to a task's priority. */
const urgencies = { high: -250, normal: 0, low: 250 } as const;
type Urgency = keyof typeof urgencies;

export interface TaskRequest<Input = unknown> {
  readonly contract: JobContract<string, Input>;
  readonly input: Input;
  /** Who sees it; absent for work of the system, which only administrators see. */
  readonly ownerId?: string;
  /** Whose it is, if not the owner's own. */
  readonly teamId?: string;
  /** Whose share of the queue work of the system takes, when it is done for somebody who does not see it. */
  readonly tenant?: string;
  /** Divides what the tenant gets among its own groups. */
  readonly group?: string;
  /** How large the tenant's share is beside others'. */
  readonly weight?: number;
  /** Within the group, added to the queue's own and the owner's tier's; lower goes first. */
  readonly priority?: number;
  /** Within the group. */
  readonly urgency?: Urgency;
  readonly delayMs?: number;
  readonly timeoutMs?: number;
  /** While a task of the group with this key has not ended, another is not made. */
  readonly dedupeKey?: string;
  readonly requestId?: string;
}

/** A task that was accepted. */
export interface Created {
  readonly id: string;
  /** There was one already with the same `dedupeKey`; the id is its. */
  readonly duplicate: boolean;
}

export interface TaskProducer {
  /** Part of the caller's unit of work: the task is committed with the rest, or not at all. The committed row is its own message to the queue. */
  create<Input>(unit: Unit, request: TaskRequest<Input>): Promise<Created>;
  /** On its own, stored when this resolves; requests that come together are stored together. */
  enqueue<Input>(request: TaskRequest<Input>): Promise<Created>;
  /** The same for many, all of them or none, in their order. */
  enqueueAll(requests: readonly TaskRequest[]): Promise<readonly Created[]>;
}

export interface ProducerDeps {
  readonly db: Db;
  readonly findByDedupeKey: (task: Pick<NewTask, "queue" | "groupKey" | "dedupeKey">, on: Queryable) => Promise<string | undefined>;
  readonly queues: QueueTable;
  /** Tells the dispatcher that something waits. */
  readonly wake: (queue: QueueName) => void;
  readonly now: Now;
}

/** How tasks come to be. */
export function createTaskProducer({ db, findByDedupeKey, queues, wake, now }: ProducerDeps): TaskProducer {
  const toTask = ({ contract, ...request }: TaskRequest): NewTask => {
    const settings = queues[contract.queue];
    const createdAt = now();
    return {
      id: newId("task"),
      queue: contract.queue,
      job: contract.name,
      ownerId: request.ownerId,
      teamId: request.teamId,
      groupKey: groupKeyOf(request),
      weight: request.weight ?? 1,
      priority: settings.priority + (request.priority ?? 0) + urgencies[request.urgency ?? "normal"],
      ownPriority: request.priority,
      status: request.delayMs ? "delayed" : "waiting",
      attemptsMax: settings.attempts,
      timeoutMs: request.timeoutMs,
      availableAt: request.delayMs ? new Date(createdAt.getTime() + request.delayMs) : undefined,
      dedupeKey: request.dedupeKey,
      requestId: request.requestId,
      createdAt,
      input: request.input,
    };
  };

  const insert = async (tasks: readonly NewTask[], on: Queryable): Promise<Created[]> => {
    const taken = await taskRecord.insert(tasks, on);
    return Promise.all(
      tasks.map(async (task) => {
        if (taken.has(task.id)) return { id: task.id, duplicate: false };
        const id = await findByDedupeKey(task, on);
        // It has ended between the two statements: what was asked for is not under way any more.
        if (id === undefined) return (await insert([{ ...task }], on))[0] ?? { id: task.id, duplicate: true };
        return { id, duplicate: true };
      }),
    );
  };

  const store = async (tasks: readonly NewTask[]): Promise<Created[]> => {
    const created = await insert(tasks, db);
    for (const queue of new Set(tasks.map((task) => task.queue))) wake(queue);
    return created;
  };

  const batches = createBatcher<{ readonly json: string; readonly task: NewTask }, Created>({
    run: (items) => store(items.map(({ task }) => task)),
  });

  const enqueue: TaskProducer["enqueue"] = (request) =>
    batches.add({ json: JSON.stringify(request.input) ?? "null", task: toTask(request) });

  return {
    create: async (unit, request) => {
      const [created] = await insert([toTask(request)], unit.tx);
      if (!created) throw new Error("insert returned no row");
      unit.afterCommit(() => wake(request.contract.queue));
      return created;
    },
    enqueue,
    enqueueAll: async (requests) => {
      const [only] = requests;
      return only && requests.length === 1 ? [await enqueue(only)] : store(requests.map(toTask));
    },
  };
}

/** `tenant` or `tenant/group`: a tenant has one share, however many groups it makes. */
function groupKeyOf({ ownerId, teamId, tenant: given, group }: Pick<TaskRequest, "ownerId" | "teamId" | "tenant" | "group">): string {
  const tenant = teamId ?? ownerId ?? given ?? "system";
  return group === undefined ? tenant : `${tenant}/${group}`;
}

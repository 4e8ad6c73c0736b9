import { createRoute, z } from "@hono/zod-openapi";
import { type AppContext, actorOf } from "../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, jsonBody, keySecurity, problemAnswers } from "../../http/route.ts";
import type { EventStreams } from "../../http/sse.ts";
import { Problem } from "../../platform/errors.ts";
import type { TaskEvent } from "./events.ts";
import { queueRoutes } from "./queues/routes.ts";
import type { QueueService } from "./queues/service.ts";
import { activeTask, newTasks, task, taskId, taskInput, taskPage, taskQuery, taskSummary } from "./schema.ts";
import type { TaskService } from "./service.ts";

export interface TaskRoutesDeps {
  readonly tasks: TaskService;
  readonly queues: QueueService;
  readonly guards: Guards;
  readonly streams: EventStreams;
}

/**
 * Those of the queues are in queues/routes.ts.
 *
 * POST /v1/tasks
 * GET  /v1/tasks
 * GET  /v1/tasks/active
 * GET  /v1/tasks/:id
 * POST /v1/tasks/:id/cancel
 * POST /v1/tasks/:id/pause
 * POST /v1/tasks/:id/resume
 * POST /v1/tasks/:id/retry
 * GET  /v1/tasks/:id/stream
 */
export function taskRoutes(deps: TaskRoutesDeps) {
  const { tasks, guards, streams } = deps;
  const params = z.object({ id: taskId });
  const common = { tags: ["tasks"], security: keySecurity, middleware: guards.signedIn };

  const control = (verb: "pause" | "resume" | "cancel" | "retry", summary: string) =>
    createRoute({
      ...common,
      method: "post",
      path: `/v1/tasks/{id}/${verb}` as const,
      summary,
      request: { params },
      responses: {
        200: jsonAnswer("The task as it is now", z.object({ task })),
        ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope", "forbidden", "not_found", "conflict"),
      },
    });

  const routes = createRoutes();
  routes.openAPIRegistry.register("NewTask", taskInput);
  return routes
    .route("/", queueRoutes(deps))
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/tasks",
        summary: "A task for one of the queues, or up to a thousand in an array",
        description: [
          "It is stored when this answers. `GET /v1/tasks/{id}/stream` tells what becomes of it.",
          "Of an array all are accepted, or, when one of them is not as expected, none; the answer is `{tasks}` in the same order.",
        ].join("\n\n"),
        request: { body: jsonBody(newTasks) },
        responses: {
          202: jsonAnswer(
            "The task that was accepted; with `dedupeKey` the one that is under way",
            z.union([z.object({ task }), z.object({ tasks: z.array(taskSummary) })]),
          ),
          ...problemAnswers(
            "validation_failed",
            "unauthenticated",
            "insufficient_scope",
            "forbidden",
            "not_found",
            "payload_too_large",
            "queue_full",
          ),
        },
      }),
      async (c) => {
        const given = c.req.valid("json");
        const { requestId } = c.env;
        if (Array.isArray(given)) return c.json({ tasks: await tasks.createMany(actorOf(c), given, requestId) }, 202);
        return c.json({ task: await tasks.create(actorOf(c), given, requestId) }, 202);
      },
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/tasks/active",
        summary: "What runs right now, and where; your own, or all of it for an administrator",
        responses: {
          200: jsonAnswer("The running tasks, the longest first", z.object({ data: z.array(activeTask) })),
          ...problemAnswers("unauthenticated", "insufficient_scope"),
        },
      }),
      async (c) => c.json({ data: await tasks.active(actorOf(c)) }, 200),
    )
    .openapi(control("cancel", "End a task, whether it waits or runs"), async (c) =>
      c.json({ task: await tasks.cancel({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").id) }, 200),
    )
    .openapi(control("pause", "Stop a task where it is, to go on later from what it has saved"), async (c) =>
      c.json({ task: await tasks.pause({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").id) }, 200),
    )
    .openapi(control("resume", "Let a paused task go on"), async (c) =>
      c.json({ task: await tasks.resume({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").id) }, 200),
    )
    .openapi(control("retry", "Give a task that ended without success all its attempts again"), async (c) =>
      c.json({ task: await tasks.retry({ actor: actorOf(c), origin: c.env.origin }, c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/tasks",
        summary: "Tasks, newest first; your own, or all of them for an administrator",
        request: { query: taskQuery },
        responses: {
          200: jsonAnswer("A page of tasks", taskPage),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope"),
        },
      }),
      async (c) => c.json(await tasks.list(actorOf(c), c.req.valid("query")), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/tasks/{id}",
        summary: "One task",
        request: { params },
        responses: {
          200: jsonAnswer("The task", z.object({ task })),
          ...problemAnswers("validation_failed", "unauthenticated", "insufficient_scope", "not_found"),
        },
      }),
      async (c) => c.json({ task: await tasks.get(actorOf(c), c.req.valid("param").id) }, 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/tasks/{id}/stream",
        summary: "What happens to a task, as server-sent events, ending with `result`",
        description:
          "Events: state, progress, log, result. Resume with Last-Event-ID. Answers 204 when the result was already seen, which tells an EventSource to stop.",
        request: { params },
        responses: {
          200: { description: "The stream", content: { "text/event-stream": { schema: z.string() } } },
          204: { description: "Nothing will follow Last-Event-ID" },
          ...problemAnswers("invalid_cursor", "unauthenticated", "insufficient_scope", "not_found"),
        },
      }),
      async (c) => {
        const history = await tasks.history(actorOf(c), c.req.valid("param").id, lastEventId(c));
        if (!history) return c.body(null, 204);
        return streams.respond(c, (signal) => asMessages(history(signal)), { endless: false });
      },
    );
}

/** `Last-Event-ID` (WHATWG HTML §9.2.4) as the number of a history entry; 0 without one. */
function lastEventId(c: AppContext): number {
  const given = c.req.header("last-event-id") ?? "0";
  if (!/^\d{1,9}$/.test(given))
    throw new Problem("invalid_cursor", { detail: `Last-Event-ID "${given.slice(0, 40)}" is not the id of an event of this stream.` });
  return Number(given);
}

async function* asMessages(events: AsyncIterable<TaskEvent>) {
  for await (const event of events) yield { id: String(event.seq), event: event.type, data: event.data };
}

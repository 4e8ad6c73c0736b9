import { z } from "@hono/zod-openapi";
import type { SandboxBounds } from "../../sandbox/schema.ts";
import { failure, longRunningFields, partName, programFields, refuseTwins } from "../long-running/schema.ts";

const agentsMax = 20;

export const swarmId = z.string().max(64).openapi({ example: "swm_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });

/** The body of POST /v1/swarms, within what this installation allows. */
export function swarmRequest(bounds: SandboxBounds) {
  return z
    .strictObject({
      goal: z.string().min(1).max(10_000).openapi({ example: "Find a number above 10" }),
      agents: z
        .array(z.strictObject({ name: partName, ...programFields(bounds) }))
        .min(1)
        .max(agentsMax)
        .superRefine((agents, context) => refuseTwins(agents, (path, message) => context.addIssue({ code: "custom", path, message })))
        .openapi({
          example: [
            { name: "guesser", code: "({ post: input.round * 4 })" },
            { name: "judge", code: "({ done: (input.board.guesser ?? 0) > 10 })" },
          ],
        }),
      rounds: z.number().int().min(1).max(100).default(10).openapi({ description: "As many as there are at most" }),
      concurrency: z.number().int().min(1).max(agentsMax).default(4).openapi({ description: "Agents that work at the same time" }),
    })
    .openapi("SwarmRequest");
}

export type SwarmSpec = z.infer<ReturnType<typeof swarmRequest>>;
export type Agent = SwarmSpec["agents"][number];

const agent = z.object({
  name: z.string(),
  turns: z.number().int(),
  failures: z.number().int(),
  done: z.boolean(),
  lastError: failure.optional(),
});

const swarmSummary = z.object({ id: swarmId, ...longRunningFields }).openapi("SwarmSummary");
export const swarm = swarmSummary
  .extend({
    goal: z.string(),
    round: z.number().int().openapi({ description: "The one under way, or the last one" }),
    rounds: z.number().int(),
    board: z.record(z.string(), z.unknown()).openapi({ description: "What each agent has posted last" }),
    agents: z.array(agent),
  })
  .openapi("Swarm");
export const swarmAnswer = z.object({ swarm });
export const swarmPage = z.object({ data: z.array(swarmSummary), nextCursor: z.string().nullable() }).openapi("SwarmPage");

import { z } from "zod";
import { toSummary } from "../long-running/service.ts";
import type { TaskRow } from "../store.ts";
import type { swarm } from "./schema.ts";
import { parseSwarmState } from "./state.ts";

export type SwarmView = z.infer<typeof swarm>;

/** Of the stored input only what is shown, so that a swarm of an older version of us is shown as well. */
const stored = z.object({ goal: z.string(), rounds: z.number(), agents: z.array(z.object({ name: z.string() })) });

export function toSwarmView(row: TaskRow): SwarmView {
  const { goal, rounds, agents } = stored.parse(row.input);
  const state = parseSwarmState(row.checkpoint);
  return {
    ...toSummary("swarm", row),
    ...{ goal, round: state.round, rounds, board: { ...state.board } },
    agents: agents.map(({ name }) => ({ name, ...(state.agents[name] ?? { turns: 0, failures: 0, done: false }) })),
  };
}

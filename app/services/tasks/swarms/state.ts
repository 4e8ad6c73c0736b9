import { z } from "zod";
import { failure } from "../long-running/schema.ts";

/** What came of asking one agent once. */
const turn = z.object({ post: z.unknown().optional(), done: z.boolean().optional(), error: failure.optional() });
export type Turn = Readonly<z.infer<typeof turn>>;

const standing = z.object({ turns: z.number(), failures: z.number(), done: z.boolean(), lastError: failure.optional() });

/** How far a swarm has come: the checkpoint of its task. */
const swarmState = z.object({
  /** From 1: the one under way. */
  round: z.number(),
  /** As it was when the round began, by agent. */
  board: z.record(z.string(), z.unknown()),
  /** Of this round so far, by agent. */
  turns: z.record(z.string(), turn),
  agents: z.record(z.string(), standing),
  over: z.boolean(),
});
export type SwarmState = Readonly<z.infer<typeof swarmState>>;

/** From a checkpoint; null and undefined are the beginning. Throws for what is none. */
export function parseSwarmState(checkpoint: unknown): SwarmState {
  return swarmState.parse(checkpoint ?? { round: 1, board: {}, turns: {}, agents: {}, over: false });
}

export function withTurn(state: SwarmState, name: string, taken: Turn): SwarmState {
  const before = state.agents[name] ?? { turns: 0, failures: 0, done: false };
  const after = {
    ...before,
    turns: before.turns + 1,
    failures: before.failures + (taken.error ? 1 : 0),
    done: before.done || taken.done === true,
    ...(taken.error ? { lastError: taken.error } : {}),
  };
  return { ...state, turns: { ...state.turns, [name]: taken }, agents: { ...state.agents, [name]: after } };
}

/** Every agent has failed in this round: it can only be taken again. */
export function allFailed({ turns }: SwarmState): boolean {
  return Object.values(turns).every(({ error }) => error !== undefined);
}

/** The same round from its beginning. */
export function beforeRound(state: SwarmState): SwarmState {
  return { ...state, turns: {} };
}

/** What the agents have posted comes onto the board together, so that their order plays no part. The last of `rounds` has no next one. */
export function afterRound(state: SwarmState, rounds: number): SwarmState {
  const taken = Object.entries(state.turns);
  const posts = taken.filter(([, { post }]) => post !== undefined).map(([name, { post }]) => [name, post] as const);
  const over = taken.some(([, { done }]) => done) || state.round >= rounds;
  return {
    ...state,
    round: over ? state.round : state.round + 1,
    board: { ...state.board, ...Object.fromEntries(posts) },
    turns: {},
    over,
  };
}

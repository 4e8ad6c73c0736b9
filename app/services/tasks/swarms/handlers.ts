import { giveUp, type JobContext, type JobHandler } from "../../../platform/queue/job.ts";
import { createRunProgram, type Execute } from "../long-running/program.ts";
import { type AskAgent, createProgramAgent } from "./agent.ts";
import type { Agent, SwarmSpec } from "./schema.ts";
import { afterRound, allFailed, beforeRound, parseSwarmState, type SwarmState, withTurn } from "./state.ts";

export interface SwarmHandlerDeps {
  readonly execute: Execute;
}

/**
 * Asks the agents round by round until one says that it is done.
 * Idempotent: each turn is saved as it ends, so another attempt asks only those who had not answered; programs have no effects of their own.
 */
export function createSwarmHandler({ execute }: SwarmHandlerDeps): JobHandler<SwarmSpec> {
  const ask: AskAgent = createProgramAgent(createRunProgram(execute));

  return async (spec, context) => {
    let state = parseSwarmState(context.checkpoint);
    while (!state.over) {
      state = await takeTurns(ask, { spec, state, context });
      if (allFailed(state)) {
        await keep(spec, beforeRound(state), context);
        const { error } = Object.values(state.turns)[0] ?? {};
        giveUp(`all agents failed in round ${state.round}, the first with ${error?.name}: ${error?.message}`);
      }
      state = afterRound(state, spec.rounds);
      await keep(spec, state, context);
    }
    const done = Object.keys(state.agents).filter((name) => state.agents[name]?.done);
    return { rounds: state.round, done, board: state.board };
  };
}

interface Round {
  readonly spec: SwarmSpec;
  readonly state: SwarmState;
  readonly context: JobContext;
}

/** Asks those who have not had their turn in this round. When the attempt has to stop, who was asked gets to end first, so that nobody is asked twice. */
async function takeTurns(ask: AskAgent, { spec, state: before, context }: Round): Promise<SwarmState> {
  const { goal, agents, concurrency } = spec;
  const { round, board } = before;
  const waiting: Agent[] = agents.filter(({ name }) => !Object.hasOwn(before.turns, name));
  let state = before;
  let stopped = false;

  const lane = async () => {
    for (let agent = waiting.shift(); agent && !stopped; agent = waiting.shift()) {
      const turn = await ask(agent, { goal, round, board, context });
      state = withTurn(state, agent.name, turn);
      if (turn.error) await context.lines([{ level: "warn", message: `${agent.name}: ${turn.error.name}: ${turn.error.message}` }]);
      await keep(spec, state, context);
    }
  };
  const lanes = Array.from({ length: concurrency }, () =>
    lane().catch((error: unknown) => {
      stopped = true;
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(lanes)).find((it) => it.status === "rejected");
  if (failed) throw failed.reason;
  return state;
}

async function keep({ rounds }: SwarmSpec, state: SwarmState, context: JobContext): Promise<void> {
  const done = state.over ? state.round : state.round - 1;
  const progress = { done, total: rounds, ...(state.over ? {} : { step: `round ${state.round}` }) };
  // Asked for at once, so that both are one write.
  await Promise.all([context.save(state), context.progress(progress)]);
  context.signal.throwIfAborted();
}

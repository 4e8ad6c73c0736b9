import { z } from "zod";
import type { JobContext } from "../../../platform/queue/job.ts";
import { ProgramFailed, type RunProgram } from "../long-running/program.ts";
import type { Agent } from "./schema.ts";
import type { Turn } from "./state.ts";

export interface TurnRequest {
  readonly goal: string;
  readonly round: number;
  readonly board: Readonly<Record<string, unknown>>;
  readonly context: Pick<JobContext, "ownerId" | "signal" | "lines" | "use">;
}

/** Asks one agent once. What goes wrong with the agent is its turn; throws only why the attempt must stop. */
export type AskAgent = (agent: Agent, request: TurnRequest) => Promise<Turn>;

/** Of all agents together the board has to fit into the input of a program. */
const postBytesMax = 32_768;

const answer = z.object({ post: z.unknown().optional(), done: z.boolean().optional() }).nullable();

/** Agents that are programs: they see `goal`, `round`, `board` and their own `input`, and put out `{post?, done?}` or nothing. */
export function createProgramAgent(runProgram: RunProgram): AskAgent {
  return async (agent, { goal, round, board, context }) => {
    const { name, input = {} } = agent;
    try {
      return toTurn(await runProgram({ program: agent, input: { goal, round, board, input }, speaker: name, context }));
    } catch (error) {
      if (error instanceof ProgramFailed) return { error: error.failure };
      throw error;
    }
  };
}

function toTurn(output: unknown): Turn {
  const parsed = answer.safeParse(output);
  if (!parsed.success) return { error: { name: "InvalidOutput", message: "expected {post?, done?}, done being true or false" } };
  const { post, done } = parsed.data ?? {};
  const bytes = post === undefined ? 0 : Buffer.byteLength(JSON.stringify(post));
  if (bytes > postBytesMax) return { error: { name: "PostTooLarge", message: `the post has ${bytes} bytes; at most ${postBytesMax}` } };
  return { ...(post === undefined ? {} : { post }), ...(done === undefined ? {} : { done }) };
}

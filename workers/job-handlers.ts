import type { JobContract, JobHandler } from "../app/platform/queue/job.ts";
import { createExecuteHandler, type SandboxHandlerDeps } from "../app/services/sandbox/handlers.ts";
import { executeJob } from "../app/services/sandbox/jobs.ts";

/** Every job contract of the program. A contract that has no handler below does not compile. */
export const jobContracts = [executeJob] as const satisfies readonly JobContract[];

type Contract = (typeof jobContracts)[number];
type InputOf<C> = C extends JobContract<string, infer Input> ? Input : never;
export type Handlers = { readonly [C in Contract as C["name"]]: JobHandler<InputOf<C>> };

export interface HandlerDeps {
  readonly sandbox: SandboxHandlerDeps;
}

export function createHandlers(deps: HandlerDeps): Handlers {
  return {
    "sandbox.execute": createExecuteHandler(deps.sandbox),
  };
}

/** A handler that parses what arrives before it acts on it. */
export type AnyHandler = (input: unknown, context: Parameters<JobHandler<never>>[1]) => Promise<unknown>;

/** Contract and handler of the job called `name`; undefined for a name this program does not know. */
export function findHandler(handlers: Handlers, name: string): { readonly contract: JobContract; readonly handle: AnyHandler } | undefined {
  const contract = jobContracts.find((known) => known.name === name);
  if (!contract) return undefined;
  const handler = handlers[contract.name];
  return { contract, handle: (input, context) => handler(contract.input.parse(input), context) };
}

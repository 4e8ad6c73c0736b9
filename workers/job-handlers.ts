import type { JobContext, JobContract, JobHandler } from "../app/platform/queue/job.ts";
import { type AuthHandlerDeps, createEraseUserHandler } from "../app/services/auth/handlers.ts";
import { eraseUserJob } from "../app/services/auth/jobs.ts";
import { createDeliverHandler, type DeliveryHandlerDeps } from "../app/services/events/deliveries/handlers.ts";
import { createReplayHandler, type ReplayHandlerDeps } from "../app/services/events/deliveries/replay.ts";
import { deliverJob, replayJob } from "../app/services/events/jobs.ts";
import { createSendMailHandler, type NotifyHandlerDeps } from "../app/services/notify/handlers.ts";
import { sendMailJob } from "../app/services/notify/jobs.ts";
import { createExecuteHandler, createRunProgramHandler, type SandboxHandlerDeps } from "../app/services/sandbox/handlers.ts";
import { executeJob, runProgramJob } from "../app/services/sandbox/jobs.ts";
import { createRewrapHandler, type RewrapHandlerDeps } from "../app/services/secrets/keys/handlers.ts";
import { rewrapJob } from "../app/services/secrets/keys/jobs.ts";
import { createRotateHandler, type RotateHandlerDeps } from "../app/services/secrets/rotation/handlers.ts";
import { rotateJob } from "../app/services/secrets/rotation/jobs.ts";
import { createExportUserDataHandler, type ExportHandlerDeps } from "../app/services/tasks/exports/handlers.ts";
import { exportUserDataJob } from "../app/services/tasks/exports/jobs.ts";
import { createImportUserDataHandler, type ImportHandlerDeps } from "../app/services/tasks/imports/handlers.ts";
import { importUserDataJob } from "../app/services/tasks/imports/jobs.ts";
import { createRunHandler, type RunHandlerDeps } from "../app/services/tasks/runs/handlers.ts";
import { runJob } from "../app/services/tasks/runs/jobs.ts";
import { createSwarmHandler } from "../app/services/tasks/swarms/handlers.ts";
import { swarmJob } from "../app/services/tasks/swarms/jobs.ts";

/** Every job contract of the program. A contract that has no handler below does not compile. */
export const jobContracts = [
  executeJob,
  runProgramJob,
  sendMailJob,
  eraseUserJob,
  runJob,
  swarmJob,
  exportUserDataJob,
  importUserDataJob,
  deliverJob,
  replayJob,
  rewrapJob,
  rotateJob,
] as const satisfies readonly JobContract[];

export type Handlers = { readonly [C in (typeof jobContracts)[number] as C["name"]]: BoundHandler };

/** A contract and its handler, which parses what arrives before it acts on it. */
export interface BoundHandler {
  readonly contract: JobContract;
  readonly handle: (input: unknown, context: JobContext) => Promise<unknown>;
}

export interface HandlerDeps {
  readonly sandbox: SandboxHandlerDeps;
  readonly notify: NotifyHandlerDeps;
  readonly auth: AuthHandlerDeps;
  readonly runs: RunHandlerDeps;
  readonly exports: ExportHandlerDeps;
  readonly imports: ImportHandlerDeps;
  readonly deliveries: DeliveryHandlerDeps;
  readonly replays: ReplayHandlerDeps;
  readonly rewrap: RewrapHandlerDeps;
  readonly rotate: RotateHandlerDeps;
}

export function createHandlers(deps: HandlerDeps): Handlers {
  return {
    "sandbox.execute": bind(executeJob, createExecuteHandler(deps.sandbox)),
    "sandbox.run": bind(runProgramJob, createRunProgramHandler(deps.sandbox)),
    "auth.erase-user": bind(eraseUserJob, createEraseUserHandler(deps.auth)),
    "notify.send-mail": bind(sendMailJob, createSendMailHandler(deps.notify)),
    "tasks.run": bind(runJob, createRunHandler(deps.runs)),
    "tasks.swarm": bind(swarmJob, createSwarmHandler(deps.runs)),
    "tasks.export-user-data": bind(exportUserDataJob, createExportUserDataHandler(deps.exports)),
    "tasks.import-user-data": bind(importUserDataJob, createImportUserDataHandler(deps.imports)),
    "events.deliver": bind(deliverJob, createDeliverHandler(deps.deliveries)),
    "events.replay": bind(replayJob, createReplayHandler(deps.replays)),
    "secrets.rotate": bind(rotateJob, createRotateHandler(deps.rotate)),
    "secrets.rewrap": bind(rewrapJob, createRewrapHandler(deps.rewrap)),
  };
}

/** Undefined for a name this program does not know. */
export function findHandler(handlers: Readonly<Record<string, BoundHandler>>, name: string): BoundHandler | undefined {
  return Object.values(handlers).find(({ contract }) => contract.name === name);
}

function bind<Input>(contract: JobContract<string, Input>, handler: JobHandler<Input>): BoundHandler {
  return { contract, handle: (input, context) => handler(contract.input.parse(input), context) };
}

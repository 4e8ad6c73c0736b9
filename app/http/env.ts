import type { Server } from "bun";
import type { Context } from "hono";
import type { Actor, RequestOrigin } from "../platform/actor.ts";
import type { Logger } from "../platform/logger.ts";

/** What middleware leaves for the handlers. */
export interface AppEnv {
  Bindings: { readonly server: Server<undefined> };
  Variables: {
    requestId: string;
    origin: RequestOrigin;
    /** Read it through `logOf`. */
    log: () => Logger;
    /** What every answer to this request carries, refusals too. */
    answerHeaders: Map<string, string>;
    /** Set by `authenticate`; read it through `actorOf`. */
    actor: Actor | undefined;
  };
}

export type AppContext = Context<AppEnv>;

/** Writes lines with the request's id. Made on first use: most requests write none, and making it costs more than checking a token. */
export function logOf(c: AppContext): Logger {
  return c.get("log")();
}

/** The authenticated caller. Only for routes behind the `signedIn` or `admin` guard. */
export function actorOf(c: AppContext): Actor {
  const actor = c.get("actor");
  if (!actor) throw new Error(`route ${c.req.path} reads the actor but is not behind a guard`);
  return actor;
}

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
    log: Logger;
    /** Set by `authenticate`; read it through `actorOf`. */
    actor: Actor | undefined;
  };
}

export type AppContext = Context<AppEnv>;

/** The authenticated caller. Only for routes behind the `signedIn` or `admin` guard. */
export function actorOf(c: AppContext): Actor {
  const actor = c.var.actor;
  if (!actor) throw new Error(`route ${c.req.path} reads the actor but is not behind a guard`);
  return actor;
}

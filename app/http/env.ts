import type { Context } from "hono";
import type { Actor } from "../platform/actor.ts";
import type { RequestContext } from "./request-context.ts";

/** `c.env` is the context of the request; nothing else is left for the handlers. */
export interface AppEnv {
  Bindings: RequestContext;
}

export type AppContext = Context<AppEnv>;

/** The authenticated caller. Only for routes behind the `signedIn` or `admin` guard. */
export function actorOf(c: AppContext): Actor {
  const { actor } = c.env;
  if (!actor) throw new Error(`route ${c.req.path} reads the actor but is not behind a guard`);
  return actor;
}

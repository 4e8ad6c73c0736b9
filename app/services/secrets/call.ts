import { type AppContext, actorOf } from "../../http/env.ts";
import type { SecretCall } from "./tenant.ts";

export function callOf(c: AppContext): SecretCall {
  return { actor: actorOf(c), origin: c.env.origin };
}

import type { Actor } from "../../../platform/actor.ts";
import { compilePatterns } from "../../../platform/bus/pattern.ts";
import { type Capability, CapabilityError, type Guest } from "./broker.ts";

/** Publishes one event as the actor would over HTTP, and returns its id. Throws `Problem` for an event that is refused. */
export type PublishAs = (actor: Actor, event: unknown, requestId: string) => Promise<string>;

/** Events of the granted types, in the name of the program's owner. */
export function createPublishCapability(publish: PublishAs): Capability {
  return async (guest, _method, event) => {
    const type: unknown = typeof event === "object" && event !== null ? Reflect.get(event, "type") : undefined;
    if (typeof type !== "string") throw new CapabilityError("TypeError", "events.publish takes { type, subject, key, data }");
    if (!compilePatterns(guest.grants.events?.types ?? [])(type))
      throw new CapabilityError("NotGrantedError", `events of type ${type} are not granted`);
    return { id: await publish(actorOf(guest), event, guest.executionId) };
  };
}

/** Like a key of the owner, or of the team, that reaches no further than this. */
function actorOf({ executionId, ownerId, teamId }: Guest): Actor {
  const via = {
    kind: "api_key",
    keyId: executionId,
    version: 0,
    teamId: teamId ?? undefined,
    scopes: ["events:write"],
    rateLimit: undefined,
  } as const;
  return { userId: ownerId, role: "user", via };
}

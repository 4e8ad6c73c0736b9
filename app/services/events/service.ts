import { createHash } from "node:crypto";
import { type Actor, ownershipOf } from "../../platform/actor.ts";
import type { Bus, BusEvent } from "../../platform/bus/port.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { addressedTo, everybody } from "../../platform/events.ts";
import { newId } from "../../platform/ids.ts";
import { jsonPointer } from "../../platform/json-pointer.ts";
import type { Can } from "../auth/can.ts";
import type { CloudEvent, ToCloudEvent } from "./cloud-event.ts";
import type { Incoming } from "./incoming.ts";
import { createMaySee, type MaySee } from "./readers.ts";
import { type RecentQuery, readRecent } from "./recent.ts";
import type { IncomingEvent } from "./schema.ts";
import type { KnownType } from "./types/service.ts";

export type EventService = ReturnType<typeof createEventService>;

export interface EventServiceDeps {
  readonly bus: Pick<Bus, "publish" | "readBack">;
  /** Throws `Problem` (`unknown_event_type`). */
  readonly knownType: (type: string) => Promise<KnownType>;
  readonly teamsOf: (userId: string) => Promise<readonly string[]>;
  readonly can: Can;
  readonly toCloudEvent: ToCloudEvent;
  readonly now: Now;
}

/** The request that publishes. */
export interface PublishCall {
  readonly actor: Actor;
  readonly requestId: string;
  readonly traceparent: string | undefined;
}

/** One event with all that is said of it. */
const eventBytesMax = 262_144;

/** What a client may do with the bus: publish what its types allow, and read back what it may see. */
export function createEventService({ bus, knownType, teamsOf, can, toCloudEvent, now }: EventServiceDeps) {
  const maySeeOf = async (actor: Actor): Promise<MaySee> => createMaySee(actor, actor.role === "admin" ? [] : await teamsOf(actor.userId));

  const prepare = async (call: PublishCall, given: IncomingEvent, at: readonly PropertyKey[]): Promise<BusEvent> => {
    const type = await knownType(given.type);
    assertMayPublish(call.actor, type);
    const errors = type.validate(given.data);
    if (errors.length > 0)
      throw new Problem("validation_failed", {
        detail: `The data is not what ${type.type} carries.`,
        errors: errors.map(({ pointer, detail }) => ({ pointer: `${jsonPointer(at)}${pointer}`, detail })),
      });
    return toBusEvent(call, given, { type, now });
  };

  return {
    /** All are stored when this resolves, or, when one of them is refused, none. Returns their ids in order. */
    publish: async (call: PublishCall, { events, dataAt }: Incoming): Promise<string[]> => {
      const { actor } = call;
      if (!(await can(actor, "events:write", ownershipOf(actor))))
        throw new Problem("forbidden", { detail: "Viewers of a team publish nothing for it." });
      const prepared: BusEvent[] = [];
      for (const [index, event] of events.entries()) prepared.push(await prepare(call, event, dataAt(index)));
      for (const [index, event] of prepared.entries()) assertSize(event, index);
      await bus.publish(prepared);
      return prepared.map(({ id }) => id);
    },

    maySeeOf,

    /** The newest first. With many events that the caller does not see a page may be short although more follow. */
    list: async (actor: Actor, query: RecentQuery): Promise<{ data: CloudEvent[]; nextCursor: string | null }> => {
      const found = await readRecent(bus, { ...query, maySee: await maySeeOf(actor) });
      return { data: found.events.map(toCloudEvent), nextCursor: found.next };
    },
  };
}

function assertMayPublish({ role }: Actor, { type, publishers }: KnownType): void {
  if (publishers === "nobody") throw new Problem("forbidden", { detail: `Only the program itself publishes ${type}.` });
  if (publishers === "admins" && role !== "admin") throw new Problem("forbidden", { detail: `Only administrators publish ${type}.` });
}

function assertSize(event: BusEvent, index: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(event));
  if (bytes > eventBytesMax)
    throw new Problem("payload_too_large", { detail: `Event ${index} has ${bytes} bytes; the limit is ${eventBytesMax}.` });
}

function toBusEvent(
  { actor, requestId, traceparent }: PublishCall,
  given: IncomingEvent,
  { type, now }: { readonly type: KnownType; readonly now: Now },
): BusEvent {
  const source = given.source ?? `/keelson/users/${actor.userId}`;
  const trace = given.traceparent ?? traceparent;
  return {
    id: given.id ?? newId("event"),
    ...(given.id === undefined ? {} : { uniqueId: uniqueId(actor, source, given.id) }),
    type: type.type,
    ...(type.version === 1 ? {} : { version: type.version }),
    time: given.time ?? now().toISOString(),
    source,
    ...(given.subject === undefined ? {} : { subject: given.subject }),
    ...(given.key === undefined ? {} : { key: given.key }),
    ...readersOf(actor, type, given.audience),
    actor: actor.userId,
    requestId,
    ...(trace === undefined ? {} : { traceparent: trace }),
    ...(given.extensions === undefined ? {} : { extensions: given.extensions }),
    data: given.data,
  };
}

function readersOf(actor: Actor, { audience: rule }: KnownType, asked: string | undefined): Pick<BusEvent, "audience" | "tenant"> {
  if (asked !== undefined && actor.role !== "admin")
    throw new Problem("forbidden", { detail: "Only administrators say who else may see an event." });
  if (rule === "admins") return {};
  if (rule === "everybody") return { audience: everybody };
  if (asked === undefined) return addressedTo(ownershipOf(actor));
  return asked.startsWith("team_") ? { tenant: asked } : { audience: asked };
}

/** CloudEvents tells events apart by source and id; whoever shares neither a user nor a team can't take the place of another's event. */
function uniqueId(actor: Actor, source: string, id: string): string {
  const { ownerId, teamId } = ownershipOf(actor);
  return createHash("sha256")
    .update(JSON.stringify([teamId ?? ownerId, source, id]))
    .digest("base64url");
}

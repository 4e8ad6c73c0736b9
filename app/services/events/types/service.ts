import { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Feed } from "../../../platform/bus/feed.ts";
import { Problem } from "../../../platform/errors.ts";
import type { AudienceRule, EventContract } from "../../../platform/events.ts";
import { jsonPointer } from "../../../platform/json-pointer.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { eventTypeRegistered } from "../events.ts";
import { compileSchema, type Validate } from "./json-schema.ts";
import type { eventType, registerEventType } from "./schema.ts";
import type { EventTypeRow, EventTypeStore } from "./store.ts";

export type EventTypeView = z.infer<typeof eventType>;
export type EventTypeService = ReturnType<typeof createEventTypeService>;

/** A type as a publisher needs to know it. */
export interface KnownType {
  readonly type: string;
  readonly version: number;
  readonly audience: AudienceRule;
  /** Who may publish it over HTTP. */
  readonly publishers: "nobody" | "admins" | "users";
  readonly validate: Validate;
}

export interface EventTypeDeps {
  readonly store: EventTypeStore;
  readonly catalogue: ReadonlyMap<string, EventContract>;
  readonly transact: Transact;
  readonly feed: Feed;
  /** Whether administrators may register types. */
  readonly custom: boolean;
}

/** So many versions of types may be registered in all. */
const registeredMax = 10_000;

/** The catalogue of event types: those of the program, and those that administrators register. */
export function createEventTypeService({ store, catalogue, transact, feed, custom }: EventTypeDeps) {
  const known = new Map<string, KnownType>();
  for (const contract of catalogue.values()) known.set(contract.type, knownOfProgram(contract));
  // Another copy may have registered another version.
  feed.watch(eventTypeRegistered.type, () => {
    for (const type of known.keys()) if (!catalogue.has(type)) known.delete(type);
  });

  const missing = (type: string) => new Problem("unknown_event_type", { detail: `There is no event type "${type.slice(0, 128)}".` });

  const ofProgram = () => [...catalogue.values()].map(viewOfProgram);

  return {
    /** Those that come with the program. */
    ofProgram,

    list: async (): Promise<EventTypeView[]> => {
      const all = [...ofProgram(), ...(await store.list()).map(viewOfRow)];
      return all.toSorted((a, b) => a.type.localeCompare(b.type));
    },

    get: async (type: string, version?: number): Promise<EventTypeView> => {
      const contract = catalogue.get(type);
      if (contract && (version ?? contract.version) === contract.version) return viewOfProgram(contract);
      const row = contract ? undefined : await store.find(type, version);
      if (!row) throw missing(type);
      return viewOfRow(row);
    },

    /** Throws `Problem` (`unknown_event_type`). */
    known: async (type: string): Promise<KnownType> => {
      const kept = known.get(type);
      if (kept) return kept;
      const row = await store.find(type);
      if (!row) throw missing(type);
      const found = knownOfRow(row);
      known.set(type, found);
      return found;
    },

    /** Another schema makes another version: what was published before keeps the one that it was checked against. */
    register: async (
      { actor, origin }: { readonly actor: Actor; readonly origin: RequestOrigin },
      type: string,
      given: z.infer<typeof registerEventType>,
    ): Promise<{ readonly eventType: EventTypeView; readonly created: boolean }> => {
      if (!custom) throw new Problem("forbidden", { detail: "KEELSON_CUSTOM_EVENTS is off: no types can be registered." });
      if (catalogue.has(type)) throw new Problem("conflict", { detail: `"${type}" is a type of the program itself.` });
      compileSchema(given.schema);
      const done = await transact(async (unit) => {
        await store.lock(type, unit.tx);
        const before = await store.find(type, undefined, unit.tx);
        const { schema, description, audience, retentionHours = null, lengthMax = null } = given;
        const set = { description, audience, retentionHours, lengthMax };
        if (!before && (await store.count(unit.tx)) >= registeredMax)
          throw new Problem("conflict", { detail: `There are ${registeredMax} registered types already.` });
        const isSame = before !== undefined && Bun.deepEquals(before.schema, schema);
        const row = isSame
          ? await store.update(before, set, unit.tx)
          : await store.insert({ type, version: (before?.version ?? 0) + 1, schema, createdBy: actor.userId, ...set }, unit.tx);
        unit.publish(eventTypeRegistered, {
          subject: type,
          actorId: actor.userId,
          origin,
          data: { type, version: row.version, audience: row.audience },
        });
        return { eventType: viewOfRow(row), created: before === undefined };
      });
      known.delete(type);
      return done;
    },
  };
}

function knownOfProgram({ type, version, audience, published, data }: EventContract): KnownType {
  return {
    type,
    version,
    audience,
    publishers: published === "outside" ? "admins" : "nobody",
    validate: (given) => {
      const parsed = data.safeParse(given);
      return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => ({ pointer: jsonPointer(path), detail: message }));
    },
  };
}

function knownOfRow({ type, version, audience, schema }: EventTypeRow): KnownType {
  return { type, version, audience, publishers: audience === "everybody" ? "admins" : "users", validate: compileSchema(schema) };
}

function viewOfProgram({ type, version, owner, audience, description, published, data }: EventContract): EventTypeView {
  return { type, version, owner, audience, description, publishable: published === "outside", schema: schemaOf(data) };
}

function viewOfRow({ type, version, audience, description, schema, retentionHours, lengthMax, createdAt }: EventTypeRow): EventTypeView {
  return {
    type,
    version,
    owner: "custom",
    audience,
    description,
    publishable: true,
    schema: schema as Record<string, unknown> | boolean,
    ...(retentionHours === null ? {} : { retentionHours }),
    ...(lengthMax === null ? {} : { lengthMax }),
    createdAt: createdAt.toISOString(),
  };
}

function schemaOf(data: z.ZodType): Record<string, unknown> {
  return { ...z.toJSONSchema(data, { target: "draft-2020-12", io: "output", unrepresentable: "any" }) };
}

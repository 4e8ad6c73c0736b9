import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { toCef } from "./cef.ts";
import type { Checkpoints, Vouched } from "./checkpoints.ts";
import { auditExported } from "./events.ts";
import type { ExportEnd, ExportedEntry, ExportHead } from "./export-format.ts";
import type { AuditEntryView, auditQuery, exportQuery } from "./schema.ts";
import type { AuditFilter, AuditStore } from "./store.ts";

export type AuditService = ReturnType<typeof createAuditService>;
type ExportQuery = z.infer<typeof exportQuery>;

export interface AuditServiceDeps {
  readonly store: Pick<AuditStore, "list" | "chained" | "end" | "newestPending" | "isChained">;
  readonly checkpoints: Pick<Checkpoints, "current">;
  readonly teamsOf: (userId: string) => Promise<readonly string[]>;
  readonly transact: Transact;
  readonly now: Now;
}

const pageSize = 1_000;
/** What was written before an export began is in it; how long that may take to be chained. */
const patienceMs = 5_000;

/** What can be read of the trail. */
export function createAuditService({ store, checkpoints, teamsOf, transact, now }: AuditServiceDeps) {
  const visibleTo = async ({ role, userId, via }: Actor): Promise<AuditFilter["visibleTo"]> => {
    if (role === "admin") return undefined;
    if (via.kind === "api_key" && via.teamId !== undefined) return { userId: undefined, teams: [via.teamId] };
    return { userId, teams: await teamsOf(userId) };
  };

  /** Waits for what has been written so far, and for nothing that comes meanwhile. */
  const upToDate = async (): Promise<void> => {
    const pending = await store.newestPending(await store.end());
    const giveUpAt = performance.now() + patienceMs;
    while (pending !== undefined && !(await store.isChained(pending))) {
      if (performance.now() > giveUpAt)
        throw new Problem("unavailable", {
          detail:
            "The chain is behind the trail: no copy keeps it up right now, or the database has a transaction that has been open for long.",
          retryAfterSeconds: 5,
        });
      await Bun.sleep(50);
    }
  };

  return {
    /** Everybody sees what they did and what is theirs; administrators see all. Newest first. */
    list: async (actor: Actor, query: z.infer<typeof auditQuery>): Promise<{ data: AuditEntryView[]; nextCursor: string | null }> => {
      const { limit, cursor } = query;
      const rows = await store.list({ ...filterOf(query), visibleTo: await visibleTo(actor), before: cursor, limit: limit + 1 });
      const page = rows.slice(0, limit);
      return {
        data: page.map(({ audience: _audience, tenant: _tenant, ...entry }) => entry),
        nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
      };
    },

    /** The trail as it is chained now. */
    checkpoint: async (): Promise<{ readonly checkpoint: Vouched["checkpoint"] | null; readonly key: Vouched["key"] | null }> => {
      await upToDate();
      return (await checkpoints.current()) ?? { checkpoint: null, key: null };
    },

    /** Lines with their ends, page by page as they are asked for; up to a checkpoint that is made now. That it was taken is in the trail. */
    export: async (
      call: { readonly actor: Actor; readonly origin: RequestOrigin },
      query: ExportQuery,
    ): Promise<AsyncGenerator<string>> => {
      const { actor, origin } = call;
      await transact(async (unit) =>
        unit.publish(auditExported, { actorId: actor.userId, origin, data: { format: query.format, filter: givenOf(query) } }),
      );
      await upToDate();
      const vouched = await checkpoints.current();
      const pages = entriesOf(store, filterOf(query), vouched?.checkpoint.seq ?? 0);
      return query.format === "cef" ? cefLines(pages) : ndjsonLines(pages, { filter: givenOf(query), vouched, exportedAt: now() });
    },
  };
}

async function* entriesOf(store: Pick<AuditStore, "chained">, filter: AuditFilter, through: number): AsyncGenerator<ExportedEntry[]> {
  let after = 0;
  for (;;) {
    const page = await store.chained({ ...filter, after, through, limit: pageSize });
    if (page.length > 0) yield page;
    if (page.length < pageSize) return;
    after = page.at(-1)?.seq ?? through;
  }
}

async function* cefLines(pages: AsyncGenerator<ExportedEntry[]>): AsyncGenerator<string> {
  for await (const page of pages) yield page.map((entry) => `${toCef(entry)}\n`).join("");
}

interface Framed {
  readonly filter: Readonly<Record<string, string>>;
  readonly vouched: Vouched | undefined;
  readonly exportedAt: Date;
}

async function* ndjsonLines(pages: AsyncGenerator<ExportedEntry[]>, { filter, vouched, exportedAt }: Framed): AsyncGenerator<string> {
  const isFiltered = Object.keys(filter).length > 0;
  const head: ExportHead = {
    format: "keelson.audit",
    version: 1,
    exportedAt: exportedAt.toISOString(),
    filter: isFiltered ? filter : null,
  };
  yield `${JSON.stringify(head)}\n`;
  let entries = 0;
  for await (const page of pages) {
    entries += page.length;
    yield page.map(({ seq, previousHash, hash, entry }) => `${JSON.stringify({ seq, previousHash, hash, entry })}\n`).join("");
  }
  const end: ExportEnd = { entries, checkpoint: vouched?.checkpoint ?? null, key: vouched?.key ?? null };
  yield `${JSON.stringify(end)}\n`;
}

type Filtering = Pick<ExportQuery, "actor" | "action" | "subject" | "outcome" | "since" | "until">;

function filterOf({ actor, action, subject, outcome, since, until }: Filtering): AuditFilter {
  return { actor, action, subject, outcome, since: since ? new Date(since) : undefined, until: until ? new Date(until) : undefined };
}

function givenOf({ actor, action, subject, outcome, since, until }: Filtering): Record<string, string> {
  const all = { actor, action, subject, outcome, since, until };
  return Object.fromEntries(Object.entries(all).filter((pair): pair is [string, NonNullable<(typeof pair)[1]>] => pair[1] !== undefined));
}

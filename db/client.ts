import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres, { type Sql } from "postgres";
import { withDeadline } from "../app/platform/deadline.ts";

export type Db = PostgresJsDatabase;
export type Tx = Parameters<Parameters<Db["transaction"]>[0]>[0];
/** Where a store verb runs: on its own, or inside the caller's transaction. */
export type Queryable = Db | Tx;

export interface DatabaseClient {
  readonly sql: Sql;
  readonly db: Db;
  /** Throws when the server does not answer within two seconds. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly connectionsMax: number;
  /** Shows in `pg_stat_activity`: says which thread holds a connection. */
  readonly applicationName: string;
}

const pingTimeoutMs = 2_000;

/** A pool over postgres.js; connects on first use and reconnects by itself. */
export function openDatabase(options: DatabaseOptions): DatabaseClient {
  const sql = postgres(options.url, {
    max: options.connectionsMax,
    connect_timeout: 5,
    idle_timeout: 0,
    max_lifetime: null,
    // We pass no arrays, and asking for their types on each new connection rejects where nobody listens when it is cut.
    fetch_types: false,
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 1),
    onnotice: () => undefined,
    connection: { application_name: options.applicationName },
  });
  return {
    sql,
    db: drizzle(withNamedStatements(sql)),
    ping: async () => {
      await withDeadline("PostgreSQL", pingTimeoutMs, sql`select 1`);
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

/** Statements with more parameters are lists of varying length: each length would be a statement that a connection keeps for ever. */
const namedParametersMax = 40;

/**
 * The client as drizzle should see it. Drizzle sends each query as an unnamed statement, which the server parses and plans anew and which takes
 * two round trips; a named one is parsed once per connection and takes one.
 */
function withNamedStatements<Client extends Sql>(client: Client): Client {
  return new Proxy(client, {
    get: (target, key) => {
      if (key === "unsafe") {
        const unsafe: Sql["unsafe"] = (query, parameters = [], options = {}) =>
          target.unsafe(query, parameters, { ...options, prepare: parameters.length <= namedParametersMax });
        return unsafe;
      }
      if (key === "begin" || key === "savepoint") return nested(target, key);
      return Reflect.get(target, key);
    },
  });
}

/** `begin` and `savepoint` hand their work a client of its own, which drizzle asks in the same way. */
function nested(client: Sql, key: "begin" | "savepoint") {
  const begin: (work: (inner: Sql) => unknown) => unknown = Reflect.get(client, key);
  return (work: (inner: Sql) => unknown) => begin((inner) => work(withNamedStatements(inner)));
}

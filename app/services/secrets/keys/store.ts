import { type SQL, sql } from "drizzle-orm";
import type { Db } from "../../../../db/client.ts";
import { type SealedColumn, sealedColumns } from "../../../../db/sealed-columns.ts";
import { prefixBytes } from "../../../platform/keys/envelope.ts";

export type SealedStore = ReturnType<typeof createSealedStore>;

/** A sealed value's primary key and the part of it that rewrapping replaces. */
export interface SealedPrefix {
  readonly key: readonly (string | number)[];
  readonly prefix: Uint8Array;
}

export interface Rewrapped extends SealedPrefix {
  readonly next: Uint8Array;
}

/** What is sealed in this database, wherever it is. */
export function createSealedStore(db: Db) {
  return {
    columns: sealedColumns,

    /** The next values after `after` that need another key than `version`, in the order of their keys. */
    outdated: async (
      column: SealedColumn,
      { version, after, limit }: { readonly version: number; readonly after: SealedPrefix["key"] | undefined; readonly limit: number },
    ): Promise<SealedPrefix[]> => {
      const columns = Object.entries(column.key);
      const key = sql.join(
        columns.map(([name]) => sql.identifier(name)),
        sql`, `,
      );
      const rows = await db.execute<{ place: (string | number)[]; prefix: string }>(sql`
        select json_build_array(${key}) as place, encode(substring(${sealedValue(column)} from 1 for ${prefixBytes}), 'hex') as prefix
        from ${sql.identifier(column.table)}
        where ${isOutdated(column, version)} ${
          after
            ? sql`and (${key}) > (${sql.join(
                after.map((part, index) => sql`${part}::${sql.raw(columns[index]?.[1] ?? "text")}`),
                sql`, `,
              )})`
            : sql``
        }
        order by ${key} limit ${limit}`);
      return rows.map((row) => ({ key: row.place, prefix: Buffer.from(row.prefix, "hex") }));
    },

    /** A value that was written anew meanwhile stays as it is. Answers with how many were replaced. */
    replace: async (column: SealedColumn, values: readonly Rewrapped[]): Promise<number> => {
      const list = JSON.stringify(
        values.map(({ key, prefix, next }) => ({
          ...Object.fromEntries(key.map((part, index) => [`k${index}`, part])),
          was: Buffer.from(prefix).toString("hex"),
          next: Buffer.from(next).toString("hex"),
        })),
      );
      const table = sql.identifier(column.table);
      const value = sealedValue(column);
      const shape = sql.join(
        [
          ...Object.values(column.key).map((type, index) => sql`${sql.identifier(`k${index}`)} ${sql.raw(type)}`),
          sql`was text`,
          sql`next text`,
        ],
        sql`, `,
      );
      const matches = sql.join(
        Object.keys(column.key).map((name, index) => sql`${table}.${sql.identifier(name)} = given.${sql.identifier(`k${index}`)}`),
        sql` and `,
      );
      const next = sql`decode(given.next, 'hex') || substring(${value} from ${prefixBytes + 1})`;
      const rows = await db.execute(sql`
        update ${table} set ${sql.identifier(column.column)} = ${column.field ? asJson(column.field, next) : next}
        from json_to_recordset(${list}::text::json) as given (${shape})
        where ${matches} and substring(${value} from 1 for ${prefixBytes}) = decode(given.was, 'hex')`);
      return rows.count;
    },

    /** How many values there are by the version of the key that they need. */
    uses: async (): Promise<Map<number, number>> => {
      const all = new Map<number, number>();
      for (const column of sealedColumns) {
        const rows = await db.execute<{ version: string; count: number }>(sql`
          select encode(substring(${sealedValue(column)} from 2 for 4), 'hex') as version, count(*)::int as count
          from ${sql.identifier(column.table)} where ${isSealed(column)} group by 1`);
        for (const { version, count } of rows) all.set(Number.parseInt(version, 16), (all.get(Number.parseInt(version, 16)) ?? 0) + count);
      }
      return all;
    },
  };
}

function sealedValue({ table, column, field }: SealedColumn): SQL {
  const name = sql`${sql.identifier(table)}.${sql.identifier(column)}`;
  return field ? sql`decode(${name}->>${field}::text, 'base64')` : name;
}

/** `encode` breaks lines. */
function asJson(field: string, bytes: SQL): SQL {
  return sql`json_build_object(${field}::text, translate(encode(${bytes}, 'base64'), E'\n', ''))`;
}

function isSealed(column: SealedColumn): SQL {
  const { where } = column;
  const only = where ? sql`${sql.identifier(where.column)} = ${where.is} and ` : sql``;
  return sql`${only}substring(${sealedValue(column)} from 1 for 1) = '\\x01'::bytea`;
}

function isOutdated(column: SealedColumn, version: number): SQL {
  return sql`${isSealed(column)} and substring(${sealedValue(column)} from 2 for 4) <> int4send(${version}::int)`;
}

import type { Queryable } from "../../db/client.ts";

/** What one service keeps of an account, for whoever is asked to hand it out or to erase it. */
export interface AccountData {
  readonly service: string;
  /** Plain JSON; without secrets, which nobody gets a copy of. */
  export(userId: string): Promise<unknown>;
  /** Part of the caller's transaction. Erasing twice is harmless. */
  erase(userId: string, on: Queryable): Promise<void>;
}

/** As much JSON as one document of somebody's data may have; it is put together in memory. */
export const documentBytesMax = 256 * 1024 * 1024;
const pageSize = 200;

export interface Pages<Row> {
  /** The rows before `before`, or the first ones; at most `limit`, in the order of their ids downwards. */
  page(options: { readonly before?: string; readonly limit: number }): Promise<readonly Row[]>;
  toView(row: Row): unknown;
}

/** All of somebody's rows as they are shown, the newest first. Throws when they are more than one document may have. */
export async function everything<Row extends { readonly id: string }>({ page, toView }: Pages<Row>): Promise<unknown[]> {
  const views: unknown[] = [];
  let bytes = 0;
  for (let last: Row | undefined; ; ) {
    const rows = await page({ ...(last ? { before: last.id } : {}), limit: pageSize });
    for (const row of rows) {
      const view = toView(row);
      bytes += JSON.stringify(view).length;
      if (bytes > documentBytesMax) throw new RangeError(`more than ${documentBytesMax} bytes`);
      views.push(view);
    }
    last = rows.at(-1);
    if (rows.length < pageSize) return views;
  }
}

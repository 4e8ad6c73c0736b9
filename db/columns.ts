import { customType, timestamp } from "drizzle-orm/pg-core";

/** A `timestamptz` read and written as `Date`. */
export function moment(name: string) {
  return timestamp(name, { withTimezone: true, mode: "date" });
}

/** An `xid8`: never reused, in the order in which transactions began to write. */
export const transactionId = customType<{ data: string }>({ dataType: () => "xid8" });

/** A `bytea`. */
export const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });

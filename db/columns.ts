import { customType, timestamp } from "drizzle-orm/pg-core";

/** A `timestamptz` read and written as `Date`. */
export function moment(name: string) {
  return timestamp(name, { withTimezone: true, mode: "date" });
}

/** A `bytea`. */
export const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });

/** Nothing of our own environment: no `PG*`, no locale that changes messages we read, no secrets for a program that needs none. */
export const environment = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" };

/** The role that owns the database. It is no superuser: a hole in a query must not become one in the host. */
export const role = "keelson";
export const database = "keelson";

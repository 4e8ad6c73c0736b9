import type { Actor } from "./actor.ts";

/** The services as API keys name them. */
export const scopedServices = ["auth", "tasks", "events", "ai", "notifications", "sandbox", "secrets"] as const;
export type ScopedService = (typeof scopedServices)[number];
export type ServiceScope = `${ScopedService}:${"read" | "write"}`;
export type Scope = ServiceScope | "admin";

/** All that a key may be given. */
export const scopes: readonly Scope[] = [
  ...scopedServices.flatMap((service) => [`${service}:read`, `${service}:write`] satisfies Scope[]),
  "admin",
];

/**
 * Whether what the actor has shown reaches that far: a session does everywhere, a key as far as its scopes. Writing implies reading. `admin`
 * stands for every scope, but only in the hands of an administrator: `role` says that already.
 */
export function holdsScope({ via, role }: Pick<Actor, "via" | "role">, scope: Scope): boolean {
  if (via.kind === "session") return true;
  if (role === "admin") return true;
  return via.scopes.includes(scope) || (scope.endsWith(":read") && via.scopes.includes(scope.replace(":read", ":write")));
}

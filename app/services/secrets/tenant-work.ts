import type { Transact, Unit } from "../../platform/outbox.ts";
import type { Can } from "../auth/can.ts";
import { assertMay, type SecretCall, type Tenant, tenantOf, type Whose } from "./tenant.ts";

export type TenantWork = ReturnType<typeof createTenantWork>;

/** Whose secrets a call is about, once it is clear that it may be. */
export function createTenantWork({ can, transact }: { readonly can: Can; readonly transact: Transact }) {
  const tenantFor = async ({ actor }: Pick<SecretCall, "actor">, whose: Whose, action: "secrets:read" | "secrets:write") => {
    const tenant = tenantOf(actor, whose);
    await assertMay(can, actor, { tenant, action });
    return tenant;
  };
  /** Who may is asked before the unit begins: with a connection held, nothing may have to wait for another. */
  const writing = async <T>(call: SecretCall, whose: Whose, work: (unit: Unit, tenant: Tenant) => Promise<T>): Promise<T> => {
    const tenant = await tenantFor(call, { teamId: whose.teamId, scope: whose.scope }, "secrets:write");
    return transact((unit) => work(unit, tenant));
  };
  return { tenantFor, writing };
}

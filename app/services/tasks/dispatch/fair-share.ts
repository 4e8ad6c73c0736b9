/** Who waits in a queue: `tenant`, or `tenant/group` for a part of a tenant's work. */
export interface Waiting {
  readonly groupKey: string;
  readonly weight: number;
}

export interface FairShare {
  /** There may be something waiting for this group. */
  add(waiting: Waiting): void;
  /** Nothing waits for it any more. */
  remove(groupKey: string): void;
  readonly size: number;
  /**
   * Deals `count` turns to the groups that wait; `limitOf` says how many a group may get at most. What a group can't use is given back with `undo`.
   * Returns turns by group.
   */
  deal(count: number, limitOf: LimitOf): Map<string, number>;
  undo(groupKey: string, turns: number): void;
}

/** How many turns a group may get at most; its tenant's weight is known here. */
export type LimitOf = (groupKey: string, weight: number) => number;

interface Share {
  readonly key: string;
  weight: number;
  /** How far it has been served, in turns over weight. */
  served: number;
}

interface Group extends Share {
  /** How many turns it may still get of the current deal. */
  left: number;
}

interface Tenant extends Share {
  readonly groups: Map<string, Group>;
  /** How far whoever was served last had been. */
  clock: number;
}

/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996) on two levels: tenants share the queue by weight, a tenant's groups share the tenant's part alike. Who comes
 * newly begins where the others are, so a tenant gets its next turn within one round of the others' however much they have waiting,
 * and nobody saves up turns while away.
 */
export function createFairShare(): FairShare {
  const tenants = new Map<string, Tenant>();
  let clock = 0;
  let size = 0;

  /** Takes the next turn from a tenant; undefined when none of its groups may have one. */
  const turnOf = (tenant: Tenant, groups: Group[]): Group | undefined => {
    const group = groups.shift();
    if (!group) return undefined;
    clock = tenant.served;
    tenant.clock = group.served;
    tenant.served += 1 / tenant.weight;
    group.served += 1;
    group.left -= 1;
    if (group.left > 0) insertSorted(groups, group);
    return group;
  };

  return {
    add: ({ groupKey, weight }) => {
      const key = tenantOf(groupKey);
      const tenant = tenants.get(key) ?? { key, weight, served: clock, groups: new Map<string, Group>(), clock: 0 };
      tenant.weight = Math.max(1, weight);
      tenants.set(key, tenant);
      if (tenant.groups.has(groupKey)) return;
      tenant.groups.set(groupKey, { key: groupKey, weight: 1, served: tenant.clock, left: 0 });
      size += 1;
    },
    remove: (groupKey) => {
      const tenant = tenants.get(tenantOf(groupKey));
      if (!tenant?.groups.delete(groupKey)) return;
      size -= 1;
      if (tenant.groups.size === 0) tenants.delete(tenant.key);
    },
    get size() {
      return size;
    },
    deal: (count, limitOf) => {
      const dealt = new Map<string, number>();
      const eligible = new Map([...tenants.values()].map((tenant) => [tenant, eligibleGroups(tenant, limitOf)]));
      const order = [...eligible].flatMap(([tenant, groups]) => (groups.length > 0 ? [tenant] : [])).toSorted(byServed);
      for (let turn = 0; turn < count && order.length > 0; turn += 1) {
        const [tenant] = order.splice(0, 1);
        const groups = tenant && eligible.get(tenant);
        if (!groups) break;
        const group = turnOf(tenant, groups);
        if (group) dealt.set(group.key, (dealt.get(group.key) ?? 0) + 1);
        if (groups.length > 0) insertSorted(order, tenant);
      }
      return dealt;
    },
    undo: (groupKey, turns) => {
      const tenant = tenants.get(tenantOf(groupKey));
      const group = tenant?.groups.get(groupKey);
      if (!tenant || !group) return;
      tenant.served -= turns / tenant.weight;
      group.served -= turns;
    },
  };
}

/** In the order of their turns. */
function eligibleGroups(tenant: Tenant, limitOf: LimitOf): Group[] {
  for (const group of tenant.groups.values()) group.left = limitOf(group.key, tenant.weight);
  return [...tenant.groups.values()].filter(({ left }) => left > 0).toSorted(byServed);
}

function tenantOf(groupKey: string): string {
  return groupKey.split("/", 1)[0] ?? groupKey;
}

function byServed(a: Share, b: Share): number {
  return a.served - b.served;
}

/** Behind those that were served as far, so that equals take turns. */
function insertSorted<S extends Share>(sorted: S[], share: S): void {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle]?.served ?? 0) <= share.served) from = middle + 1;
    else to = middle;
  }
  sorted.splice(from, 0, share);
}

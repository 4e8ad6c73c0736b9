export const tierNames = ["free", "pro", "enterprise"] as const;
export type Tier = (typeof tierNames)[number];

export interface TierSettings {
  /** How large a user's share of a busy queue is beside that of a free one, and how many times as much may run at once where that is limited. */
  readonly weight: number;
  /** Added to the priority of the user's tasks; lower goes first. */
  readonly priority: number;
  /** How many times as long a task may run before somebody is told, or it is paused or stopped. */
  readonly patience: number;
}

/** What a user's tier means for their tasks. Administrators set the tier. */
export const tiers = {
  free: { weight: 1, priority: 0, patience: 1 },
  pro: { weight: 4, priority: -100, patience: 2 },
  enterprise: { weight: 16, priority: -200, patience: 4 },
} as const satisfies Record<Tier, TierSettings>;

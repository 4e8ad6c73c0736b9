import type { ComplianceReport } from "./schema.ts";

type Findings = Pick<ComplianceReport, "inventory" | "access" | "rotation" | "overdue" | "expiringIn30Days" | "unusual">;
type Rule = readonly [code: string, applies: (of: Findings) => number, text: (count: number) => string];

/** NIST SP 800-57 part 1 §5.3.6: a key-wrapping key is used for two years at most. */
const keyDaysMax = 730;

const rules: readonly Rule[] = [
  [
    "overdue_rotation",
    ({ overdue }) => overdue.length,
    (n) => `Rotate ${n === 1 ? "the secret that is" : `the ${n} secrets that are`} overdue.`,
  ],
  [
    "failed_rotation",
    ({ rotation }) => rotation.failed,
    (n) => `Look at what failed ${n === 1 ? "the rotation" : `${n} rotations`} of the period.`,
  ],
  [
    "policy_resting",
    ({ rotation }) => rotation.resting,
    (n) => `Set ${n === 1 ? "the policy" : `the ${n} policies`} again that rest after a roll-back.`,
  ],
  [
    "expiring",
    ({ expiringIn30Days }) => expiringIn30Days.length,
    (n) => `Replace ${n === 1 ? "a secret" : `${n} secrets`} before ${n === 1 ? "it expires" : "they expire"} within 30 days.`,
  ],
  [
    "expired",
    ({ inventory }) => inventory.secrets.expired,
    (n) => `Replace or destroy ${n === 1 ? "a secret that has" : `${n} secrets that have`} expired.`,
  ],
  [
    "no_policy",
    ({ inventory }) => inventory.secrets.withoutPolicy,
    (n) => `Give ${n === 1 ? "a secret" : `${n} secrets`} a rotation policy.`,
  ],
  [
    "invalid_external_key",
    ({ inventory }) => inventory.externalKeys.filter(({ status }) => status === "invalid").reduce((sum, { count }) => sum + count, 0),
    (n) => `Replace ${n === 1 ? "a key" : `${n} keys`} that the service outside refuses.`,
  ],
  ["unusual_activity", ({ unusual }) => unusual.length, (n) => `Look at ${n === 1 ? "an unusual act" : `${n} unusual acts`}.`],
  [
    "unreadable",
    ({ access }) => access.failed,
    (n) => `Find out why ${n === 1 ? "a secret" : `${n} reads of secrets`} could not be opened: stored values may have been altered.`,
  ],
  [
    "old_key_encryption_key",
    ({ inventory }) => (inventory.keyEncryptionKeys && inventory.keyEncryptionKeys.inForceDays > keyDaysMax ? 1 : 0),
    () => "Rotate the key-encryption key: it has been in force for more than two years.",
  ],
];

/** What to do about the findings, the most pressing first. */
export function recommendationsFor(findings: Findings): ComplianceReport["recommendations"] {
  return rules.flatMap(([code, applies, text]) => {
    const count = applies(findings);
    return count > 0 ? [{ code, text: text(count) }] : [];
  });
}

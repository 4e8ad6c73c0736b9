/** The numbers of PostgreSQL's advisory locks, which all share one space: two parts with the same one would wait for each other for ever. */
export const advisoryLocks = {
  migrate: 7_165_101,
  outboxRelay: 7_165_103,
  signingKeyRotation: 7_165_104,
  setup: 7_165_105,
  dispatcher: 7_165_106,
  keyring: 7_165_107,
  auditChain: 7_165_108,
} as const;

/** For the routes that prove an address. */
export const firstProofDescription =
  "If nobody has proved the address before, the request shows no session of the account and comes from a network that the account was never used from, and it has no second factor, all that was set up in it until now is removed: password, sessions, API keys, passkeys, linked identities and team memberships. It may have been a stranger's.";

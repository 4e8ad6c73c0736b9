/** For the routes that prove an address. */
export const firstProofDescription =
  "If nobody has proved the address before, and the request shows no session of the account, all that was set up in it until now is removed: password, sessions, API keys, passkeys, second factor, linked identities and team memberships. It may have been a stranger's.";

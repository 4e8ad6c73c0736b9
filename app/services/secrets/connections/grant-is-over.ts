/** A refresh token is good no more: only the user can give another. */
export class GrantIsOver extends Error {
  override readonly name = "GrantIsOver";
}

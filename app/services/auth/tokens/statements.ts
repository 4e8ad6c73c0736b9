import { SignJWT } from "jose";
import type { Now } from "../../../platform/clock.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** Something this installation vouches for. */
export interface Statement {
  /** The media type of what is signed, without `application/` (RFC 7515 §4.1.9): it is never taken for an access token. */
  readonly type: string;
  readonly subject: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Signs statements as JWTs without an end; they can be verified while the key is in the key set. */
export function createStatementSigner(deps: {
  readonly signingKeys: Pick<SigningKeys, "current">;
  readonly issuer: string;
  readonly now: Now;
}) {
  return async ({ type, subject, claims }: Statement): Promise<string> => {
    const { kid, algorithm, key } = deps.signingKeys.current();
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: algorithm, typ: type, kid })
      .setIssuer(deps.issuer)
      .setSubject(subject)
      .setIssuedAt(Math.floor(deps.now().getTime() / 1_000))
      .sign(key);
  };
}

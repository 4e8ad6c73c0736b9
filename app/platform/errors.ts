/**
 * Every failure a client can be told of, by its stable `code` (RFC 9457). The page `/problems/<code>` is made from this table.
 * `detail` of the thrown problem is public; its `cause` is for the log only.
 */
export const problemTypes = {
  malformed_json: {
    status: 400,
    title: "The body is not valid JSON",
    help: "Check the body with a JSON linter; an empty body is not JSON either.",
  },
  validation_failed: {
    status: 400,
    title: "The request does not match its schema",
    help: "`errors` names each bad field by JSON pointer. The schemas are in /openapi.json.",
  },
  invalid_cursor: {
    status: 400,
    title: "The cursor is not one of ours",
    help: "Pass back `nextCursor` or an event id exactly as you received it.",
  },
  invalid_setup_token: {
    status: 400,
    title: "The set-up link is not valid",
    help: "It may have been used already. `keelson admin-link` prints a new one while there is no administrator.",
  },
  unauthenticated: {
    status: 401,
    title: "Authentication is required",
    help: "Send `Authorization: Bearer <access token>` (get one from POST /v1/auth/login) or `X-Api-Key: <key>`.",
  },
  credit_limit_reached: {
    status: 402,
    title: "The credit limit of the API key is reached",
    help: "Waiting does not help: raise `creditLimitHard` of the key, or use another key.",
  },
  invalid_token: {
    status: 401,
    title: "The access token is not valid",
    help: "It may have expired: get a new one from POST /v1/auth/refresh.",
  },
  invalid_credentials: {
    status: 401,
    title: "E-mail or password is wrong",
    help: "The answer is the same whether or not the account exists.",
  },
  mfa_required: {
    status: 401,
    title: "A second factor is required",
    help: "Send the same request again with `totp`: a code of the authenticator app, or a recovery code.",
  },
  invalid_refresh_token: {
    status: 401,
    title: "The refresh token is not valid",
    help: "Each refresh token works once. Using an old one again ends its session: log in again.",
  },
  forbidden: { status: 403, title: "You may not do this", help: "The account lacks the role or scope that this needs." },
  reauthentication_required: {
    status: 403,
    title: "This needs a fresh log-in",
    help: "Log in again, or add yourself to the session again with your password; then repeat the request.",
  },
  insufficient_scope: {
    status: 403,
    title: "The API key may not do this",
    help: "The key lacks the scope that `detail` names, or the route takes no keys: log in instead.",
  },
  account_disabled: { status: 403, title: "The account is disabled", help: "Ask an administrator." },
  signup_closed: { status: 403, title: "Sign-up is closed", help: "Ask an administrator for an account, or set KEELSON_SIGNUP=open." },
  not_found: { status: 404, title: "There is nothing here for you", help: "The path or id does not exist, or it belongs to someone else." },
  method_not_allowed: { status: 405, title: "The path does not take this method", help: "The `Allow` header lists the methods it takes." },
  email_taken: { status: 409, title: "An account with this e-mail exists", help: "Log in instead, or use another address." },
  conflict: { status: 409, title: "The request conflicts with the current state", help: "Read the thing again and decide anew." },
  idempotency_in_flight: {
    status: 409,
    title: "A request with this Idempotency-Key is still running",
    help: "Wait for its answer, then repeat the request to read it.",
  },
  payload_too_large: { status: 413, title: "The body is too large", help: "Send less, or raise the limit in the configuration." },
  unsupported_media_type: { status: 415, title: "The content type is not supported", help: "Send `Content-Type: application/json`." },
  idempotency_mismatch: {
    status: 422,
    title: "The Idempotency-Key was used with another request",
    help: "Use a fresh key for each distinct request.",
  },
  rate_limited: { status: 429, title: "Too many requests", help: "Wait as long as `Retry-After` says." },
  internal: {
    status: 500,
    title: "Something went wrong on our side",
    help: "Give `instance` (the request id) to the operator: the log has the cause under it.",
  },
  unavailable: {
    status: 503,
    title: "A part this needs is not available right now",
    help: "Retry after `Retry-After` seconds. /readyz names the part.",
  },
  shutting_down: {
    status: 503,
    title: "This copy is shutting down",
    help: "Retry: another copy, or this one after its restart, will answer.",
  },
} as const satisfies Record<string, { status: number; title: string; help: string }>;

export type ProblemCode = keyof typeof problemTypes;

/** One bad field: a JSON pointer (RFC 6901) into the body, or `query.<name>`, `path.<name>`, `header.<name>`. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemInit {
  /** Public. Says what was wrong with this request. */
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly retryAfterSeconds?: number;
  /** Extra response headers such as `Allow` or `WWW-Authenticate`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Private: logged, never sent. */
  readonly cause?: unknown;
}

/** A failure with a public face: thrown by any layer, answered by `http/problem.ts` as `application/problem+json`. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: ProblemCode;
  readonly init: ProblemInit;

  constructor(code: ProblemCode, init: ProblemInit = {}) {
    super(init.detail ?? problemTypes[code].title, { cause: init.cause });
    this.code = code;
    this.init = init;
  }

  get status(): number {
    return problemTypes[this.code].status;
  }
}

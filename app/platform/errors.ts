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
  invalid_pattern: {
    status: 400,
    title: "The pattern does not match the way event types are written",
    help: "A pattern is a type, in which * stands for one segment and > at the end for the rest: task.changed, task.*, security.>",
  },
  forbidden_address: {
    status: 400,
    title: "Webhooks are not sent to this address",
    help: "It is not a public one. An operator can allow networks with KEELSON_WEBHOOK_NETWORKS.",
  },
  invalid_setup_token: {
    status: 400,
    title: "The set-up link is not valid",
    help: "It may have been used already. `keelson admin-link` prints a new one while there is no administrator.",
  },
  invalid_oauth_flow: {
    status: 400,
    title: "This log-in can't be finished here",
    help: "A log-in through a provider ends in the browser that began it, once, within ten minutes. Begin again at GET /v1/auth/oauth/<provider>.",
  },
  oauth_failed: {
    status: 400,
    title: "The log-in at the provider did not succeed",
    help: "It was cancelled there, or the answer of the provider does not hold. Begin again.",
  },
  invalid_oauth_code: {
    status: 400,
    title: "The code is not valid",
    help: "It works once and not for long. Begin the log-in again.",
  },
  weak_password: {
    status: 400,
    title: "The password is not good enough",
    help: "`errors` says why: it is easy to guess, known from a leak, or was used before. Several uncommon words are easy to remember and hard to guess.",
  },
  invalid_link: {
    status: 400,
    title: "The link is not valid",
    help: "Each link from a mail works once and for a short time, and only the newest one of its kind. Ask for a new one.",
  },
  invalid_reference: {
    status: 400,
    title: "A reference in the value leads nowhere",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how references are written
    help: "`${secret:name}` and `${secret:name#field}` stand for another secret of the same owner; `detail` names the one that is missing, or the way round that comes back to where it began. Write `$${secret:` for the text itself.",
  },
  undecryptable: {
    status: 400,
    title: "The value can't be decrypted",
    help: "Ciphertext, vector, key or authentication code is not what the old system made. Which of them, the answer never says.",
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
    title: "What was shown does not open the account",
    help: "The e-mail address, the password, the code or the passkey is wrong. The answer is the same whether or not the account exists.",
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
  approval_required: {
    status: 403,
    title: "This takes a second person",
    help: "Ask with POST /v1/secrets/<name>/requests. Once somebody else has approved it, repeat the request in the time it gives.",
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
  cross_site_request: {
    status: 403,
    title: "Another site sent this request",
    help: "Cookies count only for pages of this origin. Add the page's origin to KEELSON_CORS_ORIGINS, or send the token in the Authorization header.",
  },
  email_not_vouched: {
    status: 403,
    title: "The provider does not vouch for the e-mail address",
    help: "Verify the address at the provider, or log in another way and link the provider there. Microsoft says it only when the app registration has the optional claims `email` and `xms_edov`.",
  },
  email_not_verified: {
    status: 403,
    title: "The e-mail address is not verified",
    help: "Follow the link in the mail. A log-in with the right password sends a new one, at most once a minute.",
  },
  signup_closed: {
    status: 403,
    title: "Sign-up is closed",
    help: "Ask an administrator for an invitation, which is mailed to you; with KEELSON_SIGNUP=closed for an account. KEELSON_SIGNUP=open lets anybody sign up.",
  },
  not_found: { status: 404, title: "There is nothing here for you", help: "The path or id does not exist, or it belongs to someone else." },
  unknown_event_type: {
    status: 404,
    title: "There is no such event type",
    help: "GET /v1/event-types lists them. An administrator registers more with PUT /v1/event-types/<type>.",
  },
  method_not_allowed: { status: 405, title: "The path does not take this method", help: "The `Allow` header lists the methods it takes." },
  email_taken: { status: 409, title: "An account with this e-mail exists", help: "Log in instead, or use another address." },
  identity_taken: {
    status: 409,
    title: "This account at the provider opens another account",
    help: "Unlink it there first: DELETE /v1/auth/identities/<provider>.",
  },
  only_way_in: {
    status: 409,
    title: "Nothing else opens the account",
    help: "Set a password, add a passkey or link another provider first.",
  },
  integration_disabled: {
    status: 409,
    title: "The integration is switched off",
    help: "An administrator has switched it off or changed it meanwhile. Ask them, and begin again when it is on.",
  },
  reconnection_required: {
    status: 409,
    title: "The service outside has to be connected again",
    help: "It takes the tokens of the connection no more: GET /v1/connections/<integration>/authorize begins anew.",
  },
  conflict: { status: 409, title: "The request conflicts with the current state", help: "Read the thing again and decide anew." },
  version_conflict: {
    status: 409,
    title: "The secret is not at that version",
    help: "Somebody else was there first, or the version is not there any more. Read the versions again and decide anew.",
  },
  export_not_ready: {
    status: 409,
    title: "The export is not ready",
    help: "Follow its task at GET /v1/tasks/<taskId>/stream, then download it. If the task failed, ask for another export.",
  },
  idempotency_in_flight: {
    status: 409,
    title: "A request with this Idempotency-Key is still running",
    help: "Wait for its answer, then repeat the request to read it.",
  },
  secret_expired: {
    status: 410,
    title: "The secret has expired",
    help: "It is not given out past its time. PATCH its `expiresAt`, best together with a new value.",
  },
  payload_too_large: { status: 413, title: "The body is too large", help: "Send less, or raise the limit in the configuration." },
  unsupported_media_type: { status: 415, title: "The content type is not supported", help: "Send `Content-Type: application/json`." },
  idempotency_mismatch: {
    status: 422,
    title: "The Idempotency-Key was used with another request",
    help: "Use a fresh key for each distinct request.",
  },
  rate_limited: { status: 429, title: "Too many requests", help: "Wait as long as `Retry-After` says." },
  cpu_budget_spent: {
    status: 429,
    title: "Your programs have used the CPU time they may",
    help: "It comes back evenly: wait as long as `Retry-After` says, or ask the operator to raise KEELSON_SANDBOX_TENANT_CPU_MS_PER_MINUTE.",
  },
  too_many_streams: {
    status: 429,
    title: "Too many event streams or patterns",
    help: "One stream can carry several patterns. Close a stream you no longer need, or ask the operator to raise KEELSON_STREAMS_MAX.",
  },
  internal: {
    status: 500,
    title: "Something went wrong on our side",
    help: "Give `instance` (the request id) to the operator: the log has the cause under it.",
  },
  secret_unreadable: {
    status: 500,
    title: "The stored value does not open",
    help: "It was altered, put in another's place, or sealed with a key that is no longer there. Administrators have been told; another version may be whole.",
  },
  unavailable: {
    status: 503,
    title: "A part this needs is not available right now",
    help: "Retry after `Retry-After` seconds. /readyz names the part.",
  },
  provider_unavailable: {
    status: 503,
    title: "The provider is not available right now",
    help: "Retry after `Retry-After` seconds, or log in another way. The log has the cause under `instance`.",
  },
  queue_full: { status: 503, title: "No more tasks may wait in this queue", help: "Retry after `Retry-After` seconds." },
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
  /** Extension members of the body (RFC 9457 §3.2): what the client needs to go on. */
  readonly members?: Readonly<Record<string, string>>;
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

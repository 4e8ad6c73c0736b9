/** What Vault refused, or why it was not reached. `message` holds Vault's own words and never a token or a value. */
export class VaultError extends Error {
  override readonly name: string = "VaultError";
  /** The HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** No answer, or one that says "not now": a time-out, a lost connection, 412, 429, 5xx, sealed. */
export class VaultUnavailable extends VaultError {
  override readonly name = "VaultUnavailable";
}

/** 403, or a log-in that was refused. */
export class VaultForbidden extends VaultError {
  override readonly name = "VaultForbidden";
}

export class VaultNotFound extends VaultError {
  override readonly name = "VaultNotFound";
}

/** What node-vault throws, as one of ours. Nothing else of the original is kept. */
export function toVaultError(thrown: unknown, what: string): VaultError {
  if (thrown instanceof VaultError) return thrown;
  const status = statusOf(thrown);
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  if (status === undefined) return new VaultUnavailable(`${what}: Vault was not reached (${codeOf(thrown)}${said})`);
  return toStatusError(status, `${what}: Vault answered ${status} (${wordsOf(thrown) ?? said})`);
}

function toStatusError(status: number, message: string): VaultError {
  if (status === 403) return new VaultForbidden(message, status);
  if (status === 404) return new VaultNotFound(message, status);
  if (status === 412 || status === 429 || status >= 500) return new VaultUnavailable(message, status);
  return new VaultError(message, status);
}

interface Answered {
  readonly response: { readonly statusCode: number; readonly body: unknown };
}

function isAnswered(thrown: unknown): thrown is Answered {
  if (!(thrown instanceof Error && "response" in thrown)) return false;
  const { response } = thrown;
  return typeof response === "object" && response !== null && "statusCode" in response && typeof response.statusCode === "number";
}

function statusOf(thrown: unknown): number | undefined {
  return isAnswered(thrown) ? thrown.response.statusCode : undefined;
}

/** Vault's errors have the form `{"errors":["…"]}`; some are empty, and some span lines. */
function wordsOf(thrown: unknown): string | undefined {
  if (!isAnswered(thrown)) return undefined;
  const { body } = thrown.response;
  if (typeof body !== "object" || body === null || !("errors" in body) || !Array.isArray(body.errors)) return undefined;
  const words = body.errors.filter((line): line is string => typeof line === "string").join("; ");
  return words === "" ? undefined : words.replaceAll(/\s+/g, " ").trim();
}

function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error && "code" in thrown && typeof thrown.code === "string")) return "";
  return thrown.message.includes(thrown.code) ? "" : `${thrown.code}: `;
}

/** Where a table keeps something sealed. */
export interface SealedColumn {
  readonly table: string;
  /** The columns of the primary key, in its order, and their types. */
  readonly key: Readonly<Record<string, "text" | "integer">>;
  readonly column: string;
  /** `bytea`, unless it is base64 in this field of a JSON column, which has no others. */
  readonly field?: string;
  /** Only in these rows: elsewhere the column is not ours. */
  readonly where?: { readonly column: string; readonly is: string };
}

/**
 * Everything that is sealed under a key-encryption key, so that it can be wrapped by the next one. Answers of `refresh_tokens` are left out: they are of use for
 * seconds. `tests/secrets/sealed-columns.test.ts` finds what is missing.
 */
export const sealedColumns: readonly SealedColumn[] = [
  { table: "signing_keys", key: { kid: "text" }, column: "private_key" },
  { table: "audit_keys", key: { id: "text" }, column: "private_key" },
  { table: "totp_credentials", key: { user_id: "text" }, column: "secret" },
  { table: "event_subscriptions", key: { id: "text" }, column: "secrets" },
  { table: "data_exports", key: { id: "text" }, column: "document" },
  { table: "external_keys", key: { id: "text" }, column: "key" },
  { table: "integrations", key: { id: "text" }, column: "client_secret" },
  { table: "connections", key: { id: "text" }, column: "tokens" },
  { table: "secret_policies", key: { secret_id: "text" }, column: "webhook_secret" },
  { table: "secret_versions", key: { id: "text" }, column: "kept" },
  { table: "idempotency_keys", key: { scope: "text", key: "text" }, column: "body" },
  { table: "tasks", key: { id: "text" }, column: "input", field: "sealed", where: { column: "job", is: "notify.send-mail" } },
];

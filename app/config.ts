import { z } from "zod";
import { base64Bytes, commaList, connectionUrl, hostAndPort, network, origin, proxyCount, wholeNumber } from "./config-values.ts";
import type { LogLevel } from "./platform/logger.ts";
import { queueOverrides } from "./platform/queue/overrides.ts";
import type { RedisTarget } from "./platform/redis.ts";
import { type SettingsRule, vaultRules, vaultSecretKeys, vaultSettings } from "./platform/vault/settings.ts";
import { oauthProviders, returnOrigin } from "./services/auth/oauth/provider-settings.ts";
import type { AuthSettings } from "./services/auth/settings.ts";
import { signingAlgorithms } from "./services/auth/tokens/signing-key.ts";
import { retentionOverrides } from "./services/events/retention/policy.ts";

const roles = ["api", "queue", "bus", "sandbox"] as const;

/** A string that never shows: `doctor` and logs print `[redacted]`. */
const secretKeys = [
  "KEELSON_METRICS_TOKEN",
  "DATABASE_URL",
  "DATABASE_REPLICA_URL",
  "REDIS_URL",
  "KEELSON_KEK",
  "KEELSON_KEK_PREVIOUS",
  "KEELSON_AUDIT_PUSH_TOKEN",
  "KEELSON_ADMIN_PASSWORD",
  "KEELSON_OAUTH_PROVIDERS",
  ...vaultSecretKeys,
] as const;

const environment = z.object({
  PORT: wholeNumber(0, 65_535).default(3000),
  HOST: z.string().default("127.0.0.1"),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  DATABASE_URL: connectionUrl("postgres:", "postgresql:").optional(),
  DATABASE_REPLICA_URL: connectionUrl("postgres:", "postgresql:").optional(),
  REDIS_URL: connectionUrl("redis:", "rediss:").optional(),
  REDIS_SENTINELS: commaList.pipe(z.array(hostAndPort).min(1)).optional(),
  REDIS_SENTINEL_NAME: z.string().optional(),
  KEELSON_REDIS_WAIT_REPLICAS: wholeNumber(0, 10).default(0),
  KEELSON_DATA_DIR: z.string().default(".keelson"),
  KEELSON_ROLES: commaList.pipe(z.array(z.enum(roles)).min(1)).default([...roles]),
  KEELSON_PUBLIC_URL: connectionUrl("http:", "https:").optional(),
  KEELSON_KEK: base64Bytes(32).optional(),
  KEELSON_KEK_PREVIOUS: base64Bytes(32).optional(),
  KEELSON_KEY_OVERLAP_SECONDS: wholeNumber(2, 86_400).default(120),
  ...vaultSettings,
  KEELSON_SIGNUP: z.enum(["open", "invite", "closed"]).default("open"),
  KEELSON_ADMIN_EMAIL: z.email().optional(),
  KEELSON_ADMIN_PASSWORD: z.string().min(8).max(128).optional(),
  KEELSON_KEY_PREFIX: z
    .string()
    .regex(/^[a-z0-9_-]{1,32}$/, { error: "expected 1 to 32 of a-z, 0-9, _ and -" })
    .default("keelson"),
  KEELSON_SHUTDOWN_GRACE_MS: wholeNumber(0, 600_000).default(30_000),
  KEELSON_STARTUP_WAIT_MS: wholeNumber(0, 600_000).default(30_000),
  KEELSON_BODY_BYTES_MAX: wholeNumber(1_024, 100_000_000).default(1_048_576),
  KEELSON_RATE_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000).default(60_000),
  KEELSON_LOGIN_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000).default(600),
  KEELSON_REFUSED_LIMIT_PER_MINUTE: wholeNumber(1, 10_000_000).default(6_000),
  KEELSON_EVENT_RETENTION_HOURS: wholeNumber(1, 8_760).default(24),
  KEELSON_EVENT_RETENTION: retentionOverrides.optional(),
  KEELSON_EVENT_LENGTH_MAX: wholeNumber(1_000, 1_000_000_000).optional(),
  KEELSON_CUSTOM_EVENTS: z.stringbool().default(true),
  KEELSON_WEBHOOK_NETWORKS: commaList.pipe(z.array(network)).default([]),
  KEELSON_WEBHOOK_DISABLE_AFTER_HOURS: wholeNumber(1, 8_760).default(120),
  KEELSON_SUBSCRIPTIONS_MAX: wholeNumber(1, 100_000).default(100),
  OPENAI_BASE_URL: connectionUrl("http:", "https:").optional(),
  ANTHROPIC_BASE_URL: connectionUrl("http:", "https:").optional(),
  MISTRAL_BASE_URL: connectionUrl("http:", "https:").optional(),
  RESEND_BASE_URL: connectionUrl("http:", "https:").optional(),
  TWILIO_BASE_URL: connectionUrl("http:", "https:").optional(),
  KEELSON_INTEGRATION_NETWORKS: commaList.pipe(z.array(network)).default([]),
  KEELSON_SECRETS_MAX: wholeNumber(1, 1_000_000).default(1_000),
  KEELSON_STREAMS_MAX: wholeNumber(1, 1_000_000).default(100),
  KEELSON_TRUST_PROXY: proxyCount.default(0),
  KEELSON_ACCESS_TOKEN_SECONDS: wholeNumber(30, 86_400).default(900),
  KEELSON_REFRESH_TOKEN_SECONDS: wholeNumber(60, 63_072_000).default(31_536_000),
  KEELSON_REFRESH_GRACE_SECONDS: wholeNumber(0, 300).default(10),
  KEELSON_TOKEN_ALGORITHM: z.enum(signingAlgorithms).default("EdDSA"),
  KEELSON_SIGNING_KEY_DAYS: wholeNumber(1, 3_650).default(90),
  KEELSON_SESSIONS_MAX: wholeNumber(1, 1_000).default(10),
  KEELSON_SESSION_MAX_SECONDS: wholeNumber(60, 315_360_000).default(31_536_000),
  KEELSON_SESSION_IDLE_SECONDS: wholeNumber(60, 63_072_000).default(2_592_000),
  KEELSON_SESSION_BIND_NETWORK: z.stringbool().default(false),
  KEELSON_API_KEYS_MAX: wholeNumber(1, 10_000).default(50),
  KEELSON_SCHEDULES_MAX: wholeNumber(1, 100_000).default(100),
  KEELSON_CORS_ORIGINS: commaList.pipe(z.array(origin)).default([]),
  KEELSON_OAUTH_PROVIDERS: oauthProviders.optional(),
  KEELSON_OAUTH_RETURN_URLS: commaList.pipe(z.array(returnOrigin)).optional(),
  KEELSON_PASSWORD_SCORE_MIN: wholeNumber(0, 4).default(2),
  KEELSON_PASSWORD_HISTORY: wholeNumber(0, 24).default(0),
  KEELSON_BREACHED_PASSWORDS_URL: connectionUrl("http:", "https:").optional(),
  KEELSON_EMAIL_VERIFICATION: z.enum(["off", "optional", "required"]).default("optional"),
  KEELSON_DEV_MAILBOX: z.stringbool().optional(),
  KEELSON_METRICS_TOKEN: z.string().min(16).max(256).optional(),
  KEELSON_AUDIT_PUSH_URL: connectionUrl("http:", "https:").optional(),
  KEELSON_AUDIT_PUSH_TOKEN: z.string().max(4_096).optional(),
  KEELSON_AUDIT_PUSH_FORMAT: z.enum(["ndjson", "cef"]).default("ndjson"),
  KEELSON_QUEUES: queueOverrides.optional(),
  KEELSON_QUEUE_THREADS: wholeNumber(1, 64).optional(),
  KEELSON_SANDBOX_CELLS: wholeNumber(1, 64).optional(),
  KEELSON_SANDBOX_TENANT_CONCURRENCY: wholeNumber(1, 64).optional(),
  KEELSON_SANDBOX_TENANT_CPU_MS_PER_MINUTE: wholeNumber(1_000, 3_600_000).default(60_000),
  KEELSON_SANDBOX_TIMEOUT_MS_MAX: wholeNumber(10, 60_000).default(10_000),
  KEELSON_SANDBOX_MEMORY_BYTES_MAX: wholeNumber(16_777_216, 1_073_741_824).default(134_217_728),
  KEELSON_SANDBOX_NETWORKS: commaList.pipe(z.array(network)).default([]),
  KEELSON_SANDBOX_RETENTION_DAYS: wholeNumber(1, 3_650).default(30),
  KEELSON_SANDBOX_CODE_BYTES_MAX: wholeNumber(1_024, 10_000_000).default(262_144),
});

/** Rules between keys; checked on their own so that one mistake does not hide another. */
const rules: readonly SettingsRule[] = [
  {
    key: "REDIS_SENTINEL_NAME",
    says: "REDIS_SENTINELS and REDIS_SENTINEL_NAME go together",
    brokenBy: (has) => has("REDIS_SENTINELS") !== has("REDIS_SENTINEL_NAME"),
  },
  { key: "REDIS_URL", says: "give REDIS_URL or REDIS_SENTINELS, not both", brokenBy: (has) => has("REDIS_URL") && has("REDIS_SENTINELS") },
  {
    key: "KEELSON_ADMIN_PASSWORD",
    says: "KEELSON_ADMIN_EMAIL and KEELSON_ADMIN_PASSWORD go together",
    brokenBy: (has) => has("KEELSON_ADMIN_EMAIL") !== has("KEELSON_ADMIN_PASSWORD"),
  },
  {
    key: "KEELSON_PUBLIC_URL",
    says: "KEELSON_OAUTH_PROVIDERS needs it: providers send browsers back there",
    brokenBy: (has) => has("KEELSON_OAUTH_PROVIDERS") && !has("KEELSON_PUBLIC_URL"),
  },
  ...vaultRules,
];

export type Environment = Readonly<z.infer<typeof environment>>;

/** The whole configuration of one copy; plain data, so it is handed to threads as it is. */
export interface Config extends Environment {
  readonly LOG_LEVEL: LogLevel;
  readonly redis: RedisTarget | undefined;
  readonly KEELSON_DEV_MAILBOX: boolean;
}

/** Thrown with every bad key at once; `message` is ready to print. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const knownKeys = new Set(Object.keys(environment.shape));
const emptyIsAbsent = (source: NodeJS.ProcessEnv) => Object.fromEntries(Object.entries(source).filter(([, value]) => value !== ""));

/**
 * Reads and checks the environment (Bun has already merged `.env` into it); `roles` goes before its `KEELSON_ROLES`.
 * Throws `ConfigError` naming every bad value and every unknown `KEELSON_*` key.
 */
export function readConfig(roles?: string, source: NodeJS.ProcessEnv = process.env): Config {
  const given = emptyIsAbsent(roles === undefined ? source : { ...source, KEELSON_ROLES: roles });
  const complaints = [
    ...Object.keys(given)
      .filter((key) => key.startsWith("KEELSON_") && !knownKeys.has(key))
      .map((key) => `${key}: unknown setting; the command doctor lists the known ones`),
    ...rules.filter((rule) => rule.brokenBy((key) => key in given, given)).map((rule) => `${rule.key}: ${rule.says}`),
  ];
  const parsed = environment.safeParse(given);
  if (!parsed.success) complaints.push(...parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  if (!parsed.success || complaints.length > 0) {
    throw new ConfigError(`The configuration has ${complaints.length} mistake(s):\n${complaints.map((line) => `  - ${line}`).join("\n")}`);
  }
  const env = parsed.data;
  return Object.freeze({ ...env, redis: redisTarget(env), KEELSON_DEV_MAILBOX: env.KEELSON_DEV_MAILBOX ?? isPrivate(env) });
}

/** The effective settings, one per line of `doctor`, with secrets hidden. */
export function describeConfig(config: Config): readonly { readonly key: string; readonly value: string }[] {
  const hidden = new Set<string>(secretKeys);
  const values = new Map(Object.entries(config));
  return [...knownKeys].map((key) => {
    const value = values.get(key);
    return { key, value: hidden.has(key) && value !== undefined ? "[redacted]" : show(value) };
  });
}

/** What one sandbox execution may ask for at most. */
export function sandboxBounds(config: Environment) {
  return {
    timeoutMsMax: config.KEELSON_SANDBOX_TIMEOUT_MS_MAX,
    memoryBytesMax: config.KEELSON_SANDBOX_MEMORY_BYTES_MAX,
    codeBytesMax: config.KEELSON_SANDBOX_CODE_BYTES_MAX,
  };
}

export function authSettings(config: Config): AuthSettings {
  return {
    issuer: config.KEELSON_PUBLIC_URL ?? "keelson",
    signup: config.KEELSON_SIGNUP,
    tokenAlgorithm: config.KEELSON_TOKEN_ALGORITHM,
    signingKeyDays: config.KEELSON_SIGNING_KEY_DAYS,
    accessTokenSeconds: config.KEELSON_ACCESS_TOKEN_SECONDS,
    refreshTokenSeconds: config.KEELSON_REFRESH_TOKEN_SECONDS,
    refreshGraceSeconds: config.KEELSON_REFRESH_GRACE_SECONDS,
    sessionIdleSeconds: config.KEELSON_SESSION_IDLE_SECONDS,
    sessionMaxSeconds: config.KEELSON_SESSION_MAX_SECONDS,
    sessionsMax: config.KEELSON_SESSIONS_MAX,
    bindNetwork: config.KEELSON_SESSION_BIND_NETWORK,
    apiKeysMax: config.KEELSON_API_KEYS_MAX,
    requestsPerMinute: config.KEELSON_RATE_LIMIT_PER_MINUTE,
    oauth: {
      publicUrl: config.KEELSON_PUBLIC_URL ?? "http://localhost",
      providers: config.KEELSON_OAUTH_PROVIDERS ?? [],
      returnOrigins: config.KEELSON_OAUTH_RETURN_URLS ?? [],
    },
    publicUrl: publicUrl(config),
    corsOrigins: config.KEELSON_CORS_ORIGINS,
    passwordScoreMin: config.KEELSON_PASSWORD_SCORE_MIN,
    passwordHistory: config.KEELSON_PASSWORD_HISTORY,
    breachedPasswordsUrl: config.KEELSON_BREACHED_PASSWORDS_URL,
    emailVerification: config.KEELSON_EMAIL_VERIFICATION,
  };
}

/** Where the audit trail is sent, if anywhere. */
export function auditCollector(config: Environment) {
  const { KEELSON_AUDIT_PUSH_URL: url, KEELSON_AUDIT_PUSH_TOKEN: token, KEELSON_AUDIT_PUSH_FORMAT: format } = config;
  return url === undefined ? undefined : { url, token, format };
}

/** Where values of secrets are in Vault, and whether new ones go there. */
export function vaultValues({ KEELSON_VAULT_KV_MOUNT, KEELSON_VAULT_STALE_SECONDS, KEELSON_SECRET_VALUES }: Environment) {
  return { mount: KEELSON_VAULT_KV_MOUNT, staleSeconds: KEELSON_VAULT_STALE_SECONDS, isWritten: KEELSON_SECRET_VALUES === "vault" };
}

/** Where services outside are reached, if not at their own addresses. */
export function serviceBaseUrls(config: Environment) {
  return {
    openai: config.OPENAI_BASE_URL,
    anthropic: config.ANTHROPIC_BASE_URL,
    mistral: config.MISTRAL_BASE_URL,
    resend: config.RESEND_BASE_URL,
    twilio: config.TWILIO_BASE_URL,
  };
}

/** Pages of these origins may write with our cookies. */
export function pageOrigins({ KEELSON_PUBLIC_URL, KEELSON_CORS_ORIGINS }: Environment) {
  return { own: KEELSON_PUBLIC_URL && new URL(KEELSON_PUBLIC_URL).origin, trusted: KEELSON_CORS_ORIGINS };
}

/** Where this installation is reached. Without a setting that is this machine, which is where an installation without one is tried out. */
export function publicUrl({ KEELSON_PUBLIC_URL, HOST, PORT }: Environment): string {
  const host = ["0.0.0.0", "::"].includes(HOST) ? "localhost" : HOST;
  return (KEELSON_PUBLIC_URL ?? `http://${host.includes(":") ? `[${host}]` : host}:${PORT}`).replace(/\/+$/, "");
}

/** Only this machine can reach it: then what is meant for development is on unless it is set. */
function isPrivate({ HOST, KEELSON_TRUST_PROXY }: Environment): boolean {
  return ["127.0.0.1", "::1", "localhost"].includes(HOST) && !KEELSON_TRUST_PROXY;
}

function redisTarget(env: Environment): RedisTarget | undefined {
  if (env.REDIS_URL) return { kind: "single", url: env.REDIS_URL };
  if (env.REDIS_SENTINELS && env.REDIS_SENTINEL_NAME) {
    return { kind: "sentinel", sentinels: env.REDIS_SENTINELS, name: env.REDIS_SENTINEL_NAME };
  }
  return undefined;
}

function show(value: unknown): string {
  if (value === undefined) return "(not set)";
  return typeof value === "string" ? value : JSON.stringify(value);
}

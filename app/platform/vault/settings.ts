import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { VaultOptions } from "./client.ts";
import type { VaultAuth } from "./log-in.ts";

const methods = ["token", "approle", "kubernetes"] as const;
const name = z.string().regex(/^[\w.-]+(\/[\w.-]+)*$/, { error: "expected a path such as secret or team/secret: no slash at either end" });

/** The names that Vault's own tools know, and ours for what those have no name for. */
export const vaultSettings = {
  VAULT_ADDR: z
    .string()
    .refine((value) => URL.canParse(value) && ["http:", "https:"].includes(new URL(value).protocol), {
      error: "expected a URL that begins with http:// or https://",
    })
    .optional(),
  VAULT_TOKEN: z.string().trim().min(1).optional(),
  VAULT_NAMESPACE: z.string().optional(),
  VAULT_CACERT: z.string().optional(),
  KEELSON_VAULT_AUTH: z.enum(methods).default("token"),
  KEELSON_VAULT_ROLE_ID: z.string().optional(),
  KEELSON_VAULT_SECRET_ID: z.string().optional(),
  KEELSON_VAULT_ROLE: z.string().optional(),
  KEELSON_VAULT_JWT_FILE: z.string().default("/var/run/secrets/kubernetes.io/serviceaccount/token"),
  KEELSON_VAULT_TRANSIT_MOUNT: name.default("transit"),
  KEELSON_VAULT_TRANSIT_KEY: z
    .string()
    .regex(/^\w(([\w.-]+)?\w)?$/, { error: "expected the name of a transit key" })
    .default("keelson"),
  KEELSON_VAULT_KV_MOUNT: name.default("secret"),
  KEELSON_SECRET_VALUES: z.enum(["database", "vault"]).default("database"),
  KEELSON_VAULT_STALE_SECONDS: z
    .string()
    .regex(/^\d{1,5}$/, { error: "expected a whole number from 0 to 86400" })
    .transform(Number)
    .pipe(z.number().max(86_400))
    .default(300),
};

export const vaultSecretKeys = ["VAULT_TOKEN", "KEELSON_VAULT_SECRET_ID"] as const;

/** Between keys that may be right one by one. */
export interface SettingsRule {
  readonly key: string;
  readonly says: string;
  readonly brokenBy: (has: (key: string) => boolean, given: Readonly<Record<string, string | undefined>>) => boolean;
}

/** Only of what is ours: a `VAULT_ADDR` alone may be there for other programs. */
export const vaultRules: readonly SettingsRule[] = [
  {
    key: "KEELSON_VAULT_AUTH",
    says: "approle needs KEELSON_VAULT_ROLE_ID and KEELSON_VAULT_SECRET_ID",
    brokenBy: (has, { KEELSON_VAULT_AUTH }) =>
      KEELSON_VAULT_AUTH === "approle" && !(has("KEELSON_VAULT_ROLE_ID") && has("KEELSON_VAULT_SECRET_ID")),
  },
  {
    key: "KEELSON_VAULT_AUTH",
    says: "kubernetes needs KEELSON_VAULT_ROLE",
    brokenBy: (has, { KEELSON_VAULT_AUTH }) => KEELSON_VAULT_AUTH === "kubernetes" && !has("KEELSON_VAULT_ROLE"),
  },
  {
    key: "KEELSON_VAULT_AUTH",
    says: "token needs VAULT_TOKEN",
    brokenBy: (has, { KEELSON_VAULT_AUTH }) => KEELSON_VAULT_AUTH === "token" && !has("VAULT_TOKEN"),
  },
  {
    key: "KEELSON_SECRET_VALUES",
    says: "vault needs VAULT_ADDR and a way to log in",
    brokenBy: (has, { KEELSON_SECRET_VALUES, KEELSON_VAULT_AUTH = "token" }) =>
      KEELSON_SECRET_VALUES === "vault" && !(has("VAULT_ADDR") && (KEELSON_VAULT_AUTH !== "token" || has("VAULT_TOKEN"))),
  },
  {
    key: "VAULT_ADDR",
    says: "KEELSON_VAULT_AUTH needs it",
    brokenBy: (has) => has("KEELSON_VAULT_AUTH") && !has("VAULT_ADDR"),
  },
];

export type VaultSettings = Readonly<z.infer<z.ZodObject<typeof vaultSettings>>>;

/** A `VAULT_ADDR` without a way to log in is meant for other programs. */
export function usesVault({ VAULT_ADDR, VAULT_TOKEN, KEELSON_VAULT_AUTH }: VaultSettings): boolean {
  return VAULT_ADDR !== undefined && (KEELSON_VAULT_AUTH !== "token" || VAULT_TOKEN !== undefined);
}

/** What `openVault` needs, with the certificate read from its file. Throws when something is missing, and names it. */
export async function vaultOptions(settings: VaultSettings): Promise<Omit<VaultOptions, "now" | "log">> {
  return {
    address: needed(settings, "VAULT_ADDR"),
    namespace: settings.VAULT_NAMESPACE,
    auth: authOf(settings),
    caCert: settings.VAULT_CACERT === undefined ? undefined : await readFile(settings.VAULT_CACERT, "utf8"),
    timeoutMs: 5_000,
  };
}

function authOf(settings: VaultSettings): VaultAuth {
  const method = settings.KEELSON_VAULT_AUTH;
  switch (method) {
    case "token":
      return { method, token: needed(settings, "VAULT_TOKEN") };
    case "approle":
      return { method, roleId: needed(settings, "KEELSON_VAULT_ROLE_ID"), secretId: needed(settings, "KEELSON_VAULT_SECRET_ID") };
    case "kubernetes":
      return { method, role: needed(settings, "KEELSON_VAULT_ROLE"), jwtFile: settings.KEELSON_VAULT_JWT_FILE };
    default:
      return method satisfies never;
  }
}

function needed(settings: VaultSettings, key: "VAULT_ADDR" | "VAULT_TOKEN" | `KEELSON_VAULT_${"ROLE_ID" | "SECRET_ID" | "ROLE"}`): string {
  const value = settings[key];
  if (value === undefined) throw new Error(`${key} has to be set for Vault (log-in by ${settings.KEELSON_VAULT_AUTH})`);
  return value;
}

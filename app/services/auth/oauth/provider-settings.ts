import { z } from "zod";

interface ClientSettings {
  /** Names the provider in paths, and in what is stored of its accounts: another provider needs another name. */
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly clientAuth: "basic" | "post" | undefined;
  readonly scopes: readonly string[];
}

export interface OpenidSettings extends ClientSettings {
  readonly kind: "openid";
  readonly issuer: string;
  /** The claim by which the provider vouches for an e-mail address. Microsoft lets tenants write any address into `email`. */
  readonly vouchingClaim: "email_verified" | "xms_edov";
}

export interface GithubSettings extends ClientSettings {
  readonly kind: "github";
  readonly baseUrl: string;
  readonly apiUrl: string;
}

export type ProviderSettings = OpenidSettings | GithubSettings;

const presets = ["google", "github", "microsoft"] as const;

const provider = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,32}$/, { error: "expected 1 to 32 of a-z, 0-9 and -" }),
    preset: z.enum(presets, { error: `expected one of ${presets.join(", ")}` }).optional(),
    issuer: secureUrl().optional(),
    clientId: z.string({ error: "expected the client id that the provider gave you" }).min(1),
    clientSecret: z.string({ error: "expected the client secret that the provider gave you" }).min(1),
    clientAuth: z.enum(["basic", "post"], { error: "expected basic or post: how the provider wants the client secret" }).optional(),
    scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, { error: "expected a scope without spaces" })).optional(),
    tenant: z
      .string()
      .regex(/^[A-Za-z0-9.-]{1,128}$/, { error: "expected a tenant id, a domain, common, organizations or consumers" })
      .optional(),
    baseUrl: secureUrl().optional(),
    apiUrl: secureUrl().optional(),
  })
  .superRefine((given, context) => {
    for (const [key, message] of contradictions(given)) context.addIssue({ code: "custom", path: [key], message });
  });

type Given = z.infer<typeof provider>;

/** `KEELSON_OAUTH_PROVIDERS`: a JSON list; every mistake is named by its place in it, and no value is shown. */
export const oauthProviders = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({
        code: "custom",
        message: `expected a JSON list like [{"name":"google","preset":"google","clientId":"…","clientSecret":"…"}]`,
      });
      return z.NEVER;
    }
  })
  .pipe(
    z
      .array(provider, { error: "expected a JSON list of providers" })
      .superRefine((list, context) => {
        for (const [index, { name }] of list.entries()) {
          if (list.findIndex((other) => other.name === name) < index)
            context.addIssue({ code: "custom", path: [index, "name"], message: "expected a name that no other provider has" });
        }
      })
      .transform((list): readonly ProviderSettings[] => list.map(toSettings)),
  );

/** One of `KEELSON_OAUTH_RETURN_URLS`: scheme, host and port, and nothing behind them. */
export const returnOrigin = z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text && isSecure(new URL(text)), {
  error: "expected origins like https://app.example.com, without a path (http:// only for this machine)",
});

function* contradictions({ preset, issuer, tenant, baseUrl, apiUrl }: Given): Iterable<readonly [string, string]> {
  if (!(preset || issuer)) yield ["preset", `expected a preset (${presets.join(", ")}) or an issuer`];
  if (preset === "github" && issuer)
    yield ["issuer", "expected none: GitHub is no OpenID Connect provider; baseUrl and apiUrl say where it is"];
  if (preset !== "microsoft" && tenant) yield ["tenant", "expected only with the preset microsoft"];
  if (preset === "microsoft" && tenant && issuer) yield ["tenant", "expected tenant or issuer, not both"];
  if (preset !== "github" && baseUrl) yield ["baseUrl", "expected only with the preset github"];
  if (preset !== "github" && apiUrl) yield ["apiUrl", "expected only with the preset github"];
}

function toSettings({ name, preset, issuer, tenant, baseUrl, apiUrl, ...given }: Given): ProviderSettings {
  const client = { name, clientId: given.clientId, clientSecret: given.clientSecret, clientAuth: given.clientAuth };
  if (preset === "github") {
    return {
      ...client,
      kind: "github",
      scopes: given.scopes ?? ["read:user", "user:email"],
      baseUrl: baseUrl ?? "https://github.com",
      apiUrl: apiUrl ?? "https://api.github.com",
    };
  }
  const microsoft = `https://login.microsoftonline.com/${tenant ?? "common"}/v2.0`;
  return {
    ...client,
    kind: "openid",
    scopes: [...new Set(["openid", ...(given.scopes ?? ["email", "profile"])])],
    issuer: issuer ?? (preset === "microsoft" ? microsoft : "https://accounts.google.com"),
    vouchingClaim: preset === "microsoft" ? "xms_edov" : "email_verified",
  };
}

function secureUrl() {
  return z.string().refine((text) => URL.canParse(text) && isSecure(new URL(text)) && !/[?#@\s]/.test(text), {
    error: "expected a URL that begins with https:// (http:// only for this machine), without query or fragment",
  });
}

/** Plain HTTP stays on this machine. */
function isSecure({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || (protocol === "http:" && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname));
}

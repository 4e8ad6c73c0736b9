/** A service outside that takes keys: what they look like, and how to ask whether one is good. */
export interface ExternalService {
  readonly pattern: RegExp;
  /** What a key looks like, in words. */
  readonly shape: string;
  /** Undefined where there is nothing that can be asked without doing something. */
  readonly probe?: Probe;
}

export interface Probe {
  readonly baseUrl: string;
  path(key: string): string;
  headers(key: string): Readonly<Record<string, string>>;
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const models: Omit<Probe, "baseUrl"> = { path: () => "/v1/models", headers: bearer };
const twilioKey = /^(?<account>AC[0-9a-f]{32}):(?<token>[0-9a-f]{32})$/;

/** Each probe reads something that any valid key may read. 2xx is valid, 401 and 403 invalid, anything else says nothing. */
export const externalServices = {
  openai: {
    pattern: /^sk-[\w-]{20,300}$/,
    shape: "sk-…",
    probe: { baseUrl: "https://api.openai.com", ...models },
  },
  anthropic: {
    pattern: /^sk-ant-[\w-]{20,300}$/,
    shape: "sk-ant-…",
    probe: {
      baseUrl: "https://api.anthropic.com",
      path: () => "/v1/models",
      headers: (key) => ({ "x-api-key": key, "anthropic-version": "2023-06-01" }),
    },
  },
  mistral: {
    pattern: /^[A-Za-z0-9]{32}$/,
    shape: "32 letters and digits",
    probe: { baseUrl: "https://api.mistral.ai", ...models },
  },
  github: {
    pattern: /^(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255})$/,
    shape: "ghp_… or github_pat_…",
    probe: {
      baseUrl: "https://api.github.com",
      path: () => "/user",
      headers: (key) => ({ ...bearer(key), accept: "application/vnd.github+json", "user-agent": "Keelson" }),
    },
  },
  resend: {
    pattern: /^re_\w{16,64}$/,
    shape: "re_…",
    probe: { baseUrl: "https://api.resend.com", path: () => "/domains", headers: bearer },
  },
  twilio: {
    pattern: twilioKey,
    shape: "the account's SID and its token, with a colon between them",
    probe: {
      baseUrl: "https://api.twilio.com",
      path: (key) => `/2010-04-01/Accounts/${twilioKey.exec(key)?.groups?.account}.json`,
      headers: (key) => ({ authorization: `Basic ${Buffer.from(key).toString("base64")}` }),
    },
  },
  custom: { pattern: /^[\x21-\x7e]{8,4096}$/, shape: "8 to 4096 visible ASCII characters" },
} as const satisfies Record<string, ExternalService>;

export type ExternalServiceName = keyof typeof externalServices;
export const externalServiceNames = Object.keys(externalServices).filter((name): name is ExternalServiceName => name in externalServices);

export function externalService(name: ExternalServiceName): ExternalService {
  return externalServices[name];
}

import type { CapabilityGrants, CapabilityUse } from "../../../../db/schema/sandbox.ts";
import type { AskHost, CapabilityName, HostAnswer, HostCall } from "../../../../sandbox/execution.ts";
import { Problem } from "../../../platform/errors.ts";

/** On whose behalf a program asks: it acts as its owner, for the team if it is the team's, and never as an administrator. */
export interface Guest {
  readonly executionId: string;
  readonly ownerId: string;
  readonly teamId: string | null;
  readonly grants: CapabilityGrants;
}

/** What a capability does for a program. `argument` is whatever the program passed. */
export type Capability = (guest: Guest, method: string, argument: unknown) => Promise<unknown>;
export type Capabilities = Readonly<Record<CapabilityName, Capability>>;

/** Something the program did wrong, or that went wrong with what it asked for; told to it as it stands. */
export class CapabilityError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

/** Answers what programs ask. Never rejects: what went wrong is for the program to catch, and no more of it than it may know. */
export function createBroker(capabilities: Capabilities, warn: (details: object, message: string) => void) {
  return async (guest: Guest, { capability, method, argumentText }: HostCall): Promise<HostAnswer> => {
    try {
      if (guest.grants[capability] === undefined) throw new CapabilityError("NotGrantedError", `${capability} is not granted`);
      const value = await capabilities[capability](guest, method, JSON.parse(argumentText));
      return { ok: true, text: JSON.stringify(value ?? null) };
    } catch (error) {
      if (!(error instanceof CapabilityError || error instanceof Problem)) warn({ err: error, capability, method }, "a capability failed");
      return { ok: false, text: JSON.stringify(describe(error)) };
    }
  };
}

function describe(error: unknown): { name: string; message: string } {
  if (error instanceof CapabilityError) return { name: error.name, message: error.message };
  if (!(error instanceof Problem)) return { name: "HostError", message: "the host could not do this" };
  const reasons = (error.init.errors ?? []).map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return { name: "HostError", message: [error.message, ...reasons].join("; ") };
}

/** Counts and remembers what a program asks, and refuses what goes beyond its grants' numbers. */
export function recordCalls(grants: CapabilityGrants, ask: AskHost): { readonly ask: AskHost; readonly uses: CapabilityUse[] } {
  const uses: CapabilityUse[] = [];
  let fetches = 0;
  const refuse = (message: string): HostAnswer => ({ ok: false, text: JSON.stringify({ name: "LimitError", message }) });
  return {
    uses,
    ask: async (call) => {
      const startedAt = performance.now();
      if (call.capability === "fetch") fetches += 1;
      const fetchesMax = grants.fetch?.requestsMax ?? 0;
      const isTooMany = call.capability === "fetch" && fetches > fetchesMax;
      const answer = isTooMany ? refuse(`no more than ${fetchesMax} requests are granted`) : await ask(call);
      uses.push({ ...aboutOf(call), ...outcomeOf(answer), ms: Math.round(performance.now() - startedAt) });
      return answer;
    },
  };
}

function outcomeOf({ ok, text }: HostAnswer): Pick<CapabilityUse, "ok" | "error"> {
  return ok ? { ok } : { ok, error: String(JSON.parse(text).name) };
}

const targetCharsMax = 200;

/** What is remembered of a call: enough to audit, and nothing that may be a secret. */
function aboutOf({ capability, method, argumentText }: HostCall): Pick<CapabilityUse, "capability" | "method" | "target"> {
  const argument: unknown = JSON.parse(argumentText);
  const read = (key: string): string => {
    const value: unknown = typeof argument === "object" && argument !== null ? Reflect.get(argument, key) : undefined;
    return typeof value === "string" ? value.slice(0, targetCharsMax) : "";
  };
  const targets = {
    fetch: () => `${read("method")} ${read("url").replace(/[?#].*$/s, "")}`,
    kv: () => read("key") || read("prefix"),
    events: () => read("type"),
    log: () => read("level"),
  } satisfies Record<CapabilityName, () => string>;
  return { capability, method, target: targets[capability]() };
}

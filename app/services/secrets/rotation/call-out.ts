import { Webhook } from "standardwebhooks";
import { z } from "zod";
import type { AddressGuard } from "../../../platform/outgoing/address-guard.ts";
import { sendRequest } from "../../../platform/outgoing/request.ts";
import type { SecretValue } from "../value.ts";

/** Asks somebody outside: to make a value, or whether one works. */
export interface CallOut {
  generate(url: string): Promise<SecretValue>;
  /** Why it does not work; undefined when it does. Rejects when there is no answer that says one or the other. */
  validate(url: string, value: SecretValue): Promise<string | undefined>;
}

export interface CallOutOf {
  /** Stays the same however often it is asked, so that the far end makes one value for it. */
  readonly rotationId: string;
  readonly secretName: string;
  readonly signingSecret: string;
  readonly signal: AbortSignal;
}

const timeoutMs = 15_000;
const answerBytesMax = 100_000;
const answered = z.object({ value: z.union([z.string().min(1), z.record(z.string(), z.string())]) });

/** Signed by the Standard Webhooks scheme, to addresses that the guard allows. */
export function createCallOut(
  guard: Pick<AddressGuard, "allows" | "lookup">,
  { rotationId, secretName, signingSecret, signal }: CallOutOf,
): CallOut {
  const ask = async (url: string, kind: "generate" | "validate", more: object) => {
    const at = new Date();
    const body = JSON.stringify({ type: `secret.rotation.${kind}`, rotationId, secret: secretName, ...more });
    const id = `${rotationId}-${kind}`;
    const headers = {
      "content-type": "application/json",
      "user-agent": "Keelson",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
      "webhook-signature": new Webhook(signingSecret).sign(id, at, body),
    };
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const answer = await sendRequest({ method: "POST", url, headers, body, signal: limit, bodyBytesMax: answerBytesMax }, guard);
    return { status: answer.status, text: answer.body.toString() };
  };

  return {
    generate: async (url) => {
      const { status, text } = await ask(url, "generate", {});
      if (status < 200 || status >= 300) throw new Error(`the generator answered ${status}`);
      const parsed = answered.safeParse(parseJson(text));
      if (!parsed.success) throw new Error('the generator did not answer {"value": …}');
      return parsed.data.value;
    },
    validate: async (url, value) => {
      const { status, text } = await ask(url, "validate", { value });
      if (status >= 200 && status < 300) return undefined;
      if (status >= 400 && status < 500 && status !== 408 && status !== 429) return `the validator refuses it: ${reasonIn(text)}`;
      throw new Error(`the validator answered ${status}`);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The far end might repeat what it was sent. */
function reasonIn(text: string): string {
  const parsed = z.object({ reason: z.string().max(100) }).safeParse(parseJson(text));
  return parsed.success ? parsed.data.reason : "no reason given";
}

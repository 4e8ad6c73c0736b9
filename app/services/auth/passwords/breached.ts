import { createHash } from "node:crypto";
import type { Logger } from "../../../platform/logger.ts";

/** Whether the password is in a list of leaked ones. */
export type IsBreached = (password: string) => Promise<boolean>;

const timeoutMs = 2_000;
const prefixLength = 5;
/** A padded answer has 800 to 1000 lines of about 40 bytes. */
const answerBytesMax = 1_048_576;

/**
 * Asks a service that speaks the range protocol of Have I Been Pwned (api.pwnedpasswords.com/range): only the first 5 hex digits of the
 * SHA-1 leave, and padding hides how long the answer is. Fails open: when the service does not answer as it should within 2 s the
 * password is taken and the log has a warning, because nobody should be unable to set a password while somebody else's service is down.
 */
export function createIsBreached({ url, log }: { readonly url: string; readonly log: Logger }): IsBreached {
  return async (password) => {
    const digest = createHash("sha1").update(password).digest("hex").toUpperCase();
    try {
      return hasSuffix(await range(url, digest.slice(0, prefixLength)), digest.slice(prefixLength));
    } catch (error) {
      log.warn({ err: error }, "could not ask whether a password has leaked; it is taken unchecked");
      return false;
    }
  };
}

async function range(url: string, prefix: string): Promise<string> {
  const answer = await fetch(`${url.replace(/\/$/, "")}/${prefix}`, {
    headers: { "add-padding": "true", "user-agent": "keelson" },
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!answer.ok) throw new Error(`the service answered ${answer.status}`);
  const text = await answer.text();
  if (text.length > answerBytesMax) throw new Error(`the service answered ${text.length} characters`);
  return text;
}

/** Lines of `SUFFIX:COUNT`; padding has the count 0. */
function hasSuffix(lines: string, suffix: string): boolean {
  return lines.split("\n").some((line) => {
    const [candidate, count] = line.trim().split(":");
    return candidate?.toUpperCase() === suffix && Number(count) > 0;
  });
}

import type { Unit } from "../../../platform/outbox.ts";

/** A mail in plain text. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Part of the caller's unit of work: what is rolled back sends nothing. */
export type SendMail = (unit: Unit, mail: Mail) => Promise<void>;

export function disabledNotice(
  { email, name }: { readonly email: string; readonly name: string | null },
  { url, reason }: { readonly url: string; readonly reason: string },
): Mail {
  return {
    to: email,
    subject: "A webhook was disabled",
    text: [
      `Hello${name ? ` ${name}` : ""},`,
      "",
      `no more events are sent to ${url}.`,
      reason,
      "",
      "What was not delivered is kept among the subscription's dead letters for a month. When the receiver works again, make the subscription active and redrive them, or replay from a time.",
    ].join("\n"),
  };
}

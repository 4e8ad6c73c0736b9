import { request } from "../client.ts";
import { until } from "../until.ts";

export interface DevelopmentMail {
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** What the development mailbox holds for the address, the newest first. */
export async function mailsTo(url: string, email: string): Promise<DevelopmentMail[]> {
  const { body } = await request(url, "/dev/mail.json");
  return body.data.filter(({ to }: DevelopmentMail) => to === email);
}

/** Waits for the mail with that subject. */
export function mailTo(url: string, email: string, subject: string): Promise<DevelopmentMail> {
  return until(`${email} got "${subject}"`, async () => (await mailsTo(url, email)).find((mail) => mail.subject === subject));
}

/** The token of the link in a mail. */
export function tokenIn({ text }: DevelopmentMail): string {
  const [, token] = /\?token=([\w-]{43})(?=\s)/.exec(text) ?? [];
  if (token === undefined) throw new Error(`no link in: ${text}`);
  return token;
}

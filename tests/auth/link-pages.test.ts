import { afterAll, expect, test } from "bun:test";
import { randomToken } from "../../app/platform/ids.ts";
import { launchChromium } from "../chromium.ts";
import { request, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { mailTo, tokenIn } from "./mailbox.ts";

const root = { email: "root@example.com", password: "correct horse battery staple" };
const running = sharedCopy("postgres", { KEELSON_ADMIN_EMAIL: root.email, KEELSON_ADMIN_PASSWORD: root.password });
const browser = await launchChromium();
afterAll(() => browser?.close());

/** Opens the page behind a link, fills it in, presses the button, and gives what the page says then. */
async function answerOf(path: string, { button, fields = {} }: { readonly button: string; readonly fields?: Record<string, string> }) {
  if (!browser) throw new Error("there is no browser");
  const page = await browser.newPage();
  await page.goto(running.url + path);
  for (const [name, value] of Object.entries(fields)) await page.locator(`[name=${name}]`).fill(value);
  await page.getByRole("button", { name: button }).click();
  await until("its buttons are off", async () => (await page.locator("button:enabled").count()) === 0);
  const says = await page.locator("output").textContent();
  await page.close();
  return says;
}

const linkToConfirm = async (email: string) =>
  `/v1/auth/email/verify?token=${tokenIn(await mailTo(running.url, email, "Confirm your e-mail address"))}`;

test.skipIf(!browser)(
  "the page of the verification link confirms the address",
  async () => {
    const user = await signUp(running.url);
    expect(await answerOf(await linkToConfirm(user.email), { button: "Confirm" })).toStartWith("Done: the address is confirmed.");
    expect((await request(running.url, "/v1/me", { token: user.token })).body.user.emailVerified).toBe(true);
  },
  30_000,
);

test.skipIf(!browser)(
  "or, by its other button, closes an account that its reader did not ask for",
  async () => {
    const user = await signUp(running.url);
    expect(await answerOf(await linkToConfirm(user.email), { button: "This was not me" })).toStartWith("Done: the account is closed");
    expect((await request(running.url, "/v1/me", { token: user.token })).status).toBe(401);
  },
  30_000,
);

test.skipIf(!browser)(
  "the page of an invitation signs up",
  async () => {
    const { accessToken: token } = (await request(running.url, "/v1/auth/login", { body: root })).body;
    const [email, password] = [`${randomToken(9)}@example.com`, "quartz vexing jumbled sphinx"];
    await request(running.url, "/v1/invitations", { token, body: { email, name: "Ada", role: "admin" } });
    const link = `/v1/auth/signup?token=${tokenIn(await mailTo(running.url, email, "You are invited to sign up"))}`;
    expect(await answerOf(link, { button: "Sign up", fields: { email, password } })).toStartWith("Done: the account is there");
    const { body } = await request(running.url, "/v1/auth/login", { body: { email, password } });
    expect(body.user).toMatchObject({ name: "Ada", role: "admin", emailVerified: true });
  },
  30_000,
);

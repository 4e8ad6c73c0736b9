import type { Browser } from "playwright-core";

/** A page with an authenticator of its own, which answers by itself. Close it at the end. */
export type Authenticator = Awaited<ReturnType<typeof openAuthenticator>>;

// biome-ignore lint/suspicious/noExplicitAny: options and responses are JSON of the standard, and what the copy says of them is the check
type Json = any;

/** `origin` is where the page is; the authenticator is built in, keeps passkeys and has just verified its user; or a key that only notices a touch. */
export async function openAuthenticator(browser: Browser, origin: string, kind: "built_in" | "touch_only" = "built_in") {
  const isBuiltIn = kind === "built_in";
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/v1/auth/setup`);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: isBuiltIn ? "internal" : "usb",
      hasResidentKey: isBuiltIn,
      hasUserVerification: isBuiltIn,
      isUserVerified: isBuiltIn,
      automaticPresenceSimulation: true,
    },
  });
  const ask = (call: string): Promise<Json> => page.evaluate(`(async () => (await ${call}).toJSON())()`);
  return {
    create: (options: Json): Promise<Json> =>
      ask(`navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(${JSON.stringify(options)}) })`),
    get: (options: Json): Promise<Json> =>
      ask(`navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(${JSON.stringify(options)}) })`),
    setUserVerified: (isUserVerified: boolean) => devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    close: () => page.context().close(),
  };
}

import { expect, test } from "bun:test";

const root = new URL("../..", import.meta.url).pathname;
/** Each takes 10 to 300 ms to load, and most starts need none of them soon. */
const loadedLater = ["@simplewebauthn/server", "@zxcvbn-ts", "openid-client", "otpauth", "bowser", "node-vault"];

/** Which modules a fresh process has loaded once it has run the script. */
async function modulesAfter(script: string): Promise<string[]> {
  const list = `${script}; console.log(JSON.stringify(Object.keys(require.cache)));`;
  return JSON.parse(await Bun.$`${process.execPath} -e ${list}`.cwd(root).text());
}

test("libraries that are needed now and then are not loaded at the start", async () => {
  const modules = await modulesAfter(`await import("./app/boot.ts")`);
  expect(modules.filter((path) => path.endsWith("/app/services/auth/service.ts"))).toHaveLength(1);
  for (const name of loadedLater) expect(modules.filter((path) => path.includes(`/node_modules/${name}/`))).toEqual([]);
}, 30_000);

test("but when they are needed, and seen by this test then", async () => {
  const modules = await modulesAfter(`await (await import("./app/services/auth/sessions/device.ts")).deviceName("curl/8.5.0")`);
  expect(modules.filter((path) => path.includes("/node_modules/bowser/"))).not.toEqual([]);
}, 30_000);

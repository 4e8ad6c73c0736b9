import { afterAll, expect, test } from "bun:test";
import { chmod, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDataFolder, randomSecret } from "../../app/platform/data-folder.ts";
import { testLogger } from "../services.ts";

const root = await mkdtemp(join(tmpdir(), "keelson-data-folder-"));
afterAll(() => rm(root, { recursive: true, force: true }));

const log = testLogger("data-folder");
let folders = 0;
const freshPath = (): string => join(root, String(++folders));
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

test("a new folder is closed to other users, and so are its secrets", async () => {
  const folder = await openDataFolder(join(freshPath(), "below"), { log });
  await folder.secret("signing-key");
  expect(await modeOf(folder.path)).toBe("700");
  expect(await modeOf(join(folder.path, "secrets", "signing-key"))).toBe("600");
});

test("a secret is made once and read ever after", async () => {
  const path = freshPath();
  const first = await (await openDataFolder(path, { log })).secret("signing-key");
  const again = await (await openDataFolder(path, { log })).secret("signing-key");
  expect(randomSecret.isWellFormed(first)).toBe(true);
  expect(again).toBe(first);
});

test.each([
  { holds: "nothing", text: "", says: "is empty" },
  { holds: "half a secret", text: "abc", says: "is malformed" },
])("a secret file that holds $holds is an error and stays as it is", async ({ text, says }) => {
  const folder = await openDataFolder(freshPath(), { log });
  const file = Bun.file(join(folder.path, "secrets", "signing-key"));
  await Bun.write(file, text);
  await expect(folder.secret("signing-key")).rejects.toThrow(says);
  await expect(folder.secret("signing-key")).rejects.toThrow("Restore it from a backup");
  expect(await file.text()).toBe(text);
});

test("a secret that others could read is closed again", async () => {
  const folder = await openDataFolder(freshPath(), { log });
  const secret = await folder.secret("signing-key");
  const path = join(folder.path, "secrets", "signing-key");
  await chmod(path, 0o644);
  expect(await folder.secret("signing-key")).toBe(secret);
  expect(await modeOf(path)).toBe("600");
});

test("copies that make the same secret at once agree on one, and leave nothing else behind", async () => {
  const path = freshPath();
  const script = `
    import { openDataFolder } from ${JSON.stringify(join(import.meta.dir, "../../app/platform/data-folder.ts"))};
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, "../../app/platform/logger.ts"))};
    const folder = await openDataFolder(${JSON.stringify(path)}, { log: createLogger({ level: "silent", part: "test" }) });
    const secrets = await Promise.all(Array.from({ length: 20 }, () => folder.secret("signing-key")));
    console.log(new Set(secrets).size, secrets[0]);
  `;
  const outputs = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
      return (await new Response(child.stdout).text()).trim();
    }),
  );
  expect(new Set(outputs).size).toBe(1);
  expect(outputs[0]).toStartWith("1 ");
  expect(await readdir(join(path, "secrets"))).toEqual(["signing-key"]);
});

test("a second copy is refused by the pid of the first, until that closes", async () => {
  const path = freshPath();
  const first = await openDataFolder(path, { log });
  const second = await openDataFolder(path, { log });
  first.lockForThisCopy();
  expect(() => first.lockForThisCopy()).toThrow("Another copy");
  expect(() => second.lockForThisCopy()).toThrow(
    `Another copy (pid ${process.pid}) is using the data folder ${path}. Stop it, or set KEELSON_DATA_DIR`,
  );
  first.close();
  first.close();
  second.lockForThisCopy();
  second.close();
});

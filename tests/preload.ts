import { afterAll, setDefaultTimeout } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

// A fresh clone: this file may import nothing from node_modules before this is done.
if (!existsSync(join(root, "node_modules", "postgres"))) await installAndStartOver();

const { stopTestServices } = await import("./services.ts");
// Tests and hooks wait for real processes: on a crowded machine five seconds are too few, and no assertion is about time.
setDefaultTimeout(60_000);
// A preload's afterAll runs once, after the last file. A run that dies before leaves it to the guards.
afterAll(stopTestServices, 120_000);

/** The resolver of this process has already seen that the packages are missing, so the tests run in a new one. */
async function installAndStartOver(): Promise<never> {
  console.warn("node_modules is missing: running bun install --frozen-lockfile");
  const install = Bun.spawnSync([process.execPath, "install", "--frozen-lockfile"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (install.exitCode !== 0) process.exit(install.exitCode);
  const tests = Bun.spawnSync([process.execPath, ...(await ownArguments())], { stdio: ["inherit", "inherit", "inherit"] });
  process.exit(tests.exitCode);
}

/** `process.argv` in `bun test` has lost the options; only Linux keeps the words as they were given. */
async function ownArguments(): Promise<string[]> {
  if (process.platform !== "linux") return ["test"];
  return (await Bun.file("/proc/self/cmdline").text()).split("\0").slice(1, -1);
}

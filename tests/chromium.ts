import { type Browser, chromium } from "playwright-core";

const launchMsMax = 60_000;

/** A Chromium without a window; close it at the end. Undefined when there is none; then skip, the warning has been given. */
export async function launchChromium(): Promise<Browser | undefined> {
  const executablePath = await chromiumPath();
  return executablePath === undefined
    ? undefined
    : await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"], timeout: launchMsMax });
}

/** The program that `CHROMIUM` names, or the one that is installed; installs it where that goes without asking. */
async function chromiumPath(): Promise<string | undefined> {
  const given = Bun.env.CHROMIUM;
  if (given !== undefined && given !== "") return given;
  const program = findChromium() ?? (await installChromium());
  if (program !== undefined) return program;
  const message = "No Chromium for the tests: install chromium, or set CHROMIUM to its path.";
  if (Bun.env.CI === "true") throw new Error(message);
  console.warn(`\n${"!".repeat(80)}\n${message} The tests with a browser are SKIPPED.\n${"!".repeat(80)}\n`);
  return undefined;
}

function findChromium(): string | undefined {
  return ["chromium", "chromium-browser", "google-chrome"].map((name) => Bun.which(name)).find((path) => path !== null) ?? undefined;
}

async function installChromium(): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) return undefined;
  console.warn("chromium is missing: installing it with apt-get for the tests");
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]) {
    const apt = Bun.spawn(["apt-get", "-qq", ...args], {
      env: { ...Bun.env, DEBIAN_FRONTEND: "noninteractive" },
      stdout: "ignore",
      stderr: "ignore",
    });
    await apt.exited;
  }
  return findChromium();
}

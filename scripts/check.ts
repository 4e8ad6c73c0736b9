import { join } from "node:path";

/** Everything that can be known without a database, a Redis or a network: in parallel, and each tool to its end, so that one run tells all. */
const root = join(import.meta.dir, "..");

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

/** Through this Bun and not through their `#!/usr/bin/env node`: a machine may have no Node. */
const tool = (name: string, ...args: readonly string[]): readonly string[] => [
  process.execPath,
  join("node_modules", ".bin", name),
  ...args,
];

const checks: readonly Check[] = [
  { name: "format and lint", command: tool("biome", "ci", "--colors=off", "--error-on-warnings", "--max-diagnostics=100", ".") },
  { name: "promises and switches", command: tool("oxlint", "--type-aware", "--deny-warnings") },
  { name: "types", command: tool("tsc", "--noEmit") },
  { name: "unused code", command: tool("knip", "--treat-config-hints-as-errors") },
  // Pure tests stand beside what they test; the folder is for the ones about our tools. None of them may need a service.
  { name: "pure tests", command: [process.execPath, "test", "./app", "./workers", "./sandbox", "./db", "./tests/tooling"] },
];

const startedAt = performance.now();
const results = await Promise.all(checks.map(run));
for (const { name, output } of results.filter(({ passed }) => !passed))
  console.error(`\n── ${name} ${"─".repeat(100 - name.length)}\n${output.trim()}`);

console.log("");
for (const { name, passed, ms } of results) console.log(`${passed ? "ok    " : "FAILED"}  ${name.padEnd(24)} ${seconds(ms)}`);
console.log(`${seconds(performance.now() - startedAt)} in all`);
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;

async function run({ name, command }: Check) {
  const begun = performance.now();
  const child = Bun.spawn([...command], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, NO_COLOR: "1" },
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { name, passed: code === 0, output: `${out}\n${err}`, ms: performance.now() - begun };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

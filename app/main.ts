#!/usr/bin/env bun
/**
 * The commands:
 *   keelson [serve]       run this copy
 *   keelson migrate       bring the database up to date, then end
 *   keelson doctor        print the effective configuration and check every dependency
 *   keelson openapi       print the OpenAPI document
 *   keelson admin-link    print a new link that creates the first administrator
 *   keelson --version     print the version
 *   keelson sandbox-cell  (internal) one sandbox cell, started by the sandbox thread
 */
import packageJson from "../package.json" with { type: "json" };

const usage = "usage: keelson [serve | migrate | doctor | openapi | admin-link] [--roles api,queue,bus,sandbox]";

/** Each command is loaded when it is asked for: a cell must be ready within milliseconds. */
const commands: Readonly<Record<string, () => Promise<{ run(options: CommandOptions): Promise<number> }>>> = {
  serve: () => import("./cli/serve.ts"),
  migrate: () => import("./cli/migrate.ts"),
  doctor: () => import("./cli/doctor.ts"),
  openapi: () => import("./cli/openapi.ts"),
  "admin-link": () => import("./cli/admin-link.ts"),
};

export interface CommandOptions {
  /** `--roles`, which goes before KEELSON_ROLES. */
  readonly roles: string | undefined;
}

const [command = "serve", options] = parseArguments(Bun.argv.slice(2));

if (command === "sandbox-cell") {
  const { runCell } = await import("../sandbox/cell.ts");
  await runCell();
} else if (command === "--help" || command === "help") {
  console.log(usage);
} else if (command === "--version" || command === "version") {
  console.log(packageJson.version);
} else {
  const load = commands[command];
  if (!load) {
    console.error(`keelson: unknown command "${command}"\n${usage}`);
    process.exit(2);
  }
  process.exitCode = await (await load()).run(options);
}

function parseArguments(given: readonly string[]): [string | undefined, CommandOptions] {
  const rest = [...given];
  let roles: string | undefined;
  const at = rest.findIndex((word) => word === "--roles" || word.startsWith("--roles="));
  if (at >= 0) {
    const word = rest[at] ?? "";
    roles = word.includes("=") ? word.slice(word.indexOf("=") + 1) : rest[at + 1];
    rest.splice(at, word.includes("=") ? 1 : 2);
  }
  return [rest[0], { roles }];
}

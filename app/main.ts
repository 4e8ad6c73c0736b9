#!/usr/bin/env bun
/**
 * The commands:
 *   keelson [serve]       run this copy
 *   keelson migrate       bring the database up to date, then end
 *   keelson doctor        print the effective configuration and check every dependency
 *   keelson openapi       print the OpenAPI document
 *   keelson admin-link    print a new link that creates the first administrator
 *   keelson verify-audit  check an export of the audit trail, without a server or a database
 *   keelson --version     print the version
 *   keelson sandbox-cell  (internal) one sandbox cell, started by the sandbox thread
 */
import { parseArgs } from "node:util";
import packageJson from "../package.json" with { type: "json" };

const usage = `usage: keelson [serve | migrate | doctor | openapi | admin-link] [--roles api,queue,bus,sandbox]
       keelson verify-audit FILE [--key FINGERPRINT|FILE] [--checkpoint FILE] [--whole]`;

/** Each command is loaded when it is asked for: a cell must be ready within milliseconds. */
const commands: Readonly<Record<string, () => Promise<{ run(options: CommandOptions): Promise<number> }>>> = {
  serve: () => import("./cli/serve.ts"),
  migrate: () => import("./cli/migrate.ts"),
  doctor: () => import("./cli/doctor.ts"),
  openapi: () => import("./cli/openapi.ts"),
  "admin-link": () => import("./cli/admin-link.ts"),
  "verify-audit": () => import("./cli/verify-audit.ts"),
};

export interface CommandOptions {
  /** `--roles`, which goes before KEELSON_ROLES. */
  readonly roles: string | undefined;
  /** What comes after the command; only verify-audit takes any. */
  readonly operands: readonly string[];
  readonly key: string | undefined;
  readonly checkpoint: string | undefined;
  readonly whole: boolean | undefined;
}

const { command, ...given } = parseArguments(Bun.argv.slice(2));

if (command === "sandbox-cell") {
  const { runCell } = await import("../sandbox/cell.ts");
  await runCell();
} else if (command === "help") {
  console.log(usage);
} else if (command === "version") {
  console.log(packageJson.version);
} else {
  const load = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (!load) refuse(`unknown command "${command}"`);
  process.exitCode = await (await load()).run(given);
}

function parseArguments(args: readonly string[]): CommandOptions & { readonly command: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        roles: { type: "string" },
        key: { type: "string" },
        checkpoint: { type: "string" },
        whole: { type: "boolean" },
        help: { type: "boolean" },
        version: { type: "boolean" },
      },
    });
    const [named = "serve", ...operands] = positionals;
    if (operands.length > 0 && named !== "verify-audit") refuse(`one command at a time, not "${positionals.join(" ")}"`);
    const { roles, key, checkpoint, whole } = values;
    return { command: values.help ? "help" : values.version ? "version" : named, roles, operands, key, checkpoint, whole };
  } catch (error) {
    return refuse(error instanceof Error ? (error.message.split(". ")[0] ?? error.message) : String(error));
  }
}

function refuse(reason: string): never {
  console.error(`keelson: ${reason}\n${usage}`);
  process.exit(2);
}

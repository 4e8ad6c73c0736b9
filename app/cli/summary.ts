import type { Copy } from "../boot.ts";
import type { Config } from "../config.ts";

/** What a person wants to know when the server is up, in a box. */
export function startupSummary(config: Config, copy: Pick<Copy, "url" | "database" | "setupToken">): string {
  const url = config.KEELSON_PUBLIC_URL ?? copy.url;
  const lines = [
    "Keelson is ready",
    "",
    ...(copy.url ? [`API        ${url}`, `Docs       ${url}/docs`, `Health     ${url}/readyz`] : ["API        not in this copy's roles"]),
    `Roles      ${config.KEELSON_ROLES.join(", ")}`,
    `Database   ${copy.database === "embedded" ? `embedded PostgreSQL in ${config.KEELSON_DATA_DIR} (set DATABASE_URL to use your own)` : "PostgreSQL at DATABASE_URL"}`,
    `Queues     ${config.redis ? "Redis" : "PostgreSQL (set REDIS_URL or REDIS_SENTINELS to use Redis)"}`,
    `Event bus  ${config.redis ? "Redis Streams" : "PostgreSQL (the same)"}`,
    ...(copy.setupToken && url
      ? ["", "Create the administrator (this link works once):", `${url}/v1/auth/setup?token=${copy.setupToken}`]
      : []),
  ];
  return `${box(lines)}${url ? firstRequest(url) : ""}`;
}

function firstRequest(url: string): string {
  return `
Try it:

curl -s ${url}/v1/auth/signup -H 'content-type: application/json' \\
  -d '{"email":"you@example.com","password":"correct horse battery"}'

curl -s ${url}/v1/sandbox/executions -H 'content-type: application/json' \\
  -H 'authorization: Bearer <accessToken from the answer>' \\
  -d '{"code":"input.a + input.b","input":{"a":1,"b":2}}'

`;
}

function box(lines: readonly string[]): string {
  const width = Math.max(...lines.map((line) => line.length));
  const rule = "─".repeat(width + 2);
  return `\n┌${rule}┐\n${lines.map((line) => `│ ${line.padEnd(width)} │\n`).join("")}└${rule}┘\n`;
}

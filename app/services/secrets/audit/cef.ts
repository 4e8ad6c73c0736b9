import { isIPv6 } from "node:net";
import packageJson from "../../../../package.json" with { type: "json" };
import type { ChainedEntry } from "./store.ts";

const severities = { success: 3, refused: 6, failed: 8 } as const;

type Field = readonly [string, string | null];

/** One entry in the Common Event Format, version 0 (ArcSight CEF implementation standard). */
export function toCef({ seq, hash, entry }: ChainedEntry): string {
  const { id, at, action, actor, subject, outcome, ip, requestId, data } = entry;
  const head = ["CEF:0", "Keelson", "Keelson", packageJson.version, action, action, String(severities[outcome])];
  const extension: readonly Field[] = [
    ["rt", String(Date.parse(at))],
    ["externalId", id],
    ["suid", actor],
    ["duid", subject],
    ...sourceOf(ip),
    ["outcome", outcome],
    ["cn1Label", "seq"],
    ["cn1", String(seq)],
    ["cs1Label", "hash"],
    ["cs1", hash],
    ["cs2Label", "requestId"],
    ["cs2", requestId],
    ["cs3Label", "data"],
    ["cs3", JSON.stringify(data)],
  ];
  const given = extension.filter((pair): pair is readonly [string, string] => pair[1] !== null);
  return `${head.map(escapeHead).join("|")}|${given.map(([key, value]) => `${key}=${escapeValue(value)}`).join(" ")}`;
}

/** The standard has `src` for IPv4 alone. */
function sourceOf(ip: string | null): readonly Field[] {
  if (ip === null || !isIPv6(ip)) return [["src", ip]];
  return [
    ["c6a2Label", "Source IPv6 Address"],
    ["c6a2", ip],
  ];
}

function escapeHead(text: string): string {
  return text.replaceAll(/[\\|]/g, String.raw`\$&`).replaceAll(/[\r\n]+/g, " ");
}

function escapeValue(text: string): string {
  return text.replaceAll(/[\\=]/g, String.raw`\$&`).replaceAll("\r", String.raw`\r`).replaceAll("\n", String.raw`\n`);
}

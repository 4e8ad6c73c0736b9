import type { ComplianceReport } from "./schema.ts";

const text = (value: string) => Bun.escapeHTML(value);

/** The report for people: a page of HTML that stands alone, and prints. */
export function reportPage(report: ComplianceReport): string {
  const { recommendations } = report;
  const sections = [
    [
      "Recommendations",
      recommendations.length === 0 ? "<p>None.</p>" : `<ol>${recommendations.map((it) => `<li>${text(it.text)}</li>`).join("")}</ol>`,
    ],
    ["Inventory", table(inventoryOf(report))],
    ["Access", table(accessOf(report))],
    ["Rotation", table(rotationOf(report))],
    ["Overdue", table(report.overdue.map(({ name, tenant, at }) => [`${name} (${tenant})`, at]))],
    ["Expiring within 30 days", table(report.expiringIn30Days.map(({ name, tenant, at }) => [`${name} (${tenant})`, at]))],
    ["Unusual activity", table(report.unusual.map(({ action, actor, at }) => [`${action} ${actor ?? ""}`, at]))],
    ["What it rests on", restsOn(report)],
  ] as const;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Compliance report</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 4vh auto; padding: 0 1rem; color: #1b2430; }
  table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
  th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #d5dbe3; overflow-wrap: anywhere; }
  code { overflow-wrap: anywhere; }
</style>
<h1>Compliance report</h1>
<p>Of ${text(report.of)}, from ${text(report.from)} to ${text(report.to)}; made ${text(report.madeAt)}.</p>
${sections.map(([title, body]) => `<h2>${title}</h2>\n${body}`).join("\n")}
</html>
`;
}

type Row = readonly [what: string, figure: string | number];

function inventoryOf({ inventory: { secrets, externalKeys, keyEncryptionKeys } }: ComplianceReport): readonly Row[] {
  return [
    ["Secrets", secrets.total],
    ["Live versions", secrets.versions],
    ["Secrets that have expired", secrets.expired],
    ["Secrets without an expiry", secrets.withoutExpiry],
    ["Secrets without a rotation policy", secrets.withoutPolicy],
    ["Secrets that take two people", secrets.takeTwo],
    ...externalKeys.map(({ service, status, count }): Row => [`Keys of ${service}, ${status}`, count]),
    ...(keyEncryptionKeys ? [["Days that the key-encryption key is in force", keyEncryptionKeys.inForceDays] as const] : []),
  ];
}

function accessOf({ access }: ComplianceReport): readonly Row[] {
  return [
    ["Accesses", access.total],
    ["Refused", access.refused],
    ["Failed", access.failed],
    ["By so many users", access.actors],
    ["To so many secrets and keys", access.secrets],
    ...access.mostActive.map(({ actor, count }): Row => [actor ?? "the program itself", count]),
  ];
}

function rotationOf({ rotation }: ComplianceReport): readonly Row[] {
  return [
    ["Policies on time", rotation.compliance === null ? "no policies" : `${Math.round(rotation.compliance * 100)} %`],
    ["Policies", rotation.policies],
    ["Policies that rest after a roll-back", rotation.resting],
    ["Rotations completed", rotation.completed],
    ["Rotations failed", rotation.failed],
    ["Rotations rolled back", rotation.rolledBack],
  ];
}

function restsOn({ checkpoint }: ComplianceReport): string {
  if (!checkpoint) return "<p>The audit trail is empty.</p>";
  const { seq, at, hash, keyId, signature } = checkpoint;
  return `<p>The audit trail up to entry ${seq}, ${text(at)}, with the hash <code>${hash}</code>, signed by the key <code>${text(keyId)}</code>: <code>${text(signature)}</code></p>`;
}

function table(rows: readonly Row[]): string {
  if (rows.length === 0) return "<p>None.</p>";
  return `<table>${rows.map(([what, figure]) => `<tr><th>${text(what)}</th><td>${text(String(figure))}</td></tr>`).join("")}</table>`;
}

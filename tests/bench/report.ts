import { cpus, loadavg } from "node:os";
import { z } from "zod";
import { type Bar, type Bench, holds, type Outcome } from "./harness.ts";
import { loadGenerator } from "./load.ts";

const results = new URL("results.json", import.meta.url);
const page = new URL("RESULTS.md", import.meta.url);
const begin = "<!-- generated: bun run bench -->";
const end = "<!-- end of generated -->";

const row = z.object({
  measure: z.string(),
  unit: z.string(),
  subject: z.number(),
  peer: z.number().optional(),
  ratio: z.number().optional(),
  ratioLow: z.number().optional(),
  ratioHigh: z.number().optional(),
  bar: z.string(),
  met: z.boolean().optional(),
});
const entry = z.object({
  name: z.string(),
  what: z.string(),
  subject: z.string(),
  peer: z.string(),
  rounds: z.number(),
  date: z.string(),
  machine: z.string(),
  rows: z.array(row),
});
const entries = z.array(entry);
type Row = z.infer<typeof row>;
type Entry = z.infer<typeof entry>;

/** Replaces what results.json and the generated part of RESULTS.md say about this bench; the other benches and the prose stay. */
export async function record(bench: Bench, outcomes: readonly Outcome[], rounds: number): Promise<void> {
  const fresh: Entry = {
    name: bench.name,
    what: bench.what,
    subject: bench.subject.what,
    peer: bench.peer.what,
    rounds,
    date: new Date().toISOString().slice(0, 10),
    machine: machine(),
    rows: outcomes.map(toRow),
  };
  const known = (await Bun.file(results).exists()) ? entries.parse(await Bun.file(results).json()) : [];
  const all = [...known.filter(({ name }) => name !== bench.name), fresh].toSorted((a, b) => a.name.localeCompare(b.name));
  await Bun.write(results, `${JSON.stringify(all, null, 2)}\n`);
  const text = await Bun.file(page).text();
  const [before, after] = [text.indexOf(begin), text.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`RESULTS.md has lost its markers ${begin} and ${end}`);
  await Bun.write(page, `${text.slice(0, before + begin.length)}\n\n${all.map(toMarkdown).join("\n")}\n${text.slice(after)}`);
  console.log(`\n${toMarkdown(fresh)}`);
}

function machine(): string {
  const load = (loadavg()[0] ?? 0).toFixed(1);
  return `${navigator.hardwareConcurrency} cores (${cpus()[0]?.model.trim() ?? "unknown"}), Bun ${Bun.version}, load by ${loadGenerator}, load average ${load} at the end`;
}

function toRow(outcome: Outcome): Row {
  const met = holds(outcome);
  const { measure, subject, beside } = outcome;
  return {
    measure: measure.name,
    unit: measure.unit,
    subject: round(subject),
    ...(beside && {
      peer: round(beside.peer),
      ratio: round(beside.ratio),
      ratioLow: round(beside.ratioLow),
      ratioHigh: round(beside.ratioHigh),
    }),
    bar: describeBar(measure.bar, measure.unit),
    ...(met === undefined ? {} : { met }),
  };
}

function describeBar(bar: Bar | undefined, unit: string): string {
  if (bar === undefined) return "";
  if ("ratioMin" in bar) return `≥ ${bar.ratioMin} ×`;
  if ("ratioMax" in bar) return `≤ ${bar.ratioMax} ×`;
  return "valueMin" in bar ? `≥ ${show(bar.valueMin)} ${unit}` : `≤ ${show(bar.valueMax)} ${unit}`;
}

function toMarkdown({ name, what, subject, peer, rounds, date, machine, rows }: Entry): string {
  const lines = rows.map((it) => {
    const met = it.met === undefined ? "" : it.met ? "met" : "**missed**";
    return `| ${it.measure} | ${show(it.subject)} | ${show(it.peer)} | ${it.unit} | ${showRatio(it)} | ${it.bar} | ${met} |`;
  });
  return `### ${name}

${what}
${rounds} rounds, ${date}; ${machine}.

| measure | ${subject} | ${peer} | unit | ratio (lowest–highest) | bar | |
|---|--:|--:|---|---|---|---|
${lines.join("\n")}
`;
}

/** Four digits are more than the machine's noise allows to trust. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

function showRatio({ ratio, ratioLow, ratioHigh }: Row): string {
  if (ratio === undefined || ratioLow === undefined || ratioHigh === undefined) return "";
  return `${ratio.toFixed(2)} (${ratioLow.toFixed(2)}–${ratioHigh.toFixed(2)})`;
}

function show(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 1_000 ? Math.round(value).toLocaleString("en").replaceAll(",", " ") : String(value);
}

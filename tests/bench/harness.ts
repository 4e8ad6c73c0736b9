import { withDeadline } from "../../app/platform/deadline.ts";

/** One reading of each measure, by the measure's name. */
export type Sample = Readonly<Record<string, number>>;

/** What must hold: the ratio subject ÷ peer, or the subject's own value. */
export type Bar =
  | { readonly ratioMin: number }
  | { readonly ratioMax: number }
  | { readonly valueMin: number }
  | { readonly valueMax: number };

export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly bar?: Bar;
}

export interface RunningSide extends AsyncDisposable {
  /** One short run; the values of one round. A peer may leave out what it has no like of. */
  measure(): Promise<Sample>;
}

export interface Side {
  readonly what: string;
  /** Starts a process of its own and connects it to what it needs. */
  start(): Promise<RunningSide>;
}

/** One comparison: the same work done by our part and by the raw part it stands on. */
export interface Bench {
  readonly name: string;
  readonly what: string;
  readonly needsRedis: boolean;
  readonly rounds: number;
  readonly measures: readonly Measure[];
  readonly subject: Side;
  readonly peer: Side;
}

/** A measure over all rounds. `ratio` is the median of the ratios of the pairs, which a slow minute of the machine does not move. */
export interface Outcome {
  readonly measure: Measure;
  readonly subject: number;
  /** Missing where the peer does not measure it. */
  readonly beside?: Beside;
}

interface Beside {
  readonly peer: number;
  readonly ratio: number;
  readonly ratioLow: number;
  readonly ratioHigh: number;
}

const startMsMax = 60_000;
const measureMsMax = 60_000;

/** Runs both sides in turns (ABBA), after one unmeasured turn of each. */
export async function compare(bench: Bench, rounds: number, say: (line: string) => void): Promise<readonly Outcome[]> {
  await using subject = await withDeadline(`starting ${bench.subject.what}`, startMsMax, bench.subject.start());
  await using peer = await withDeadline(`starting ${bench.peer.what}`, startMsMax, bench.peer.start());
  const take = (side: RunningSide) => withDeadline(`one round of ${bench.name}`, measureMsMax, side.measure());
  await take(subject);
  await take(peer);

  const pairs: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const pair = round % 2 === 0 ? await takeInOrder(subject, peer, take) : flip(await takeInOrder(peer, subject, take));
    pairs.push({ subject: pair.first, peer: pair.second });
    say(`${bench.name} round ${round + 1}/${rounds}: ${describe(bench.measures, pair.first, pair.second)}`);
  }
  return bench.measures.map((measure) => {
    const beside = besidePeer(pairs, measure);
    return { measure, subject: median(pairs.map((pair) => measuredValue(pair.subject, measure))), ...(beside ? { beside } : {}) };
  });
}

/** Undefined when no bar is set, or when there is no peer to hold it against. */
export function holds({ measure: { bar }, subject, beside }: Outcome): boolean | undefined {
  if (bar === undefined) return undefined;
  if ("ratioMin" in bar) return beside && beside.ratio >= bar.ratioMin;
  if ("ratioMax" in bar) return beside && beside.ratio <= bar.ratioMax;
  return "valueMin" in bar ? subject >= bar.valueMin : subject <= bar.valueMax;
}

/** The value below which the share `rank` (0 to 1) of the sorted values lies. */
export function percentile(sorted: ArrayLike<number>, rank: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * rank))] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

interface Pair {
  readonly subject: Sample;
  readonly peer: Sample;
}

function besidePeer(pairs: readonly Pair[], measure: Measure): Beside | undefined {
  const both = pairs.flatMap((pair) => {
    const peer = pair.peer[measure.name];
    return peer === undefined ? [] : [{ peer, ratio: ratioOf(measuredValue(pair.subject, measure), peer) }];
  });
  if (both.length === 0) return undefined;
  const ratios = both.map(({ ratio }) => ratio);
  return {
    peer: median(both.map(({ peer }) => peer)),
    ratio: median(ratios),
    ratioLow: Math.min(...ratios),
    ratioHigh: Math.max(...ratios),
  };
}

/** Nothing beside nothing is as much. */
function ratioOf(subject: number, peer: number): number {
  return subject === 0 && peer === 0 ? 1 : subject / peer;
}

type Take = (side: RunningSide) => Promise<Sample>;

async function takeInOrder(one: RunningSide, other: RunningSide, take: Take) {
  const first = await take(one);
  return { first, second: await take(other) };
}

function flip<A, B>(pair: { readonly first: A; readonly second: B }): { readonly first: B; readonly second: A } {
  return { first: pair.second, second: pair.first };
}

function measuredValue(sample: Sample, measure: Measure): number {
  const value = sample[measure.name];
  if (value === undefined) throw new Error(`a round did not measure "${measure.name}"`);
  return value;
}

function describe(measures: readonly Measure[], subject: Sample, peer: Sample): string {
  const show = (value: number | undefined) => value?.toPrecision(4) ?? "–";
  return measures.map((it) => `${it.name} ${show(measuredValue(subject, it))} : ${show(peer[it.name])} ${it.unit}`).join(" · ");
}

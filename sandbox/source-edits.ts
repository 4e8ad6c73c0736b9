/** 1-based, as QuickJS counts: only a line feed ends a line, and a column is a code point. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface EditedSource {
  readonly code: string;
  columnOf(line: number, column: number): number;
}

/** Insertions into a text, each given by where in the unedited text it goes, and made all at once. */
export interface SourceEdits {
  /** For what begins a node: of two at the same place, the one asked for first comes first. */
  open(at: number, text: string): void;
  /** For what ends a node: comes before what begins there, and of two at the same place the one asked for last comes first. */
  close(at: number, text: string): void;
  placeOf(at: number): Place;
  apply(): EditedSource;
}

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** The texts inserted must be ASCII without line breaks. Throws RangeError once they are longer than `insertedCharsMax` in all. */
export function createSourceEdits(source: string, insertedCharsMax: number): SourceEdits {
  const placeOf = createPlaces(source);
  const opening: Insertion[] = [];
  const closing: Insertion[] = [];
  let room = insertedCharsMax;
  const insert = (list: Insertion[], insertion: Insertion): void => {
    room -= insertion.text.length;
    if (room < 0) throw new RangeError("too much is inserted");
    list.push(insertion);
  };
  return {
    open: (at, text) => insert(opening, { at, text }),
    close: (at, text) => insert(closing, { at, text }),
    placeOf,
    apply: () => {
      const insertions = [...closing.toReversed(), ...opening].sort((a, b) => a.at - b.at);
      return { code: insertAll(source, insertions), columnOf: createColumns(insertions, placeOf) };
    },
  };
}

function insertAll(source: string, insertions: readonly Insertion[]): string {
  const parts: string[] = [];
  let copied = 0;
  for (const { at, text } of insertions) {
    parts.push(source.slice(copied, at), text);
    copied = at;
  }
  parts.push(source.slice(copied));
  return parts.join("");
}

function createPlaces(source: string): (at: number) => Place {
  const lineStarts = [0, ...offsetsAfter(source, /\n/g)];
  // Two UTF-16 units that are one column; there may be none at all, and then this costs one pass.
  const pairEnds = offsetsAfter(source, /[\ud800-\udbff][\udc00-\udfff]/g);
  return (at) => {
    const line = countUpTo(lineStarts, at);
    const start = lineStarts[line - 1] ?? 0;
    return { line, column: at - start - (countUpTo(pairEnds, at) - countUpTo(pairEnds, start)) + 1 };
  };
}

function offsetsAfter(source: string, pattern: RegExp): number[] {
  return Array.from(source.matchAll(pattern), (match) => match.index + match[0].length);
}

/** How many of the ascending `values` are at most `bound`. */
function countUpTo(values: readonly number[], bound: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) <= bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The insertions of one line: where each begins in the edited line, its place in the source, and all inserted up to its end. */
interface LineShifts {
  readonly froms: number[];
  readonly columns: number[];
  readonly totals: number[];
}

function createColumns(insertions: readonly Insertion[], placeOf: (at: number) => Place): EditedSource["columnOf"] {
  let lines: Map<number, LineShifts> | undefined;
  return (line, column) => {
    lines ??= shiftsByLine(insertions, placeOf);
    const shifts = lines.get(line);
    if (shifts === undefined) return column;
    const last = countUpTo(shifts.froms, column) - 1;
    // Within an inserted text the answer is the place it was inserted at.
    return Math.max(shifts.columns[last] ?? 0, column - (shifts.totals[last] ?? 0));
  };
}

function shiftsByLine(insertions: readonly Insertion[], placeOf: (at: number) => Place): Map<number, LineShifts> {
  const lines = new Map<number, LineShifts>();
  for (const { at, text } of insertions) {
    const { line, column } = placeOf(at);
    const shifts = lines.get(line) ?? { froms: [], columns: [], totals: [] };
    const before = shifts.totals.at(-1) ?? 0;
    shifts.froms.push(column + before);
    shifts.columns.push(column);
    shifts.totals.push(before + text.length);
    lines.set(line, shifts);
  }
  return lines;
}

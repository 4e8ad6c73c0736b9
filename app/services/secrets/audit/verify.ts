import { type Checkpoint, fingerprintOf, isSignedBy } from "./checkpoint.ts";
import { type AuditEntry, auditEntry, hashEntry, noHash } from "./entry.ts";
import { type ExportEnd, type ExportHead, exportEnd, exportedEntry, exportHead } from "./export-format.ts";

/** What a verifier holds against an export, beside what is in it. */
export interface Expected {
  /** The fingerprint of the key that must have signed. */
  readonly key?: string | undefined;
  /** A checkpoint that was kept from before. */
  readonly checkpoint?: Checkpoint | undefined;
  /** Nothing may have been left out. */
  readonly whole?: boolean | undefined;
}

export interface Verified {
  readonly entries: number;
  /** Whether it is the whole trail: a filtered export shows that nothing was changed, not that nothing is missing. */
  readonly whole: boolean;
  readonly checkpoint: Checkpoint | null;
  readonly fingerprint: string | undefined;
}

/** The first thing that is wrong; `message` says where and what. */
export class BrokenTrail extends Error {
  override readonly name = "BrokenTrail";
}

/** Looks at an export line by line, in constant memory. */
export function createVerifier(expected: Expected) {
  let head: ExportHead | undefined;
  let end: ExportEnd | undefined;
  let last = { seq: 0, hash: noHash };
  let entries = 0;
  let checkpointSeen = expected.checkpoint === undefined;

  const begin = (line: string): void => {
    const parsed = exportHead.safeParse(parseLine(line, 1));
    if (!parsed.success) throw new BrokenTrail("line 1 is not the head of an export of the audit trail");
    head = parsed.data;
  };

  const follow = ({ filter }: ExportHead, { seq, previousHash }: Line): void => {
    if (seq <= last.seq) throw new BrokenTrail(`entry ${seq} comes after entry ${last.seq}`);
    if (filter !== null) return;
    if (seq !== last.seq + 1) throw new BrokenTrail(`${missingBetween(last.seq, seq)} missing`);
    if (previousHash !== last.hash) throw new BrokenTrail(`entry ${seq} does not follow entry ${last.seq}: the hash before it is another`);
  };

  const take = (of: ExportHead, line: Line): void => {
    const { seq, previousHash, hash, entry } = line;
    follow(of, line);
    if (hashEntry(previousHash, seq, entry) !== hash) throw new BrokenTrail(`entry ${seq} (${entry.id}) was changed: its hash is another`);
    const known = expected.checkpoint;
    if (known?.seq === seq) {
      if (known.hash !== hash) throw new BrokenTrail(`entry ${seq} (${entry.id}) is not the one that the given checkpoint vouches for`);
      checkpointSeen = true;
    }
    last = { seq, hash };
    entries += 1;
  };

  const continueWith = (of: ExportHead, text: string): void => {
    const parsed = parseLine(text, entries + 2);
    if (isLine(parsed)) {
      // What a name means that stands there twice depends on who reads it.
      const isAsExported = JSON.stringify(parsed) === text;
      take(of, parsed);
      if (!isAsExported) throw new BrokenTrail(`entry ${parsed.seq} (${parsed.entry.id}) is not spelled as it was exported`);
      return;
    }
    const ending = exportEnd.safeParse(parsed);
    if (!ending.success) throw new BrokenTrail(`line ${entries + 2} is neither an entry nor the end`);
    end = ending.data;
  };

  /** What does not even let itself be compared (nested without end, names in place of texts) was never exported. */
  const check = (of: ExportHead, text: string): void => {
    try {
      continueWith(of, text);
    } catch (cause) {
      throw cause instanceof BrokenTrail ? cause : new BrokenTrail(`line ${entries + 2} can't be checked`, { cause });
    }
  };

  const assertWhole = (of: ExportEnd): void => {
    assertCovers(of, last);
    if (!checkpointSeen)
      throw new BrokenTrail(`the export ends before entry ${expected.checkpoint?.seq}, which the given checkpoint vouches for`);
  };

  return {
    /** Throws `BrokenTrail` for the first line that is wrong; the lines come in order, without their ends. */
    line: (text: string): void => {
      if (end) throw new BrokenTrail(`there is more after the end, on line ${entries + 3}`);
      if (head) check(head, text);
      else begin(text);
    },

    /** Throws `BrokenTrail` when the end is missing, or does not vouch for what came before. */
    finish: (): Verified => {
      if (!head) throw new BrokenTrail("the export is empty");
      if (!end) throw new BrokenTrail(`the export is cut after ${entries === 0 ? "its head" : `entry ${last.seq}`}`);
      if (end.entries !== entries) throw new BrokenTrail(`the export has ${entries} entries, and says that it has ${end.entries}`);
      const whole = head.filter === null;
      assertSigned(end, expected.key);
      if (whole) assertWhole(end);
      else if (expected.whole) throw new BrokenTrail("the export is a filtered one, which may leave out anything");
      return { entries, whole, checkpoint: end.checkpoint, fingerprint: end.key ? fingerprintOf(end.key) : undefined };
    },
  };
}

interface Line {
  readonly seq: number;
  readonly previousHash: string;
  readonly hash: string;
  readonly entry: AuditEntry;
}

function parseLine(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BrokenTrail(`line ${number} is not JSON`);
  }
}

/** Only what the hash does not show by itself: a schema for each of millions of lines costs more than all the rest. */
function isLine(value: unknown): value is Line {
  return (
    typeof value === "object" &&
    value !== null &&
    "seq" in value &&
    Number.isSafeInteger(value.seq) &&
    "hash" in value &&
    typeof value.hash === "string" &&
    "previousHash" in value &&
    typeof value.previousHash === "string" &&
    /^[0-9a-f]{64}$/.test(value.previousHash) &&
    "entry" in value &&
    typeof value.entry === "object" &&
    value.entry !== null &&
    Object.keys(value).join() === lineKeys &&
    Object.keys(value.entry).join() === entryKeys
  );
}

const lineKeys = Object.keys(exportedEntry.shape).join();
const entryKeys = Object.keys(auditEntry.shape).join();

function missingBetween(last: number, next: number): string {
  return next === last + 2 ? `entry ${last + 1} is` : `entries ${last + 1} to ${next - 1} are`;
}

function assertSigned({ checkpoint, key }: ExportEnd, fingerprint: string | undefined): void {
  if (!checkpoint && fingerprint === undefined) return;
  if (!checkpoint || !key) throw new BrokenTrail("the export has no checkpoint");
  const actual = fingerprintOf(key);
  if (fingerprint !== undefined && actual !== fingerprint)
    throw new BrokenTrail(`the checkpoint is by the key ${actual}, and not by ${fingerprint}`);
  if (checkpoint.keyId !== actual || !isSignedBy(checkpoint, key)) throw new BrokenTrail("the signature of the checkpoint does not hold");
}

function assertCovers({ checkpoint }: ExportEnd, last: { readonly seq: number; readonly hash: string }): void {
  if (last.seq === 0) return;
  if (!checkpoint) throw new BrokenTrail("the export has no checkpoint");
  if (checkpoint.seq !== last.seq || checkpoint.hash !== last.hash)
    throw new BrokenTrail(`the checkpoint vouches for entry ${checkpoint.seq}, and the last entry is ${last.seq}`);
}

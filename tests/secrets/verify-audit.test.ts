import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { toCef } from "../../app/services/secrets/audit/cef.ts";
import { type CheckpointKey, fingerprintOf, generateCheckpointKey, signCheckpoint } from "../../app/services/secrets/audit/checkpoint.ts";
import { type AuditEntry, hashEntry, noHash } from "../../app/services/secrets/audit/entry.ts";
import type { ExportedEntry } from "../../app/services/secrets/audit/export-format.ts";
import { createVerifier, type Expected } from "../../app/services/secrets/audit/verify.ts";

const signer = generateCheckpointKey();
const fingerprint = fingerprintOf(signer.publicKey);

const entry = (n: number): AuditEntry => ({
  id: `evt_${n}`,
  at: new Date(1_700_000_000_000 + n * 1_000).toISOString(),
  action: "secret.read",
  actor: "usr_1",
  subject: `sec_${n}`,
  outcome: "success",
  ip: "192.0.2.1",
  requestId: `req_${n}`,
  audience: "usr_1",
  tenant: null,
  data: { name: `name ${n}`, version: n },
});

function chain(count: number, of = entry): ExportedEntry[] {
  let previousHash = noHash;
  return Array.from({ length: count }, (_, index) => {
    const seq = index + 1;
    const hash = hashEntry(previousHash, seq, of(seq));
    const line = { seq, previousHash, hash, entry: of(seq) };
    previousHash = hash;
    return line;
  });
}

interface Export {
  readonly head: object;
  readonly entries: readonly ExportedEntry[];
  readonly end: { readonly entries: number; readonly checkpoint: object | null; readonly key: CheckpointKey | null };
}

function whole(entries: readonly ExportedEntry[], by = signer): Export {
  const last = entries.at(-1);
  const unsigned = { seq: last?.seq ?? 0, hash: last?.hash ?? noHash, at: "2026-01-01T00:00:00.000Z" };
  const checkpoint = { ...unsigned, keyId: fingerprintOf(by.publicKey), signature: signCheckpoint(unsigned, by.secret) };
  return {
    head: { format: "keelson.audit", version: 1, exportedAt: "2026-01-01T00:00:00.000Z", filter: null },
    entries,
    end: {
      entries: entries.length,
      checkpoint: last ? checkpoint : null,
      key: signer.publicKey === by.publicKey ? signer.publicKey : by.publicKey,
    },
  };
}
const linesOf = ({ head, entries, end }: Export) => [head, ...entries, end].map((line) => JSON.stringify(line));

function verify(lines: readonly string[], expected: Expected = {}) {
  const verifier = createVerifier(expected);
  for (const line of lines) verifier.line(line);
  return verifier.finish();
}

/** In base64, the letter after: as the last one before the padding it stands for the same bits. */
function nextLetter(letter: string): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return letters[letters.indexOf(letter) + 1] ?? "";
}

test("a trail that nobody touched holds", () => {
  expect(verify(linesOf(whole(chain(5))), { key: fingerprint })).toMatchObject({ entries: 5, whole: true, fingerprint });
  expect(verify(linesOf(whole([])))).toMatchObject({ entries: 0, whole: true });
});

describe("what somebody with the file can do is found, and where", () => {
  const entries = chain(6);
  const change = (index: number, to: Partial<ExportedEntry>) => entries.map((line, at) => (at === index ? { ...line, ...to } : line));
  const changed = (index: number, to: Partial<AuditEntry>) => change(index, { entry: { ...entry(index + 1), ...to } });
  const forger = generateCheckpointKey();
  const rewritten = chain(6, (n) => ({ ...entry(n), actor: n === 3 ? "usr_2" : "usr_1" }));

  const cases: readonly (readonly [string, readonly string[], string, Expected?])[] = [
    ...(["id", "at", "action", "actor", "subject", "ip", "requestId", "audience", "tenant"] as const).map(
      (field) => [`another ${field}`, linesOf(whole(changed(2, { [field]: "x" }))), "entry 3 (", {}] as const,
    ),
    ["another outcome", linesOf(whole(changed(2, { outcome: "failed" }))), "entry 3 (evt_3) was changed"],
    ["other data", linesOf(whole(changed(2, { data: { name: "name 3", version: 4 } }))), "entry 3 (evt_3) was changed"],
    ["one left out", linesOf(whole(entries.toSpliced(2, 1))), "entry 3 is missing"],
    ["several left out", linesOf(whole(entries.toSpliced(1, 3))), "entries 2 to 4 are missing"],
    ["the first left out", linesOf(whole(entries.slice(1))), "entry 1 is missing"],
    [
      "two in another order",
      linesOf(whole([...entries.slice(0, 2), ...entries.slice(2, 4).toReversed(), ...entries.slice(4)])),
      "entry 3 is missing",
    ],
    ["one twice", linesOf(whole(entries.toSpliced(3, 0, ...entries.slice(2, 3)))), "entry 3 comes after entry 3"],
    ["the last left out", linesOf({ ...whole(entries), entries: entries.slice(0, 5) }), "has 5 entries, and says that it has 6"],
    [
      "the last left out, and counted so",
      linesOf({ ...whole(entries), entries: entries.slice(0, 5), end: { ...whole(entries).end, entries: 5 } }),
      "vouches for entry 6, and the last entry is 5",
    ],
    ["cut after an entry", linesOf(whole(entries)).slice(0, 4), "cut after entry 3"],
    ["cut after the head", linesOf(whole(entries)).slice(0, 1), "cut after its head"],
    ["nothing at all", [], "empty"],
    ["no head", linesOf(whole(entries)).slice(1), "line 1 is not the head"],
    ["something after the end", [...linesOf(whole(entries)), JSON.stringify(entries[0])], "more after the end"],
    ["a line that is no JSON", linesOf(whole(entries)).with(3, "{"), "line 4 is not JSON"],
    ["a line that is something else", linesOf(whole(entries)).with(3, "{}"), "line 4 is neither"],
    [
      "a hash that was made anew for one entry",
      linesOf(whole(change(2, { entry: entry(9), hash: hashEntry(entries[1]?.hash ?? "", 3, entry(9)) }))),
      "entry 4 does not follow",
    ],
    [
      "the whole chain made anew, with the checkpoint of the old one",
      linesOf({ ...whole(entries), entries: rewritten }),
      "vouches for entry 6",
    ],
    [
      "the whole chain made anew, with a checkpoint that nobody signed",
      linesOf({
        ...whole(rewritten),
        end: {
          ...whole(rewritten).end,
          checkpoint: {
            ...whole(rewritten).end.checkpoint,
            signature: whole(entries).end.checkpoint && Reflect.get(whole(entries).end.checkpoint ?? {}, "signature"),
          },
        },
      }),
      "signature of the checkpoint does not hold",
    ],
    [
      "the whole chain made anew and signed by another key, which is known to be another",
      linesOf(whole(rewritten, forger)),
      "and not by",
      { key: fingerprint },
    ],
    [
      "a name that stands there twice",
      linesOf(whole(entries)).map((line) => line.replace('"subject":"sec_3"', '"subject":"sec_9","subject":"sec_3"')),
      "entry 3 (evt_3) is not spelled as it was exported",
    ],
    [
      "white space between names",
      linesOf(whole(entries)).map((line) => line.replace('"subject":"sec_3"', '"subject": "sec_3"')),
      "entry 3 (evt_3) is not spelled as it was exported",
    ],
    [
      "nesting without end",
      linesOf(whole(entries)).map((line) =>
        line.includes('"seq":3,') ? line.replace(/"data":\{.*\}\}$/, `"data":${"[".repeat(200_000)}${"]".repeat(200_000)}}}`) : line,
      ),
      "line 4 can't be checked",
    ],
    [
      "an id that is no text",
      linesOf(whole(entries)).map((line) => line.replace('"id":"evt_3"', '"id":{"toString":1,"valueOf":1}')),
      "line 4 can't be checked",
    ],
    [
      "a key that is none",
      linesOf({ ...whole(entries), end: { ...whole(entries).end, key: { kty: "OKP", crv: "Ed25519", x: "AAAA" } } }),
      "signature of the checkpoint does not hold",
    ],
    [
      "the key of somebody else beside the checkpoint",
      linesOf({ ...whole(entries), end: { ...whole(entries).end, key: forger.publicKey } }),
      "signature of the checkpoint does not hold",
    ],
    [
      "a head that says it is filtered, to leave something out",
      linesOf({ ...whole(entries), head: { ...whole([]).head, filter: { actor: "usr_1" } }, entries: entries.toSpliced(2, 1) }).map(
        (line) => line.replace('"entries":6', '"entries":5'),
      ),
      "is a filtered one",
      { whole: true },
    ],
    [
      "another spelling of the signature",
      linesOf(whole(entries)).map((line) => line.replace(/(.)==(?="\},"key")/, (_, letter) => `${nextLetter(letter)}==`)),
      "signature of the checkpoint does not hold",
    ],
    [
      "another spelling of the key",
      linesOf(whole(entries)).map((line) => line.replace(/(?<="x":"[\w-]{42})[\w-]/, nextLetter)),
      "signature of the checkpoint does not hold",
    ],
    ["no checkpoint", linesOf({ ...whole(entries), end: { entries: 6, checkpoint: null, key: null } }), "no checkpoint"],
    [
      "the whole chain made anew and signed, which a checkpoint from before shows",
      linesOf(whole(rewritten)),
      "entry 4 (evt_4) is not the one that the given checkpoint vouches for",
      { checkpoint: { seq: 4, hash: entries[3]?.hash ?? "", at: "", keyId: "", signature: "" } },
    ],
    [
      "a trail that is shorter than a checkpoint from before",
      linesOf(whole(chain(3))),
      "ends before entry 4",
      { checkpoint: { seq: 4, hash: entries[3]?.hash ?? "", at: "", keyId: "", signature: "" } },
    ],
  ];
  test.each(cases.map(([what, lines, says, expected = {}]) => ({ what, lines, says, expected })))("$what", ({ lines, says, expected }) => {
    expect(() => verify(lines, expected)).toThrow(says);
  });
});

describe("the command", () => {
  const main = new URL("../../app/main.ts", import.meta.url).pathname;
  const text = linesOf(whole(chain(5)))
    .map((line) => `${line}\n`)
    .join("");
  const other = fingerprintOf(generateCheckpointKey().publicKey);
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-verify-"));
    await Promise.all(
      Object.entries({
        "fingerprint.txt": `${fingerprint}\n`,
        "key.json": JSON.stringify(signer.publicKey),
        "answer.json": JSON.stringify({ checkpoint: null, key: signer.publicKey }),
        "other.txt": other,
        "none.json": "{}",
      }).map(([name, content]) => Bun.write(join(folder, name), content)),
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function verifyAudit(content: string | Uint8Array<ArrayBuffer>, ...args: string[]) {
    const path = join(folder, "export.ndjson");
    await Bun.write(path, content);
    const child = Bun.spawn([process.execPath, main, "verify-audit", path, ...args], { cwd: folder, stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    return { says: out + err, code };
  }

  /** The export as bytes, with one of them replaced after `mark`. */
  function withByte(mark: string, byte: number): Uint8Array<ArrayBuffer> {
    const bytes = Buffer.from(text);
    bytes[bytes.indexOf(mark) + mark.length] = byte;
    return new Uint8Array(bytes);
  }

  const cases: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, readonly string[], number, string])[] = [
    ["nothing else", text, [], 0, "ok: the whole trail, 5 entries"],
    ["the fingerprint", text, ["--key", fingerprint], 0, "ok: "],
    ["a file with the fingerprint", text, ["--key", "fingerprint.txt"], 0, "ok: "],
    ["a file with the key", text, ["--key", "key.json", "--whole"], 0, "ok: "],
    ["what the checkpoint's route answered", text, ["--key", "answer.json"], 0, "ok: "],
    ["another fingerprint", text, ["--key", other], 1, "broken: the checkpoint is by the key"],
    ["a file with another fingerprint", text, ["--key", "other.txt"], 1, "broken: the checkpoint is by the key"],
    ["a file without a key", text, ["--key", "none.json"], 2, "none.json is no key"],
    ["a file that is not there", text, ["--key", fingerprint.toUpperCase()], 2, "keelson: "],
    ["bytes that are no text", withByte('"subject":"sec_3', 0xff), [], 1, "broken: line 4 is not UTF-8"],
    ["a byte that is another letter", withByte('"id":"evt_', 0x39), [], 1, "broken: entry 1 (evt_9) was changed"],
    ["a line that was cut", text.slice(0, -1), [], 1, "broken: line 7, the last one, is cut"],
    ["an empty file", "", [], 1, "broken: the export is empty"],
  ];
  test.each(cases.map(([what, content, args, code, says]) => ({ what, content, args, code, says })))("$what", async (it) => {
    const { code, says } = await verifyAudit(it.content, ...it.args);
    expect([code, says.includes(it.says) ? it.says : says]).toEqual([it.code, it.says]);
  });
});

test("any one character changed in any line is found", () => {
  const lines = linesOf(whole(chain(4)));
  fc.assert(
    fc.property(fc.nat(lines.length - 1), fc.nat(), fc.constantFrom("x", "0", '"', "}"), (index, at, letter) => {
      const line = lines[index] ?? "";
      const place = at % line.length;
      const altered = line.slice(0, place) + letter + line.slice(place + 1);
      // The head's own time is nobody's claim; the same number or text spelled the same is no change.
      if (altered === line || index === 0) return;
      expect(() => verify(lines.with(index, altered), { key: fingerprint })).toThrow();
    }),
    { numRuns: 500 },
  );
});

describe("a filtered export", () => {
  const entries = chain(6).filter(({ seq }) => seq % 2 === 0);
  const filtered = {
    ...whole(chain(6)),
    head: { ...whole([]).head, filter: { actor: "usr_1" } },
    entries,
    end: { ...whole(chain(6)).end, entries: 3 },
  };
  test("holds entry by entry, and says that it is not the whole", () => {
    expect(verify(linesOf(filtered))).toMatchObject({ entries: 3, whole: false });
  });
  test("a change is found", () => {
    const altered = entries.map((line) => (line.seq === 4 ? { ...line, entry: { ...line.entry, actor: "usr_2" } } : line));
    expect(() => verify(linesOf({ ...filtered, entries: altered }))).toThrow("entry 4 (evt_4) was changed");
  });
});

describe("CEF", () => {
  /** As the standard reads it. */
  function parse(line: string) {
    const head = line.match(/(?:\\.|[^\\|])*\|/g)?.slice(0, 7) ?? [];
    const rest = line.slice(head.join("").length);
    const fields = new Map<string, string>();
    for (const [, key = "", value = ""] of rest.matchAll(/(?:^| )(\w+)=((?:\\.|(?! \w+=)[^\\])*)/gs))
      fields.set(
        key,
        value.replaceAll(/\\(.)/gs, (_, it) => ({ n: "\n", r: "\r" })[String(it)] ?? it),
      );
    return { head: head.map((it) => it.slice(0, -1).replaceAll(/\\(.)/g, "$1")), fields };
  }

  test("a line, field by field", () => {
    const [line] = chain(1);
    if (!line) throw new Error("one");
    const { head, fields } = parse(toCef(line));
    expect(head.slice(0, 3)).toEqual(["CEF:0", "Keelson", "Keelson"]);
    expect(head.slice(4)).toEqual(["secret.read", "secret.read", "3"]);
    expect(fields.get("suid")).toBe("usr_1");
    expect(fields.get("rt")).toBe("1700000001000");
    expect(JSON.parse(fields.get("cs3") ?? "")).toEqual({ name: "name 1", version: 1 });
  });

  test("whatever is in it, it is one line, and comes back", () => {
    const text = fc.string({ unit: fc.constantFrom("|", "=", "\\", "\n", "\r", "a", " ", "ä", '"') });
    fc.assert(
      fc.property(text, text, (subject, name) => {
        const [line] = chain(1, (n) => ({ ...entry(n), subject: `s${subject}`, data: { name } }));
        if (!line) throw new Error("one");
        const cef = toCef(line);
        expect(cef).not.toMatch(/[\r\n]/);
        const { fields } = parse(cef);
        expect(JSON.parse(fields.get("cs3") ?? "")).toEqual({ name });
      }),
    );
  });
});

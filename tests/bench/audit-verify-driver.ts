import { z } from "zod";
import { fingerprintOf, generateCheckpointKey, signCheckpoint } from "../../app/services/secrets/audit/checkpoint.ts";
import { type AuditEntry, hashEntry, noHash } from "../../app/services/secrets/audit/entry.ts";
import { createVerifier } from "../../app/services/secrets/audit/verify.ts";
import { answerParent, argumentOf } from "./child.ts";

const { how } = argumentOf(z.object({ how: z.enum(["verify", "parse and hash"]) }));
const rows = 200_000;

const entryOf = (n: number): AuditEntry => ({
  id: `evt_${String(n).padStart(32, "0")}`,
  at: new Date(1_700_000_000_000 + n).toISOString(),
  action: "secret.read",
  actor: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c",
  subject: "sec_0199f0a8c7d87d1b9c5f2f6d4b7a1e3d",
  outcome: "success",
  ip: "192.0.2.1",
  requestId: `req_${String(n).padStart(32, "0")}`,
  audience: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c",
  tenant: null,
  data: { name: "payments/stripe", version: 7, as: "value" },
});

function exportOf(count: number): string[] {
  const lines = [JSON.stringify({ format: "keelson.audit", version: 1, exportedAt: new Date(0).toISOString(), filter: null })];
  let previousHash = noHash;
  for (let seq = 1; seq <= count; seq += 1) {
    const entry = entryOf(seq);
    const hash = hashEntry(previousHash, seq, entry);
    lines.push(JSON.stringify({ seq, previousHash, hash, entry }));
    previousHash = hash;
  }
  const { publicKey, secret } = generateCheckpointKey();
  const unsigned = { seq: count, hash: previousHash, at: new Date(0).toISOString() };
  const checkpoint = { ...unsigned, keyId: fingerprintOf(publicKey), signature: signCheckpoint(unsigned, secret) };
  lines.push(JSON.stringify({ entries: count, checkpoint, key: publicKey }));
  return lines;
}

const lines = exportOf(rows);
const sides = {
  verify: () => {
    const verifier = createVerifier({});
    for (const line of lines) verifier.line(line);
    return verifier.finish().entries;
  },
  /** The least that any checker does: reads each line, and hashes as many bytes. */
  "parse and hash": () => {
    let read = 0;
    for (const line of lines) {
      JSON.parse(line);
      new Bun.CryptoHasher("sha256").update(line).digest("hex");
      read += 1;
    }
    return read;
  },
};

answerParent({
  measure: () => {
    const startedAt = performance.now();
    if (sides[how]() < rows) throw new Error("some are missing");
    return { rows: rows / ((performance.now() - startedAt) / 1_000) };
  },
});

import type { CommandOptions } from "../main.ts";
import { type Checkpoint, checkpoint, checkpointKey, fingerprintOf } from "../services/secrets/audit/checkpoint.ts";
import { BrokenTrail, createVerifier, type Verified } from "../services/secrets/audit/verify.ts";

/** Checks an export of the audit trail, from a file or with `-` from standard input. Exit code 0 when it holds, 1 when not, with the first thing that is wrong; 2 when it can't be read. */
export async function run({ operands, key, checkpoint: kept, whole }: CommandOptions): Promise<number> {
  const [path] = operands;
  if (path === undefined || operands.length > 1) {
    console.error("keelson: verify-audit takes one file, or - for standard input");
    return 2;
  }
  try {
    const verifier = createVerifier({
      whole,
      key: key === undefined ? undefined : await readKey(key),
      checkpoint: kept === undefined ? undefined : await readCheckpoint(kept),
    });
    await eachLine(path === "-" ? Bun.stdin.stream() : Bun.file(path).stream(), verifier.line);
    console.log(describe(verifier.finish(), key !== undefined));
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(error instanceof BrokenTrail ? `broken: ${reason}` : `keelson: ${reason}`);
    return error instanceof BrokenTrail ? 1 : 2;
  }
}

/** As GET /v1/audit/checkpoint answered, or the checkpoint alone. */
async function readCheckpoint(path: string): Promise<Checkpoint> {
  const json: unknown = await Bun.file(path).json();
  const inner = typeof json === "object" && json !== null && "checkpoint" in json ? json.checkpoint : json;
  const parsed = checkpoint.safeParse(inner);
  if (!parsed.success) throw new Error(`${path} is no checkpoint`);
  return parsed.data;
}

/** A fingerprint, or a file with one, with the key as a JWK, or with what GET /v1/audit/checkpoint answered. */
async function readKey(given: string): Promise<string> {
  const fingerprint = /^[0-9a-f]{64}$/;
  if (fingerprint.test(given)) return given;
  const text = (await Bun.file(given).text()).trim();
  if (fingerprint.test(text)) return text;
  const json: unknown = JSON.parse(text);
  const parsed = checkpointKey.safeParse(typeof json === "object" && json !== null && "key" in json ? json.key : json);
  if (!parsed.success) throw new Error(`${given} is no key`);
  return fingerprintOf(parsed.data);
}

const newLine = 10;
const lineBytesMax = 64 * 1024 * 1024;

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest: Uint8Array = new Uint8Array();
  let number = 0;
  const decode = (bytes: Uint8Array): string => {
    number += 1;
    try {
      return decoder.decode(bytes);
    } catch {
      throw new BrokenTrail(`line ${number} is not UTF-8`);
    }
  };
  for await (const chunk of stream) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let to = bytes.indexOf(newLine); to !== -1; to = bytes.indexOf(newLine, from)) {
      take(decode(bytes.subarray(from, to)));
      from = to + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > lineBytesMax) throw new BrokenTrail(`line ${number + 1} is longer than any entry`);
  }
  if (rest.length > 0) throw new BrokenTrail(`line ${number + 1}, the last one, is cut`);
}

function describe({ entries, whole, checkpoint: last, fingerprint }: Verified, isKnownKey: boolean): string {
  const lines = [
    whole ? `ok: the whole trail, ${entries} entries` : `ok: ${entries} entries of a filtered export; what it leaves out can't be seen`,
    ...(last ? [`checkpoint: entry ${last.seq}, ${last.at}`] : []),
    ...(fingerprint === undefined
      ? []
      : [`key: ${fingerprint}${isKnownKey ? "" : " (from the export itself: compare it with the one you keep)"}`]),
  ];
  return lines.join("\n");
}

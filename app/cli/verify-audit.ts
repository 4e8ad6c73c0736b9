import type { CommandOptions } from "../main.ts";
import { type Checkpoint, checkpoint } from "../services/secrets/audit/checkpoint.ts";
import { BrokenTrail, createVerifier, type Verified } from "../services/secrets/audit/verify.ts";

/** Checks an export of the audit trail, from a file or with `-` from standard input. Exit code 0 when it holds, 1 when not, with the first thing that is wrong; 2 when it can't be read. */
export async function run({ operands, key, checkpoint: kept }: CommandOptions): Promise<number> {
  const [path] = operands;
  if (path === undefined || operands.length > 1) {
    console.error("keelson: verify-audit takes one file, or - for standard input");
    return 2;
  }
  try {
    const verifier = createVerifier({ key, checkpoint: kept === undefined ? undefined : await readCheckpoint(kept) });
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

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
  if (rest !== "") throw new BrokenTrail("the last line is cut");
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

import type { ExecutionOutcome } from "../../../sandbox/execution.ts";
import { addressedTo } from "../../platform/events.ts";
import type { Unit } from "../../platform/outbox.ts";
import { executionAudited, executionFinished } from "./events.ts";
import type { NewRow } from "./rows.ts";

/** What a signed receipt vouches for; hashes are SHA-256 in hex, of the code, and of the JSON of input and output. */
export interface ReceiptClaims {
  readonly executionId: string;
  readonly status: ExecutionOutcome["status"];
  readonly codeSha256: string;
  readonly inputSha256: string;
  readonly outputSha256: string;
  readonly receipt: ExecutionOutcome["receipt"];
}

/** Signs with a key of this installation: a compact JWS (RFC 7515) that whoever has the key set can verify. */
export type SignReceipt = (claims: ReceiptClaims) => Promise<string>;

type Ended = Pick<NewRow, "id" | "ownerId" | "teamId" | "code" | "input" | "audit">;

/** The signature of the receipt, for executions that asked for one. */
export async function signatureOf(row: Ended, outcome: ExecutionOutcome, sign: SignReceipt): Promise<string | null> {
  return row.audit ? sign(claimsOf(row, outcome)) : null;
}

function claimsOf({ id, code, input }: Ended, { status, output, receipt }: ExecutionOutcome): ReceiptClaims {
  return {
    executionId: id,
    status,
    codeSha256: sha256(code),
    inputSha256: sha256(JSON.stringify(input ?? null)),
    outputSha256: sha256(JSON.stringify(output ?? null)),
    receipt,
  };
}

interface Announced {
  readonly outcome: ExecutionOutcome;
  readonly signature: string | null;
}

/** Says, with the outcome's own transaction, that an execution has ended; one that asked for it is entered in the audit log too. */
export function announceEnd(unit: Unit, row: Ended, { outcome, signature }: Announced): void {
  const { status, receipt } = outcome;
  const about = { subject: row.id, actorId: row.ownerId, ...addressedTo(row) };
  unit.publish(executionFinished, { ...about, data: { status, wallMs: receipt.wallMs } });
  if (signature) unit.publish(executionAudited, { ...about, data: { status, signature } });
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { Seal } from "../../../platform/seal.ts";

const [pack, unpack] = [promisify(gzip), promisify(gunzip)];

/** How an export is kept: compressed, then sealed. */
export async function sealDocument(text: string, exportId: string, { seal }: Pick<Seal, "seal">): Promise<Uint8Array> {
  return seal(await pack(text), nameOf(exportId));
}

/** Throws when it was sealed with another key. */
export async function openDocument(sealed: Uint8Array, exportId: string, { open }: Pick<Seal, "open">): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await unpack(open(sealed, nameOf(exportId))));
}

function nameOf(exportId: string): string {
  return `export:${exportId}`;
}

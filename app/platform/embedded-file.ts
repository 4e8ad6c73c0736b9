import { basename } from "node:path";

/** A file that `bun build --compile` put into the program, by how its name begins; undefined when the program runs from its sources. */
export function embeddedFile(prefix: string): { readonly name: string; readonly blob: Blob } | undefined {
  for (const blob of Bun.embeddedFiles) {
    const name = "name" in blob && typeof blob.name === "string" ? basename(blob.name) : "";
    if (name.startsWith(prefix)) return { name, blob };
  }
  return undefined;
}

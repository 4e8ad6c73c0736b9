import type { SecretReference } from "../../../../db/schema/secrets.ts";
import { Problem } from "../../../platform/errors.ts";
import { fieldName, secretName } from "../schema.ts";
import type { SecretValue } from "../value.ts";

/** `$${secret:` stands for the text `${secret:`; a brace that never closes is text as well. */
const pattern = /\$\$\{secret:|\$\{secret:([^}]*)\}/g;
const referencesMax = 50;
const system = "system:";

/** What stands between `${secret:` and `}`. Throws `Problem` (`invalid_reference`) when it is not the way references are written. */
export function parseReference(text: string): SecretReference {
  const ofSystem = text.startsWith(system);
  const [name = "", field, ...more] = text.slice(ofSystem ? system.length : 0).split("#");
  if (more.length > 0 || !secretName.safeParse(name).success || (field !== undefined && !fieldName.test(field)))
    throw new Problem("invalid_reference", { detail: `\${secret:${text.slice(0, 100)}} is not the way a reference is written.` });
  return { system: ofSystem, name, ...(field === undefined ? {} : { field }) };
}

/** All references of a value, each once. Throws `Problem` (`invalid_reference`) for one that is not well written, and for more than fifty. */
export function referencesOf(value: SecretValue): SecretReference[] {
  const texts = typeof value === "string" ? [value] : Object.values(value);
  const found = new Set(texts.flatMap((text) => [...text.matchAll(pattern)].flatMap(([, inner]) => (inner === undefined ? [] : [inner]))));
  if (found.size > referencesMax)
    throw new Problem("invalid_reference", { detail: `A value refers to at most ${referencesMax} secrets; this one to ${found.size}.` });
  return [...found].map(parseReference);
}

/** Replaces each reference by what `textOf` knows of it. */
export function replaceReferences(text: string, textOf: (reference: SecretReference) => string): string {
  return text.replaceAll(pattern, (_, inner: string | undefined) => (inner === undefined ? "${secret:" : textOf(parseReference(inner))));
}

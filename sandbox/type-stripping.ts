import { openSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import stripperPath from "@swc/wasm-typescript/wasm.js" with { type: "file" };
import type { GuestError } from "./execution.ts";

/** The same code with white space where types were, so every place stays what it is; or why it can't be had. */
export type Stripped = { readonly code: string } | { readonly error: GuestError };
export type StripTypes = (code: string) => Stripped;

/**
 * What Node strips types with: 60 MB of a process's memory, so it is loaded by the first program that needs it. Its file is opened now and copied to `folder`
 * then, because by then this process may not be allowed to read what it came with.
 */
export function openTypeStripper(folder: string): () => StripTypes {
  const source = openSource(stripperPath);
  let loaded: StripTypes | undefined;
  return () => {
    if (loaded) return loaded;
    const copy = join(folder, "strip-types.cjs");
    writeFileSync(copy, readFileSync(source));
    loaded = load(createRequire(copy)(copy));
    return loaded;
  };
}

/** The files inside the compiled executable can't be opened, but can be read at any time. */
function openSource(path: string): number | string {
  return path.startsWith("/$bunfs/") || path.startsWith("B:/~BUN/") ? path : openSync(path, "r");
}

/** Whether it is TypeScript that is worth loading the stripper for. The answer costs next to nothing, but has no places. */
export function isTypeScript(code: string): boolean {
  try {
    new Bun.Transpiler({ loader: "ts" }).transformSync(code);
    return true;
  } catch {
    return false;
  }
}

interface Stripper {
  transformSync(
    code: string,
    options: { readonly mode: "strip-only"; readonly deprecatedTsModuleAsError: true },
  ): { readonly code: string };
}

/** Throws what is no refusal: then the stripper is broken for good. */
function load({ transformSync }: Stripper): StripTypes {
  return (code) => {
    try {
      return { code: transformSync(code, { mode: "strip-only", deprecatedTsModuleAsError: true }).code };
    } catch (error) {
      if (isRefusal(error))
        return { error: { name: "SyntaxError", message: error.message, line: error.startLine, column: error.startColumn + 1 } };
      throw error;
    }
  };
}

interface Refusal {
  readonly message: string;
  readonly startLine: number;
  /** Counts from 0. */
  readonly startColumn: number;
}

function isRefusal(error: unknown): error is Refusal {
  if (typeof error !== "object" || error === null || !("message" in error && "startLine" in error && "startColumn" in error)) return false;
  return typeof error.message === "string" && typeof error.startLine === "number" && typeof error.startColumn === "number";
}

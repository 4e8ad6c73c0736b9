import baseVariant from "@jitl/quickjs-wasmfile-release-sync";
import wasmPath from "@jitl/quickjs-wasmfile-release-sync/wasm" with { type: "file" };
import { type CustomizeVariantOptions, newQuickJSWASMModuleFromVariant, newVariant, type QuickJSWASMModule } from "quickjs-emscripten-core";
import { wasmPagesFor, wasmPagesMin } from "./limits.ts";

/** QuickJS's own version, the build's variant and the package it comes from; the wasm tells none of them to its host. */
export const engineBuild = "quickjs-2025-09-13 release-sync 0.32.0";

/** One instance of the engine with its own linear memory. Instances share compiled code and nothing else. */
export interface QuickJsModule {
  readonly quickjs: QuickJSWASMModule;
  readonly memory: WebAssembly.Memory;
  /** Whether the last attempt to grow was refused since this was last asked: the guest met the wall, whatever it made of that. */
  takeRefusal(): boolean;
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** A fresh instance in which a guest can use about `memoryBytes`, and never more. `nowMs` is all it learns of the time. */
export async function openQuickJsModule(memoryBytes: number, nowMs: () => number): Promise<QuickJsModule> {
  compiled ??= compile();
  const wasmModule = compiled;
  const memory = new WebAssembly.Memory({ initial: wasmPagesMin, maximum: wasmPagesFor(memoryBytes) });
  const takeRefusal = watchGrowth(memory);
  const emscriptenModule = { ...withoutPrinting(), instantiateWasm: instantiateWith(wasmModule, nowMs) };
  const variant = newVariant(baseVariant, { wasmMemory: memory, emscriptenModule, log: ignore });
  return { quickjs: await newQuickJSWASMModuleFromVariant(variant), memory, takeRefusal };
}

async function compile(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await Bun.file(wasmPath).arrayBuffer());
}

type InstantiateWasm = NonNullable<NonNullable<CustomizeVariantOptions["emscriptenModule"]>["instantiateWasm"]>;

/** The build's only way to the time is one import, which Emscripten binds to `Date.now`. */
function instantiateWith(wasmModule: Promise<WebAssembly.Module>, nowMs: () => number): InstantiateWasm {
  return async (imports, onSuccess) => {
    const [clocks, patched] = withClock({ ...imports } as Imports, nowMs);
    if (clocks !== 1) throw new Error(`the QuickJS build has ${clocks} clocks instead of one`);
    const instance = await WebAssembly.instantiate(await wasmModule, patched as Parameters<typeof WebAssembly.instantiate>[1]);
    onSuccess(instance);
    return instance.exports;
  };
}

type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function withClock(imports: Imports, nowMs: () => number): [clocks: number, imports: Imports] {
  let clocks = 0;
  const replace = ([name, value]: [string, unknown]): [string, unknown] => {
    if (typeof value !== "function" || !/Date\.now\(\)/.test(String(value))) return [name, value];
    clocks += 1;
    return [name, nowMs];
  };
  const patched = Object.entries(imports).map(([module, members]) => [module, Object.fromEntries(Object.entries(members).map(replace))]);
  return [clocks, Object.fromEntries(patched)];
}

/** Emscripten grows memory by calling `grow` on this very object, which is the only place a refusal can be seen for certain. */
function watchGrowth(memory: WebAssembly.Memory): () => boolean {
  let refused = false;
  const grow = memory.grow.bind(memory);
  memory.grow = (pages) => {
    // It tries three sizes and is content with any, so only the last answer counts.
    refused = true;
    const before = grow(pages);
    refused = false;
    return before;
  };
  return () => {
    const answer = refused;
    refused = false;
    return answer;
  };
}

/** Emscripten's module takes these two, though the binding's type does not list them; an abort would print what it also throws. */
function withoutPrinting(): NonNullable<CustomizeVariantOptions["emscriptenModule"]> {
  return { print: ignore, printErr: ignore } as NonNullable<CustomizeVariantOptions["emscriptenModule"]>;
}

function ignore(): void {
  // The build prints what the host has no use for.
}

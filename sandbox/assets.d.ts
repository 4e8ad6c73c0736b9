/** The absolute path of the QuickJS build; inside a compiled executable it points into its embedded files. */
declare module "@jitl/quickjs-wasmfile-release-sync/wasm" {
  const path: string;
  export default path;
}

/** The text of a script that is evaluated inside the guest, never here. */
declare module "*.guest.js" {
  const source: string;
  export default source;
}

/** The absolute path of the type stripper, a CommonJS file. */
declare module "@swc/wasm-typescript/wasm.js" {
  const path: string;
  export default path;
}

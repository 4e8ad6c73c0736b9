/** What a guest program is given and what comes back. The one vocabulary of the API, the threads and the cells. */
export interface ExecutionRequest {
  readonly id: string;
  /** A script that sets `output` or ends with an expression, or a module with `export default (input) => …`. */
  readonly code: string;
  /** JSON. Text all the way, because copying a value between threads and processes costs many times as much as parsing it once. */
  readonly inputText?: string;
  /** Wall time the program may take; it is stopped then, and its cell killed shortly after if that did not help. */
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  /** What the program's randomness is made of; recorded in the receipt. Chosen for the program when absent. */
  readonly seed?: string;
  /** The clock is virtual and randomness comes from `seed`: the same code, input and seed give the same outcome, byte for byte. */
  readonly deterministic?: boolean;
  /** Types are stripped first; without it that is tried when the code is not JavaScript. */
  readonly language?: "javascript" | "typescript";
  /** What the program may ask of its host. Each call is answered by whoever sent the request. */
  readonly capabilities?: readonly CapabilityName[];
  readonly debug?: DebugOptions;
  /** Nothing is run: the output says what would be. */
  readonly checkOnly?: boolean;
  /** Whose program it is: those of several owners take turns. */
  readonly owner?: string;
  /** Of one owner's programs the higher goes first; 0 when absent. */
  readonly priority?: number;
}

export const capabilityNames = ["fetch", "kv", "events", "log"] as const;
export type CapabilityName = (typeof capabilityNames)[number];

export interface DebugOptions {
  /** Records which statements were run, in order. */
  readonly trace?: boolean;
  /** Records how often and for how long each function ran. */
  readonly profile?: boolean;
}

/** One use of a capability, on its way to whoever answers it. */
export interface HostCall {
  readonly capability: CapabilityName;
  readonly method: string;
  /** JSON of what the program passed. */
  readonly argumentText: string;
}

/** `text` is JSON: of the value, or of `{name, message}` when `ok` is false. */
export interface HostAnswer {
  readonly ok: boolean;
  readonly text: string;
}

export type AskHost = (call: HostCall) => Promise<HostAnswer>;

export type ExecutionStatus = "succeeded" | "failed" | "timeout" | "out_of_memory" | "killed";

export interface GuestError {
  readonly name: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
  /** As QuickJS writes it, with the places in the code as it was submitted. */
  readonly stack?: string;
}

export interface GuestLog {
  readonly level: "debug" | "log" | "info" | "warn" | "error";
  readonly message: string;
  /** Milliseconds since the program began. */
  readonly atMs: number;
}

/** In deterministic runs times are those of the virtual clock. */
export interface Receipt {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryBytesPeak: number;
  readonly hostCalls: number;
  readonly seed: string;
  readonly engine: string;
  readonly deterministic: boolean;
  readonly limits: { readonly timeoutMs: number; readonly memoryBytes: number; readonly hostCallsMax: number };
}

/** Time spent in a function, with what it called (`totalMs`) and without. */
export interface FunctionProfile {
  readonly name: string;
  readonly line: number;
  readonly calls: number;
  readonly selfMs: number;
  readonly totalMs: number;
}

/** What debug mode has seen. Places are those of the submitted code. */
export interface DebugReport {
  readonly trace?: { readonly lines: number[]; readonly truncated: boolean };
  readonly profile?: FunctionProfile[];
  /** Why there is none. */
  readonly unavailable?: string;
}

export interface ExecutionOutcome {
  readonly status: ExecutionStatus;
  readonly output?: unknown;
  readonly error?: GuestError;
  readonly logs: readonly GuestLog[];
  readonly receipt: Receipt;
  readonly debug?: DebugReport;
}

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
  /** Recorded in the receipt. */
  readonly seed?: string;
  /** Whose program it is: those of several owners take turns. */
  readonly owner?: string;
}

export type ExecutionStatus = "succeeded" | "failed" | "timeout" | "out_of_memory" | "killed";

export interface GuestError {
  readonly name: string;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}

export interface GuestLog {
  readonly level: "debug" | "log" | "info" | "warn" | "error";
  readonly message: string;
  /** Milliseconds since the program began. */
  readonly atMs: number;
}

export interface Receipt {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryBytesPeak: number;
  readonly hostCalls: number;
  readonly seed: string;
  readonly engine: string;
}

export interface ExecutionOutcome {
  readonly status: ExecutionStatus;
  readonly output?: unknown;
  readonly error?: GuestError;
  readonly logs: readonly GuestLog[];
  readonly receipt: Receipt;
}

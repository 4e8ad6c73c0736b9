import { type Cell, type CellOptions, startCell } from "./cell-process.ts";

/** The part of a logger this needs. */
export interface CellLog {
  warn(details: object, message: string): void;
}

/** Keeps a number of cells alive: starts them, replaces those that end, backs off while they do not start. */
export interface CellSupply {
  /** A ready cell, taken out of the idle ones; undefined when there is none. */
  take(): Cell | undefined;
  giveBack(cell: Cell): void;
  /** Ends a cell that was taken and starts another at once, without waiting for the first to be gone. */
  replace(cell: Cell, reason: string): void;
  /** Whether so many starts failed in a row, with no cell left, that waiting for one is pointless. */
  exhausted(): boolean;
  stats(): { readonly alive: number; readonly idle: number; readonly startedEver: number; readonly rssBytes: number };
  /** Kills every cell and resolves when all are gone. */
  stop(): Promise<void>;
}

export interface CellSupplyOptions extends CellOptions {
  readonly count: number;
  readonly log: CellLog;
  /** Called when a cell became idle, or the supply exhausted. */
  readonly onChange: () => void;
}

const backoffMs = { first: 50, max: 10_000 };
const failedStartsMax = 5;

/** Starts its first cells at once. */
export function createCellSupply(options: CellSupplyOptions): CellSupply {
  const { count, log, onChange } = options;
  const living = new Set<Cell>();
  /** Those of the living that are not on their way out. */
  const kept = new Set<Cell>();
  const idle: Cell[] = [];
  let startedEver = 0;
  let failedStarts = 0;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  /** The first cell starts alone: it is ready twice as soon as in a crowd, and when cells do not start, that is found out on one. */
  let proven = false;

  const fill = (): void => {
    while (!stopped && retryTimer === undefined && kept.size < (proven ? count : 1)) addCell();
  };

  const addCell = (): void => {
    const cell = tryStart();
    if (cell === undefined) return;
    startedEver += 1;
    living.add(cell);
    kept.add(cell);
    cell.ready.then(
      () => {
        proven = true;
        giveBack(cell);
        fill();
      },
      () => undefined,
    );
    void cell.exited.then((reason) => onExited(cell, reason));
  };

  const tryStart = (): Cell | undefined => {
    try {
      return startCell(options);
    } catch (error) {
      onFailedStart(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };

  const onExited = (cell: Cell, reason: string): void => {
    living.delete(cell);
    kept.delete(cell);
    const at = idle.indexOf(cell);
    if (at >= 0) idle.splice(at, 1);
    // A cell that ends before it ran anything is no better than one that does not start: never replace it without a pause.
    if (cell.runs === 0) onFailedStart(reason);
    fill();
  };

  const onFailedStart = (reason: string): void => {
    if (stopped) return;
    failedStarts += 1;
    const delayMs = Math.min(backoffMs.first * 2 ** (failedStarts - 1), backoffMs.max);
    log.warn({ reason, failedStarts, delayMs }, "sandbox cell did not start");
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => {
      retryTimer = undefined;
      fill();
    }, delayMs);
    if (exhausted()) onChange();
  };

  const exhausted = (): boolean => failedStarts >= failedStartsMax && kept.size === 0;

  const giveBack = (cell: Cell): void => {
    if (!kept.has(cell)) return;
    if (cell.runs > 0) failedStarts = 0;
    idle.push(cell);
    onChange();
  };

  fill();
  return {
    take: () => idle.shift(),
    giveBack,
    replace: (cell, reason) => {
      kept.delete(cell);
      cell.kill(reason);
      fill();
    },
    exhausted,
    stats: () => ({
      alive: kept.size,
      idle: idle.length,
      startedEver,
      rssBytes: [...kept].reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    }),
    stop: async () => {
      stopped = true;
      clearTimeout(retryTimer);
      idle.length = 0;
      const gone = [...living].map((cell) => cell.exited);
      for (const cell of living) cell.kill("the sandbox was stopped");
      await Promise.all(gone);
    },
  };
}

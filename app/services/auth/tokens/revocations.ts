import { pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Revocation, TokenStore } from "./store.ts";

export interface RevocationDeps {
  readonly store: Pick<TokenStore, "revocationsSince" | "liveVersion">;
  /** Access tokens live no longer than this, so older revocations need not be known. */
  readonly accessTokenSeconds: number;
  readonly log: Logger;
}

export interface Revocations extends Running {
  /** Whether a token of this version of the session must be refused; a promise only when the store has to be asked. */
  isRevoked(sessionId: string, version: number): boolean | Promise<boolean>;
  /** Refuses from now on, without a look at the store. */
  learn(revocation: Revocation): void;
  /** There is news: look now instead of at the next round. */
  look(): void;
  /** Called once for each revocation that this copy learns of. */
  onRevoked(listener: (revocation: Revocation) => void): void;
}

/** News comes by the bus within milliseconds; this is the net below it, and bounds how late a copy can be when the bus is behind. */
const lookEveryMs = 400;
/** What was known this long ago is not good enough any more: then each request asks the store. */
const staleMs = 900;
/** A token that was being signed while its session changed may end this much later than one from before. */
const signingSeconds = 30;

/**
 * What this copy must refuse although its signature is good: a table in memory, so that a request costs no round trip.
 * When it cannot be kept up to date, requests ask the store instead, and fail when the store cannot be asked.
 */
export function startRevocations({ store, accessTokenSeconds, log }: RevocationDeps): Revocations {
  const stopping = new AbortController();
  const listeners: ((revocation: Revocation) => void)[] = [];
  /** Two generations, so that what no token can need any more is dropped without a look at each entry. */
  let recent = new Map<string, number>();
  let older = new Map<string, number>();
  let turnedAt = performance.now();
  let from: string | undefined;
  let freshFrom = Number.NEGATIVE_INFINITY;
  let news = Promise.withResolvers<void>();

  const minVersion = (sessionId: string) => recent.get(sessionId) ?? older.get(sessionId) ?? 0;

  const learn = (revocation: Revocation) => {
    const version = revocation.minVersion ?? Number.POSITIVE_INFINITY;
    if (minVersion(revocation.sessionId) >= version) return;
    recent.set(revocation.sessionId, version);
    for (const listener of listeners) listener(revocation);
  };

  const turn = () => {
    if (performance.now() - turnedAt < (accessTokenSeconds + signingSeconds) * 1_000) return;
    older = recent;
    recent = new Map();
    turnedAt = performance.now();
  };

  const look = async () => {
    const askedAt = performance.now();
    const page = await store.revocationsSince(from);
    for (const revocation of page.revocations) learn(revocation);
    from = page.next;
    freshFrom = askedAt;
    turn();
  };

  const running = (async () => {
    let failing = false;
    while (!stopping.signal.aborted) {
      news = Promise.withResolvers<void>();
      try {
        await look();
        failing = false;
      } catch (error) {
        if (!failing && !stopping.signal.aborted) log.warn({ err: error }, "revocations could not be read; each request asks for itself");
        failing = true;
      }
      await Promise.race([news.promise, pause(lookEveryMs, stopping.signal)]);
    }
  })();

  const askStore = async (sessionId: string, version: number): Promise<boolean> => {
    const live = await store.liveVersion(sessionId);
    return live === undefined || version < live;
  };

  return {
    started: Promise.resolve(),
    isRevoked: (sessionId, version) => {
      if (version < minVersion(sessionId)) return true;
      return performance.now() - freshFrom <= staleMs ? false : askStore(sessionId, version);
    },
    learn,
    look: () => news.resolve(),
    onRevoked: (listener) => void listeners.push(listener),
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

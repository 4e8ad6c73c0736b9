import { afterEach, describe, expect, test } from "bun:test";
import { until } from "../../../../tests/until.ts";
import { createLogger } from "../../../platform/logger.ts";
import { type Revocations, startRevocations } from "./revocations.ts";
import type { Revocation } from "./store.ts";

const log = createLogger({ level: "silent", part: "test" });
let running: Revocations | undefined;
afterEach(() => running?.stop());

/** A store whose rows and health the test moves. */
function world(initial: { readonly looksFail?: boolean } = {}) {
  const state = {
    rows: [] as Revocation[],
    live: 5 as number | undefined,
    looksFail: false,
    asksFail: false,
    looks: 0,
    from: undefined as string | undefined,
    asked: 0,
    ...initial,
  };
  const away = async (): Promise<never> => {
    throw new Error("the store is away");
  };
  running = startRevocations({
    store: {
      revocationsSince: async (from) => {
        state.looks += 1;
        state.from = from;
        return state.looksFail ? away() : { revocations: state.rows, next: String(state.looks) };
      },
      liveVersion: () => {
        state.asked += 1;
        return state.asksFail ? away() : Promise.resolve(state.live);
      },
    },
    accessTokenSeconds: 900,
    log,
  });
  return { state, revocations: running };
}

const looked = (state: { readonly looks: number }, times: number) => until("it looked", () => state.looks >= times);
/** After a look has been answered. */
const settled = () => Bun.sleep(0);

describe("while the store answers", () => {
  test("a look finds what was revoked, and asks nothing per request", async () => {
    const { state, revocations } = world();
    await looked(state, 1);
    await settled();
    expect(revocations.isRevoked("ses_1", 0)).toBe(false);
    state.rows = [{ sessionId: "ses_1", minVersion: null }];
    revocations.look();
    await until("it is known", () => revocations.isRevoked("ses_1", 99) === true);
    expect(revocations.isRevoked("ses_2", 0)).toBe(false);
    expect(state.asked).toBe(0);
  });

  test("it looks without being told, well within a second", async () => {
    const { state, revocations } = world();
    await looked(state, 1);
    state.rows = [{ sessionId: "ses_1", minVersion: null }];
    await until("it is known", () => revocations.isRevoked("ses_1", 0) === true, 1_000);
  });

  test("a version refuses what came before it, and an end refuses all", async () => {
    const { state, revocations } = world();
    await looked(state, 1);
    await settled();
    revocations.learn({ sessionId: "ses_1", minVersion: 3 });
    expect([0, 2, 3, 4].map((version) => revocations.isRevoked("ses_1", version))).toEqual([true, true, false, false]);
    revocations.learn({ sessionId: "ses_1", minVersion: 2 });
    expect(revocations.isRevoked("ses_1", 2)).toBe(true);
    revocations.learn({ sessionId: "ses_1", minVersion: null });
    expect(revocations.isRevoked("ses_1", 1_000_000)).toBe(true);
  });

  test("listeners hear of each once, however often it is read", async () => {
    const { state, revocations } = world();
    const heard: Revocation[] = [];
    revocations.onRevoked((revocation) => heard.push(revocation));
    state.rows = [{ sessionId: "ses_1", minVersion: 1 }];
    await looked(state, 2);
    revocations.look();
    await looked(state, 3);
    await settled();
    expect(heard).toEqual([{ sessionId: "ses_1", minVersion: 1 }]);
  });
});

describe("while it cannot look", () => {
  test("what is known stays refused; for the rest each request asks, and its failure is no yes", async () => {
    const { state, revocations } = world();
    await looked(state, 1);
    await settled();
    revocations.learn({ sessionId: "ses_1", minVersion: null });
    expect(revocations.isRevoked("ses_2", 5)).toBe(false);
    state.looksFail = true;
    await until("it no longer trusts its memory", () => revocations.isRevoked("ses_2", 5) instanceof Promise, 3_000);
    expect(revocations.isRevoked("ses_1", 5)).toBe(true);
    expect(await revocations.isRevoked("ses_2", 5)).toBe(false);
    state.asksFail = true;
    await expect(Promise.resolve(revocations.isRevoked("ses_2", 5))).rejects.toThrow("the store is away");
  });

  test("the store's word counts: an older version, the current one, an ended session", async () => {
    const { state, revocations } = world({ looksFail: true });
    const answers = [await revocations.isRevoked("ses_2", 4), await revocations.isRevoked("ses_2", 5)];
    state.live = undefined;
    expect([...answers, await revocations.isRevoked("ses_2", 5)]).toEqual([true, false, true]);
  });

  test("the first look is for all that is kept, and each goes on where the last one that succeeded ended", async () => {
    const { state } = world();
    expect([state.looks, state.from]).toEqual([1, undefined]);
    await looked(state, 2);
    expect(state.from).toBe("1");
    state.looksFail = true;
    await looked(state, 5);
    const { from, looks } = state;
    expect(Number(from)).toBeLessThan(looks - 1);
    state.looksFail = false;
    await looked(state, looks + 1);
    expect(state.from).toBe(from);
  });

  test("when it can again, what was revoked in between is known", async () => {
    const { state, revocations } = world({ looksFail: true });
    await looked(state, 2);
    state.rows = [{ sessionId: "ses_1", minVersion: null }];
    state.looksFail = false;
    await until("it is known", () => revocations.isRevoked("ses_1", 5) === true, 2_000);
  });
});

import { expect, test } from "bun:test";
import { afterRound, allFailed, parseSwarmState, withTurn } from "./state.ts";

const beginning = parseSwarmState(undefined);
const error = { name: "RangeError", message: "no" };

test("posts come onto the board together, whatever the order of the turns", () => {
  const [a, b] = [{ post: 1 }, { post: [2] }];
  const one = afterRound(withTurn(withTurn(beginning, "a", a), "b", b), 3);
  const other = afterRound(withTurn(withTurn(beginning, "b", b), "a", a), 3);
  expect(one).toEqual({ ...other, agents: one.agents });
  expect(one).toMatchObject({ round: 2, board: { a: 1, b: [2] }, turns: {}, over: false });
});

test("an agent that posts nothing keeps what it has posted", () => {
  const posted = afterRound(withTurn(beginning, "a", { post: "x" }), 3);
  expect(afterRound(withTurn(posted, "a", {}), 3).board).toEqual({ a: "x" });
  expect(afterRound(withTurn(posted, "a", { error }), 3).board).toEqual({ a: "x" });
  expect(afterRound(withTurn(posted, "a", { post: null }), 3).board).toEqual({ a: null });
});

test("it is over when an agent says so, and after the last round", () => {
  const done = afterRound(withTurn(withTurn(beginning, "a", { done: true }), "b", { error }), 9);
  expect(done).toMatchObject({ over: true, round: 1, agents: { a: { done: true }, b: { failures: 1, lastError: error } } });
  expect(afterRound(withTurn(beginning, "a", {}), 1)).toMatchObject({ over: true, round: 1 });
});

test("a round fails when all of its agents do", () => {
  expect(allFailed(withTurn(withTurn(beginning, "a", { error }), "b", { error }))).toBe(true);
  expect(allFailed(withTurn(withTurn(beginning, "a", { error }), "b", {}))).toBe(false);
});

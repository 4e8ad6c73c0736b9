import { expect, test } from "bun:test";
import { createEstimateStrength } from "./strength.ts";

const estimate = createEstimateStrength();

test.each([
  ["password1", []],
  ["qwertyuiop", []],
  ["P@ssw0rd", []],
  ["aaaaaaaaaaaa", []],
  ["12345678", []],
  ["lovelace", ["ada.lovelace@example.com"]],
  ["ada.lovelace", ["ada.lovelace@example.com"]],
  ["Lovelace1", ["x@example.com", "Ada Lovelace"]],
] as const)("%s of %j is weak, and there is advice", async (password, known) => {
  const { score, advice } = await estimate(password, known);
  expect(score).toBeLessThan(2);
  expect(advice).toMatch(/^[A-Z].+\.$/);
});

test.each(["correct horse battery staple", "correct horse", "🐙🦑🦐🪼🐡🐳🦭🪸"])("%s is good enough", async (password) => {
  expect((await estimate(password, ["ada@example.com", "Ada"])).score).toBeGreaterThanOrEqual(2);
});

test("only the first 64 characters count, so that a long password takes bounded time", async () => {
  const beginning = "p".repeat(64);
  const { score } = await estimate(beginning, []);
  expect((await estimate(`${beginning}${"correct horse battery staple"}`, [])).score).toBe(score);
  const startedAt = performance.now();
  for (const hostile of ["4@8({[<369!1|7$5+%2z", "4@8({[</3", "aA1!", "2001200219"])
    await estimate(hostile.repeat(1_000), ["a@example.com"]);
  // Without the cut and the bound on substitutions these take minutes.
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

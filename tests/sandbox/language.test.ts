import { describe, expect, test } from "bun:test";
import { engineGaps, features } from "./language-features.ts";
import { run } from "./programs.ts";

const AsyncFunction = Object.getPrototypeOf(async () => undefined).constructor;

describe.each(Object.entries(features))("the guest's language: %s", (_group, expressions) => {
  test.each(expressions)("%s", async (expression) => {
    expect(await new AsyncFunction(`return (${expression})`)()).toBe(true);
    expect((await run(expression)).error).toBeUndefined();
    expect((await run(expression)).output).toBe(true);
    expect((await run(expression, { deterministic: true, seed: "s" })).output).toBe(true);
  });
});

/** Fails once the engine has them: then they belong to the others. */
test.each(engineGaps)("not in this engine: %s", async (expression) => {
  expect(await new AsyncFunction(`return (${expression})`)()).toBe(true);
  expect((await run(expression)).error).toMatchObject({ name: "TypeError" });
});

import { describe, expect, test } from "bun:test";
import { compilePatterns, patternFault } from "./pattern.ts";

describe("patterns", () => {
  test.each([
    ["task.changed", "task.changed", true],
    ["task.changed", "task.changed.twice", false],
    ["task.*", "task.changed", true],
    ["task.*", "task", false],
    ["task.*", "task.a.b", false],
    ["*.changed", "task.changed", true],
    ["task.>", "task.a.b", true],
    ["task.>", "task.a", true],
    ["task.>", "task", false],
    ["task.>", "tasks.a", false],
    [">", "anything.at.all", true],
    ["*.>", "a", false],
    ["*.*.>", "a.b.c.d", true],
  ])("%s and %s: %p", (pattern, type, expected) => expect(compilePatterns([pattern])(type)).toBe(expected));

  test("several: any of them", () => {
    const matches = compilePatterns(["a.*", "b.>"]);
    expect(["a.x", "b.x.y", "c.x", "a.x"].map(matches)).toEqual([true, true, false, true]);
    expect(compilePatterns([])("a")).toBe(false);
  });

  test.each([
    ["a.>.b", 'has ">" at position 3, which can only be the last segment'],
    ["a..b", "has an empty segment at position 3"],
    ["", "has an empty segment at position 1"],
    ["a.", "has an empty segment at position 3"],
    ["a.b*", 'has "b*" at position 3'],
    ["a b", 'has "a b" at position 1'],
    ["a.>>", 'has ">>" at position 3'],
    ["x".repeat(200), "is longer than 128 characters"],
  ])("%j is refused, and it says where", (pattern, fault) => expect(patternFault(pattern)).toContain(fault));

  test.each(["a", "a.b", "a.*", "a.>", ">", "*", "api_key.created", "com.example.Order-2"])("%s is one", (pattern) =>
    expect(patternFault(pattern)).toBeUndefined(),
  );
});

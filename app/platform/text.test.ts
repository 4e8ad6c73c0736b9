import { expect, test } from "bun:test";
import { readableName } from "./text.ts";

test.each([
  ["Ada Lovelace", true],
  ["Zoë O’Brien-Świątek 3rd", true],
  ["علی‌رضا", true],
  ["ශ්‍රී", true],
  ["👩‍👩‍👧", true],
  ["", false],
  ["a".repeat(101), false],
  ["two\nlines", false],
  ["two\r\nBcc: eve@example.com", false],
  ["two\u2028lines", false],
  ["two\u2029paragraphs", false],
  ["\u202egnp.exe", false],
  ["\u2066isolated\u2069", false],
  ["left\u200eto right", false],
  ["zero\u200bwidth", false],
  ["soft\u00adhyphen", false],
  ["\ufeffmark", false],
  ["tag\u{e0041}", false],
  ["bell\u0007", false],
  ["next\u0085line", false],
  ["nul\0", false],
])("%j as a name: %p", (text, taken) => {
  expect(readableName(100).safeParse(text).success).toBe(taken);
});

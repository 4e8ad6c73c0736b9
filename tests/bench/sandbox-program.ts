/** The same small program for everything that can run one: it reads its input, and its answer is checked. */
export const smallProgram = {
  code: "input.numbers.reduce((sum, n) => sum + n, 0)",
  input: { numbers: [1, 2, 3, 4] },
  answer: 10,
  timeoutMs: 500,
  memoryBytes: 16 * 1024 * 1024,
} as const;

export const smallInputText = JSON.stringify(smallProgram.input);

/** As one script, for an engine without a way of its own to hand over input. */
export const smallScript = `const input = ${smallInputText};\n${smallProgram.code}`;

export function assertSmallAnswer(answer: unknown): void {
  if (answer !== smallProgram.answer) throw new Error(`the small program answered ${JSON.stringify(answer)}`);
}

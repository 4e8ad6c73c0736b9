import { afterAll, beforeAll } from "bun:test";
import { type Substrate, startTestCopy, type TestCopy } from "./copy.ts";

const startMsMax = 60_000;

/** One copy for all tests of the file or `describe` that calls this: started before the first, closed after the last. Read it inside tests only. */
export function sharedCopy(
  substrate: Substrate = "postgres",
  settings: Readonly<Record<string, string>> = {},
): Pick<TestCopy, "copy" | "config" | "url"> {
  let running: TestCopy | undefined;
  beforeAll(async () => {
    running = await startTestCopy(substrate, settings);
  }, startMsMax);
  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
  }, startMsMax);
  const started = (): TestCopy => {
    if (!running) throw new Error("the copy is not there before the first test");
    return running;
  };
  return {
    get copy() {
      return started().copy;
    },
    get config() {
      return started().config;
    },
    get url() {
      return started().url;
    },
  };
}

import { expect, test } from "bun:test";
import { describe } from "./job-runner.ts";

test("what a task's owner reads of a failed query has none of its parameters", () => {
  const error = Object.assign(new Error("Failed query: insert into t values ($1)\nparams: a secret"), {
    query: "insert into t values ($1)",
    params: ["a secret"],
  });
  expect(describe(error)).toEqual({ name: "QueryFailed", message: "a query failed" });
  expect(describe(new Error("no such host"))).toEqual({ name: "Error", message: "no such host" });
});

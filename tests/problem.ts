import { expect } from "bun:test";
import { type ProblemCode, problemTypes } from "../app/platform/errors.ts";
import type { Answer } from "./client.ts";

/** Asserts that an answer is a whole RFC 9457 problem of that code: its type, title, status and the id of its request. */
export function expectProblem(answer: Answer, code: ProblemCode): void {
  const { status, title } = problemTypes[code];
  expect(answer.body).toMatchObject({ type: `/problems/${code}`, title, status, code, instance: answer.headers.get("x-request-id") });
  expect(Object.keys(answer.body).filter((name) => !members.includes(name))).toEqual([]);
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

/** The `pointer`s of a validation problem, in the order given. */
export function pointersOf(answer: Answer): string[] {
  expectProblem(answer, "validation_failed");
  return answer.body.errors.map(({ pointer }: { readonly pointer: string }) => pointer);
}

const members = ["type", "title", "status", "detail", "code", "instance", "errors"];

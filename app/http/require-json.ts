import { Problem } from "../platform/errors.ts";
import type { Check } from "./guard.ts";

const json = /^application\/([\w.-]+\+)?json\s*(;|$)/i;

/** Refuses a body that is not declared as JSON, instead of guessing. GET has no body that anything reads; to look for one costs as much as routing. */
export const requireJson: Check = (c) => {
  if (c.req.method !== "GET" && c.req.raw.body && !json.test(c.req.header("content-type") ?? "")) {
    throw new Problem("unsupported_media_type", {
      detail: `The body is "${c.req.header("content-type") ?? "of no declared type"}".`,
      headers: { accept: "application/json" },
    });
  }
};

import { bodyLimit } from "hono/body-limit";
import { Problem } from "../platform/errors.ts";
import type { AppContext } from "./env.ts";
import type { Check } from "./guard.ts";

/** Refuses a body of more than `bytesMax`, also one that comes in chunks. Nothing reads the body of a GET, and to look for one costs as much as routing. */
export function limitBody(bytesMax: number): Check {
  const refuse = () => {
    throw new Problem("payload_too_large", { detail: `The limit is ${bytesMax} bytes.` });
  };
  const limit = bodyLimit({ maxSize: bytesMax, onError: refuse });
  return function limitBody(c) {
    return c.req.method === "GET" ? undefined : limited(c);
  };

  async function limited(c: AppContext): Promise<void> {
    await limit(c, async () => undefined);
  }
}

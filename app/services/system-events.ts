import { z } from "zod";
import { eventsOf } from "../platform/events.ts";

const event = eventsOf("system");
const copy = { node: z.string(), version: z.string(), roles: z.array(z.string()) };

export const copyStarted = event({
  type: "system.copy_started",
  description: "A copy of the program has started. The subject is its node.",
  audience: "admins",
  data: z.object({ ...copy, substrate: z.enum(["redis", "postgres"]) }),
});

export const copyStopping = event({
  type: "system.copy_stopping",
  description: "A copy of the program takes no more work. The subject is its node.",
  audience: "admins",
  data: z.object(copy),
});

export const threadRestarted = event({
  type: "system.thread_restarted",
  description: "A thread of a copy died and was started again. The subject is the copy's node.",
  audience: "admins",
  data: z.object({ node: z.string(), thread: z.string(), restarts: z.number().int() }),
});

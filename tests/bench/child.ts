import { z } from "zod";
import { withDeadline } from "../../app/platform/deadline.ts";

/** A process under measurement, asked by messages. Disposing ends it. */
export interface Child extends AsyncDisposable {
  ask<T>(verb: string, input: unknown, answer: z.ZodType<T>): Promise<T>;
}

const ready = z.object({ ready: z.literal(true) });
const reply = z.object({ id: z.number(), value: z.unknown().optional(), error: z.string().optional() });
const question = z.object({ id: z.number(), verb: z.string(), input: z.unknown() });

/** Runs `entry` (a file beside this one, unless `command` says otherwise) with `argument`; resolves when it answers questions. */
export async function startChild(entry: string, argument: unknown, command = ownCommand(entry)): Promise<Child> {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const started = Promise.withResolvers<void>();
  let lastId = 0;
  const child = Bun.spawn([...command, JSON.stringify(argument)], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    serialization: "json",
    ipc: (message) => {
      if (ready.safeParse(message).success) return started.resolve();
      const { id, value, error } = reply.parse(message);
      if (error === undefined) waiting.get(id)?.resolve(value);
      else waiting.get(id)?.reject(new Error(`${entry}: ${error}`));
      waiting.delete(id);
    },
    onExit: () => {
      const gone = new Error(`${entry} has ended`);
      started.reject(gone);
      for (const { reject } of waiting.values()) reject(gone);
    },
  });
  await withDeadline(`starting ${entry}`, 30_000, started.promise);
  return {
    ask: async (verb, input, answer) => {
      const id = ++lastId;
      const pending = Promise.withResolvers<unknown>();
      waiting.set(id, pending);
      child.send({ id, verb, input });
      return answer.parse(await pending.promise);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

function ownCommand(entry: string): readonly string[] {
  return [process.execPath, new URL(entry, import.meta.url).pathname];
}

/** The other end, called once by the program of a child: answers until the parent is gone. */
export function answerParent(verbs: Readonly<Record<string, (input: unknown) => unknown>>): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", (message) => {
    const { id, verb, input } = question.parse(message);
    // Not Promise.try, which the Node of a peer may not have.
    const work = (async () => verbs[verb]?.(input))();
    work.then(
      (value = null) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    );
  });
  process.send?.({ ready: true });
}

/** What a child was started with. */
export function argumentOf<T>(schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(process.argv[2] ?? "{}"));
}

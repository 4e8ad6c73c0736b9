import { expect, test } from "bun:test";
import { MessageChannel } from "node:worker_threads";
import { ChannelError, openChannel, RemoteError } from "../../workers/channel.ts";
import { until } from "../until.ts";

type Theirs = {
  double(input: number): number;
  slow(input: { readonly gate: "never" }): Promise<void>;
  refuse(input: string): never;
  note(input: string): void;
};

function pair(noted: string[] = []) {
  const { port1, port2 } = new MessageChannel();
  const theirs: Theirs = {
    double: (input) => input * 2,
    slow: () => Promise.withResolvers<void>().promise,
    refuse: (input) => {
      throw new TypeError(`not ${input}`);
    },
    note: (input) => void noted.push(input),
  };
  const server = openChannel<Theirs, Record<never, never>>(port2, theirs);
  const client = openChannel<Record<never, never>, Theirs>(port1, {});
  const close = () => {
    port1.close();
    port2.close();
  };
  return { client, server, close };
}

test("both sides hear ready, calls are answered each to its caller, notices arrive in order", async () => {
  const noted: string[] = [];
  const { client, server, close } = pair(noted);
  await Promise.all([client.ready, server.ready]);
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => client.call("double", n, 1_000)));
  expect(answers).toEqual(Array.from({ length: 50 }, (_, n) => n * 2));
  client.tell("note", "first");
  client.tell("note", "second");
  await until("both notices arrived", () => noted.length === 2);
  expect(noted).toEqual(["first", "second"]);
  close();
});

test("an error comes over by name and message", async () => {
  const { client, close } = pair();
  const error = await client.call("refuse", "this", 1_000).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RemoteError);
  expect(error).toMatchObject({ remoteName: "TypeError", message: "not this" });
  close();
});

test("an input that can't be cloned rejects its call at once and leaves nothing behind", async () => {
  const { client, close } = pair();
  const unsendable = (() => undefined) as unknown as number;
  expect(await client.call("double", unsendable, 10_000).catch((thrown: unknown) => thrown)).toMatchObject({
    name: "ChannelError",
    message: "the input of double can't be sent",
  });
  expect(await client.call("double", 2, 1_000)).toBe(4);
  close();
});

test("a call without an answer is rejected at its deadline, and when the channel closes", async () => {
  const { client, close } = pair();
  const late = await client.call("slow", { gate: "never" }, 20).catch((thrown: unknown) => thrown);
  expect(late).toBeInstanceOf(ChannelError);
  expect(late).toMatchObject({ message: "no answer to slow within 20 ms" });
  const cut = client.call("slow", { gate: "never" }, 10_000).catch((thrown: unknown) => thrown);
  client.close("the thread ended");
  expect(await cut).toMatchObject({ name: "ChannelError", message: "the thread ended" });
  expect(await client.call("double", 1, 1_000).catch((thrown: unknown) => thrown)).toMatchObject({ message: "the thread ended" });
  close();
});

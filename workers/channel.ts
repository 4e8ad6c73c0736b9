import type { MessagePort, Worker } from "node:worker_threads";

/** The functions one side of a channel answers: method name → how it is called. Inputs and outputs must survive structured clone. */
export type Methods = Readonly<Record<string, (input: never) => unknown>>;

type Input<M> = M extends (input: infer I) => unknown ? I : never;
type Output<M> = M extends (input: never) => infer O ? Awaited<O> : never;

/** Everything that crosses a channel. */
type Message =
  | { readonly kind: "ready" }
  | { readonly kind: "request"; readonly id: number; readonly method: string; readonly input: unknown }
  | { readonly kind: "notice"; readonly method: string; readonly input: unknown }
  | { readonly kind: "value"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number; readonly error: { readonly name: string; readonly message: string } };

/** A call over a channel that did not get its answer: the other side died, or took too long. */
export class ChannelError extends Error {
  override readonly name = "ChannelError";
}

/** An error thrown on the other side, by name and message. */
export class RemoteError extends Error {
  readonly remoteName: string;

  constructor(remote: { readonly name: string; readonly message: string }) {
    super(remote.message);
    this.name = "RemoteError";
    this.remoteName = remote.name;
  }
}

export interface Channel<Theirs extends Methods> {
  /** Resolves when the other side has said it listens; messages sent before that would be lost. */
  readonly ready: Promise<void>;
  /** Rejects with `ChannelError` after `timeoutMs` or when the channel closes, with `RemoteError` when the other side threw. */
  call<K extends keyof Theirs & string>(method: K, input: Input<Theirs[K]>, timeoutMs: number): Promise<Output<Theirs[K]>>;
  /** Sends without waiting for an answer. */
  tell<K extends keyof Theirs & string>(method: K, input: Input<Theirs[K]>, transfer?: readonly MessagePort[]): void;
  /** Fails what is in flight with `reason` and takes no more. */
  close(reason: string): void;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Speaks over `port`: answers `mine` to the other side, calls `Theirs` there. Says `ready` at once, since its handler is set. */
export function openChannel<Mine extends Methods, Theirs extends Methods>(port: Worker | MessagePort, mine: Mine): Channel<Theirs> {
  const pending = new Map<number, Pending>();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  let nextId = 0;
  let closedBecause: string | undefined;

  const post = (message: Message, transfer: readonly MessagePort[] = []) => port.postMessage(message, [...transfer]);

  const answer = async (id: number, method: string, input: unknown) => {
    try {
      post({ kind: "value", id, value: await invoke(mine, method, input) });
    } catch (error) {
      post({ kind: "error", id, error: describe(error) });
    }
  };

  const settle = (id: number, finish: (waiting: Pending) => void) => {
    const waiting = pending.get(id);
    if (!waiting) return;
    pending.delete(id);
    clearTimeout(waiting.timer);
    finish(waiting);
  };

  port.on("message", (message: Message) => {
    if (closedBecause !== undefined) return;
    switch (message.kind) {
      case "ready":
        return ready.resolve();
      case "request":
        return void answer(message.id, message.method, message.input);
      case "notice":
        return void invoke(mine, message.method, message.input);
      case "value":
        return settle(message.id, (waiting) => waiting.resolve(message.value));
      case "error":
        return settle(message.id, (waiting) => waiting.reject(new RemoteError(message.error)));
      default:
        return message satisfies never;
    }
  });
  post({ kind: "ready" });

  return {
    ready: ready.promise,
    call: (method, input, timeoutMs) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      if (closedBecause !== undefined) return Promise.reject(new ChannelError(closedBecause));
      const id = nextId++;
      const timer = setTimeout(
        () => settle(id, (waiting) => waiting.reject(new ChannelError(`no answer to ${method} within ${timeoutMs} ms`))),
        timeoutMs,
      );
      pending.set(id, { resolve, reject, timer });
      try {
        post({ kind: "request", id, method, input });
      } catch (cause) {
        settle(id, (waiting) => waiting.reject(new ChannelError(`the input of ${method} can't be sent`, { cause })));
      }
      return typed(promise);
    },
    tell: (method, input, transfer) => {
      if (closedBecause === undefined) post({ kind: "notice", method, input }, transfer);
    },
    close: (reason) => {
      closedBecause ??= reason;
      ready.reject(new ChannelError(reason));
      for (const id of [...pending.keys()]) settle(id, (waiting) => waiting.reject(new ChannelError(reason)));
    },
  };
}

/** `Methods` on both sides come from one type, so what arrives under a method's name is that method's input. */
function invoke(methods: Methods, method: string, input: unknown): unknown {
  const call = methods[method];
  if (!call) throw new Error(`unknown method ${method}`);
  return call(input as never);
}

/** The other side answered with the output type its method declares. */
function typed<T>(promise: Promise<unknown>): Promise<T> {
  return promise as Promise<T>;
}

function describe(error: unknown): { name: string; message: string } {
  return error instanceof Error ? { name: error.name, message: error.message } : { name: "Error", message: String(error) };
}

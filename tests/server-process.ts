import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeLoopbackPort } from "../app/platform/embedded-postgres/free-port.ts";
import { until } from "./until.ts";

/** Keelson as a process of its own, for what ends a process: signals, crashes, exit codes. */
export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<number>;
  /** Everything it has printed so far, both streams. */
  output(): string;
  signal(name: NodeJS.Signals): void;
}

const main = new URL("../app/main.ts", import.meta.url).pathname;

export async function temporaryDataFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "keelson-process-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface HowToRun {
  readonly args?: readonly string[];
  /** Another program than this source tree: the one file that the build makes. */
  readonly program?: string;
  readonly cwd?: string;
}

/** Runs the program with `settings` and nothing else of our environment but PATH and HOME. */
export async function runServer(settings: Readonly<Record<string, string>>, how: HowToRun = {}): Promise<ServerProcess> {
  const port = await freeLoopbackPort();
  const command = how.program === undefined ? [process.execPath, main] : [how.program];
  const child = Bun.spawn([...command, ...(how.args ?? [])], {
    ...(how.cwd === undefined ? {} : { cwd: how.cwd }),
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", PORT: String(port), ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    exited: child.exited.then(async (code) => {
      await collected;
      return code;
    }),
    output: () => text,
    signal: (name) => child.kill(name),
  };
}

/** Resolves when the server says it is ready; throws with what it printed when it ends instead. */
export async function whenReady(server: ServerProcess): Promise<void> {
  let ended: number | undefined;
  void server.exited.then((code) => {
    ended = code;
  });
  await until(
    `${server.url} is ready`,
    async () => {
      if (ended !== undefined) throw new Error(`it ended with ${ended}:\n${server.output()}`);
      return (await fetch(`${server.url}/readyz`).catch(() => undefined))?.status === 200;
    },
    60_000,
  );
}

import { createConnection, createServer, type Socket } from "node:net";

/** A TCP proxy to a real store that can be cut and mended: how a test takes a dependency away. */
export interface CuttableProxy extends AsyncDisposable {
  /** The given URL with this proxy's address in it. */
  readonly url: string;
  /** Drops all connections and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

export async function startProxy(target: string): Promise<CuttableProxy> {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = createConnection(Number(to.port), to.hostname);
    for (const [from, into] of [[incoming, outgoing], [outgoing, incoming]] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        into.destroy();
      });
      from.pipe(into);
    }
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const { port } = address;
  const url = new URL(target);
  url.host = `127.0.0.1:${port}`;

  const cut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { url: url.href, cut, mend: () => listen(port), [Symbol.asyncDispose]: cut };
}

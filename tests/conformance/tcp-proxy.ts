import { connect, createServer, type Socket } from "node:net";

/** Stands between a client and a real server, and fails as networks do. */
export interface TcpProxy {
  readonly port: number;
  /** Closes what is open; new connections are let through. */
  cut(): void;
  /** What is open stays open, but nothing passes any more, for good; new connections are let through. */
  freeze(): void;
  /** Closes what is open and refuses what comes. */
  refuse(): Promise<void>;
}

export async function openTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => undefined);
      socket.on("close", () => closePair(pair));
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => client.write(chunk));
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });

  return {
    port,
    cut: () => pairs.forEach(closePair),
    freeze: () => {
      for (const pair of pairs) for (const socket of pair) socket.removeAllListeners("data").pause();
    },
    refuse: async () => {
      pairs.forEach(closePair);
      await new Promise((resolve) => server.close(resolve));
    },
  };

  function closePair(pair: readonly [Socket, Socket]): void {
    if (!pairs.delete(pair)) return;
    for (const socket of pair) socket.destroy();
  }
}

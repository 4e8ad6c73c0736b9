import { connect, createServer, type Socket } from "node:net";

/** Stands between a client and a real server, and fails as networks do. */
export interface TcpProxy extends AsyncDisposable {
  /** The target's URL with the proxy's address in it. */
  readonly url: string;
  /** Closes what is open; new connections are let through. */
  cut(): void;
  /** What is open stays open, but nothing passes any more, for good; new connections are let through. */
  freeze(): void;
  /** Closes what is open and refuses what comes. */
  refuse(): Promise<void>;
  /** How many bytes the server has sent so far. */
  bytesBack(): number;
  /** Takes connections again, on the same port. */
  accept(): Promise<void>;
}

export async function openTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const pairs = new Set<readonly [Socket, Socket]>();
  let bytesBack = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => undefined);
      socket.on("close", () => closePair(pair));
    }
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => {
      bytesBack += chunk.length;
      client.write(chunk);
    });
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the proxy has no port");
  const url = new URL(targetUrl);
  url.host = `127.0.0.1:${address.port}`;
  const refuse = async () => {
    pairs.forEach(closePair);
    await new Promise((resolve) => server.close(resolve));
  };

  return {
    url: url.href,
    cut: () => pairs.forEach(closePair),
    freeze: () => {
      for (const pair of pairs) for (const socket of pair) socket.removeAllListeners("data").pause();
    },
    refuse,
    bytesBack: () => bytesBack,
    accept: () => listen(address.port),
    [Symbol.asyncDispose]: refuse,
  };

  function closePair(pair: readonly [Socket, Socket]): void {
    if (!pairs.delete(pair)) return;
    for (const socket of pair) socket.destroy();
  }
}

import { z } from "zod";
import { answerParent, argumentOf } from "./child.ts";
import { percentile } from "./harness.ts";

// Many clients of one event stream, each with a connection of its own, as cheap as they can be: what is measured is the server.
const { port, path, token } = argumentOf(z.object({ port: z.number(), path: z.string(), token: z.string() }));
const head = `GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\naccept: text/event-stream\r\n\r\n`;
const mark = /"sentAt":(\d+(?:\.\d+)?)/g;
const epochMs = () => performance.timeOrigin + performance.now();

let listening = 0;
let lost = 0;
let waits: number[] = [];

function lose(): void {
  lost += 1;
}

async function connect(): Promise<void> {
  const open = Promise.withResolvers<void>();
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => void socket.write(head),
      data: (_, chunk) => {
        const text = chunk.toString("latin1");
        if (text.includes("retry:")) {
          listening += 1;
          open.resolve();
        }
        const now = epochMs();
        for (const [, sentAt] of text.matchAll(mark)) waits.push(now - Number(sentAt));
      },
      close: lose,
      error: lose,
    },
  });
  await open.promise;
}

answerParent({
  open: async (input) => {
    const { clients } = z.object({ clients: z.number() }).parse(input);
    for (let opened = 0; opened < clients; opened += 100)
      await Promise.all(Array.from({ length: Math.min(100, clients - opened) }, connect));
    return { listening, lost };
  },
  forget: () => {
    waits = [];
    return {};
  },
  /** What has come since `forget`; milliseconds from the publisher's clock to the arrival. */
  seen: () => {
    const sorted = waits.toSorted((a, b) => a - b);
    return { received: sorted.length, lost, p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) };
  },
});

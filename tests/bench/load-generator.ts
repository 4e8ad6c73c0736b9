import type { Socket } from "bun";
import { percentile } from "./harness.ts";
import type { Load, LoadReport } from "./load.ts";

// Where wrk is missing, or can't do it: each connection sends its next request when the last one is answered, or when one is due.

interface Connection {
  /** What has arrived of the answer; one byte is one character. */
  text: string;
  sentAt: number;
}

const load: Load = JSON.parse(process.argv[2] ?? "{}");
const url = new URL(load.url);
const lines = Object.entries(load.headers).map(([name, value]) => `${name}: ${value}\r\n`);
const { body = "" } = load;
if (load.body !== undefined) lines.push("content-type: application/json\r\n", `content-length: ${Buffer.byteLength(body)}\r\n`);
const method = load.body === undefined ? "GET" : "POST";
const request = `${method} ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n${lines.join("")}\r\n${body}`;
const latenciesMs: number[] = [];
/** At a rate: connections with nothing to do, and when the requests came that found none. */
const free: Socket<Connection>[] = [];
const dueAt: number[] = [];
let failed = 0;

const startedAt = performance.now();
const endsAt = startedAt + load.seconds * 1_000;
const sockets = await Promise.all(Array.from({ length: load.connections }, connect));
if (load.perSecond === undefined) await Bun.sleep(endsAt - performance.now());
else await sendAtRate(load.perSecond);
const seconds = (performance.now() - startedAt) / 1_000;
for (const socket of sockets) socket.end();

const sorted = Float64Array.from(latenciesMs).toSorted();
const report: LoadReport = {
  requests: sorted.length,
  seconds,
  failed,
  p50Ms: percentile(sorted, 0.5),
  p95Ms: percentile(sorted, 0.95),
  p99Ms: percentile(sorted, 0.99),
};
process.stdout.write(`REPORT ${JSON.stringify(report)}\n`);
process.exit(0);

function connect(): Promise<Socket<Connection>> {
  return Bun.connect<Connection>({
    hostname: url.hostname,
    port: Number(url.port),
    data: { text: "", sentAt: 0 },
    socket: {
      open: (socket) => {
        if (load.perSecond === undefined) send(socket, performance.now());
        else free.push(socket);
      },
      data: (socket, chunk) => {
        socket.data.text += chunk.toString("latin1");
        if (isWhole(socket.data.text)) next(socket);
      },
      error: () => {
        failed += 1;
      },
    },
  });
}

function send(socket: Socket<Connection>, sentAt: number): void {
  socket.data.text = "";
  socket.data.sentAt = sentAt;
  socket.write(request);
}

function next(socket: Socket<Connection>): void {
  const now = performance.now();
  latenciesMs.push(now - socket.data.sentAt);
  if (!socket.data.text.startsWith("HTTP/1.1 2")) failed += 1;
  const due = dueAt.shift();
  if (due !== undefined) send(socket, due);
  else if (load.perSecond !== undefined) free.push(socket);
  else if (now < endsAt) send(socket, now);
}

/** Until the last one is answered. */
async function sendAtRate(perSecond: number): Promise<void> {
  const count = Math.ceil(perSecond * load.seconds);
  for (let sent = 0; latenciesMs.length < count; ) {
    await Bun.sleep(1);
    const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond));
    for (; sent < due; sent += 1) arrive();
  }
}

function arrive(): void {
  const socket = free.shift();
  if (socket) send(socket, performance.now());
  else dueAt.push(performance.now());
}

function isWhole(text: string): boolean {
  const bodyAt = text.indexOf("\r\n\r\n") + 4;
  if (bodyAt < 4) return false;
  const length = /^content-length: (?<bytes>\d+)/im.exec(text)?.groups?.bytes;
  if (length === undefined) throw new Error("the answer does not tell its length");
  return text.length >= bodyAt + Number(length);
}

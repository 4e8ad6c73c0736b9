import { Webhook } from "standardwebhooks";

export interface Received {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  /** The CloudEvent, or the batch of them. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of any shape, and their assertions are the check
  readonly json: any;
  readonly at: number;
}

export type Respond = (received: Received) => Response | number | Promise<Response | number>;

/** A subscriber on loopback that keeps what it gets; without `respond` it takes everything. */
export function startReceiver(respond: Respond = () => 204) {
  const received: Received[] = [];
  let running = 0;
  let most = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      running += 1;
      most = Math.max(most, running);
      const body = await request.text();
      const one = {
        path: new URL(request.url).pathname,
        headers: Object.fromEntries(request.headers),
        body,
        json: JSON.parse(body),
        at: performance.now(),
      };
      received.push(one);
      const answer = await respond(one);
      running -= 1;
      return typeof answer === "number" ? new Response(null, { status: answer }) : answer;
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    received,
    /** Of all events that came, in the order of the requests. */
    events: () => received.flatMap(({ json }) => (Array.isArray(json) ? json : [json])),
    most: () => most,
    verify: ({ body, headers }: Received, secret: string) => new Webhook(secret).verify(body, headers),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

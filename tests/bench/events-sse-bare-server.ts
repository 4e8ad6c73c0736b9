// The least that can be done: one frame, made once, written to every connection that is open.
const clients = new Set<ReadableStreamDefaultController<Uint8Array>>();
const encoder = new TextEncoder();
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  fetch: async (request) => {
    if (request.method === "POST") {
      const frame = encoder.encode(`id: 1-0\nevent: message\ndata: ${await request.text()}\n\n`);
      for (const client of clients) client.enqueue(frame);
      return new Response(null, { status: 202 });
    }
    let own: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        clients.add(controller);
        controller.enqueue(encoder.encode("retry: 2000\n\n"));
      },
      cancel: () => void (own && clients.delete(own)),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  },
});
process.send?.({ port: server.port });

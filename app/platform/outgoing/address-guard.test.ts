import { describe, expect, test } from "bun:test";
import type { lookup } from "node:dns";
import { createAddressGuard, ForbiddenAddress, parseNetwork } from "./address-guard.ts";
import { post } from "./post.ts";

/** A resolver that gives these answers, one after the other. */
function resolver(...answers: readonly (readonly string[])[]) {
  let asked = 0;
  const resolve = ((_host: string, _options: unknown, done: (error: null, found: { address: string; family: number }[]) => void) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  }) as unknown as typeof lookup;
  return { resolve, asked: () => asked };
}

describe("addresses", () => {
  test.each([
    ["8.8.8.8", true],
    ["2606:4700:4700::1111", true],
    ["127.0.0.1", false],
    ["10.1.2.3", false],
    ["172.16.0.1", false],
    ["192.168.1.1", false],
    ["169.254.169.254", false],
    ["100.64.0.1", false],
    ["0.0.0.0", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["192.0.2.1", false],
    ["::1", false],
    ["::", false],
    ["fe80::1", false],
    ["fd12::1", false],
    ["ff02::1", false],
    ["::ffff:127.0.0.1", false],
    ["::ffff:8.8.8.8", true],
    ["64:ff9b::7f00:1", false],
    ["2002:7f00:1::", false],
    ["example.com", false],
    ["", false],
  ])("%p: %p", (address, allowed) => expect(createAddressGuard([]).allows(address)).toBe(allowed));

  test("networks can be allowed", () => {
    const guard = createAddressGuard(["10.0.0.0/8", "fd00::/8"].map(parseNetwork));
    expect(["10.9.9.9", "fd00::7", "11.0.0.1", "192.168.0.1", "::ffff:10.0.0.1"].map(guard.allows)).toEqual([
      true,
      true,
      true,
      false,
      true,
    ]);
  });

  test.each(["10.0.0.0/33", "x", "10.0.0/8x", ""])("%p is no network", (text) => expect(() => parseNetwork(text)).toThrow());
});

describe("a connection", () => {
  const server = () => {
    let hits = 0;
    const running = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(`hit ${++hits}`, { headers: { "x-seen": "yes" } }),
    });
    return { port: running.port, hits: () => hits, [Symbol.asyncDispose]: () => running.stop(true) };
  };
  const send = (url: string, guard: ReturnType<typeof createAddressGuard>) =>
    post({ url, headers: { "content-type": "text/plain" }, body: "hello", signal: AbortSignal.timeout(3_000) }, guard);

  test("the address is looked at when it is made, not when the name was first looked up", async () => {
    await using target = server();
    const { resolve, asked } = resolver(["8.8.8.8"], ["127.0.0.1"]);
    const guard = createAddressGuard([], resolve);
    expect(await guard.forbidden("rebind.example.test")).toEqual([]);
    await expect(send(`http://rebind.example.test:${target.port}/`, guard)).rejects.toThrow(ForbiddenAddress);
    expect([asked(), target.hits()]).toEqual([2, 0]);
  });

  test("each request looks anew, also after one that was allowed", async () => {
    await using target = server();
    const { resolve } = resolver(["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]);
    const guard = createAddressGuard(["127.0.0.1/32"], resolve);
    for (const hit of [1, 2])
      expect(await send(`http://flip.example.test:${target.port}/`, guard)).toMatchObject({ status: 200, excerpt: `hit ${hit}` });
    await expect(send(`http://flip.example.test:${target.port}/`, guard)).rejects.toThrow(ForbiddenAddress);
    expect(target.hits()).toBe(2);
  });

  test("of several addresses only those that are allowed are tried", async () => {
    await using target = server();
    const guard = createAddressGuard(["127.0.0.1/32"], resolver(["10.0.0.1", "127.0.0.1"]).resolve);
    expect((await send(`http://two.example.test:${target.port}/`, guard)).status).toBe(200);
  });

  test.each(["127.0.0.1", "[::1]", "0", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"])("a literal in the URL: %s", async (host) => {
    await using target = server();
    await expect(send(`http://${host}:${target.port}/`, createAddressGuard([]))).rejects.toThrow(ForbiddenAddress);
    expect(target.hits()).toBe(0);
  });

  test("no more of an answer is read than its beginning, and none is waited for without end", async () => {
    const endless = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => {
        if (request.url.endsWith("/silent")) return new Promise<Response>(() => undefined);
        const pull = (controller: ReadableStreamDefaultController) => controller.enqueue(new Uint8Array(65_536).fill(97));
        return new Response(new ReadableStream({ pull }));
      },
    });
    const guard = createAddressGuard(["127.0.0.1/32"]);
    const answer = await send(`http://127.0.0.1:${endless.port}/`, guard);
    expect(answer.excerpt).toHaveLength(1_024);
    const signal = AbortSignal.timeout(100);
    await expect(post({ url: `http://127.0.0.1:${endless.port}/silent`, headers: {}, body: "", signal }, guard)).rejects.toThrow();
    await endless.stop(true);
  });
});

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { evaluateInBoth, showInGuest } from "./both.ts";
import { request, run, testEngine } from "./programs.ts";

type Row = [name: string, code: string];

async function expectSame(code: string): Promise<void> {
  const { guest, bun } = await evaluateInBoth(code);
  expect(guest).toBe(bun);
}

describe("atob and btoa, as in Bun", () => {
  const rows: Row[] = [
    ["btoa of nothing", "btoa('')"],
    ["btoa of one", "btoa('a')"],
    ["btoa of two", "btoa('ab')"],
    ["btoa of three", "btoa('abc')"],
    ["btoa of NUL", "btoa('\\0\\0')"],
    ["btoa of every byte", "btoa(Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join(''))"],
    ["btoa beyond a byte", "btoa('\\u0100')"],
    ["btoa of a surrogate", "btoa('\\ud800')"],
    ["btoa of null", "btoa(null)"],
    ["btoa of undefined", "btoa(undefined)"],
    ["btoa of an object", "btoa({ toString: () => 'x' })"],
    ["btoa of a symbol", "btoa(Symbol('s'))"],
    ["btoa without argument", "btoa()"],
    ["atob without argument", "atob()"],
    ["atob of nothing", "atob('')"],
    ["atob of white space", "atob(' \\t\\n\\f\\r')"],
    ["atob of a vertical tab", "atob('YQ\\v==')"],
    ["atob of a no-break space", "atob('YQ\\u00a0==')"],
    ["atob of null", "atob(null)"],
    ["atob of undefined", "atob(undefined)"],
    ["atob of 4096 and more", "atob(btoa('0123456789'.repeat(2000))).length"],
    [
      "the error",
      "(() => { try { atob('*') } catch (e) { return [e instanceof DOMException, e instanceof Error, e.name, e.code, String(e)] } })()",
    ],
  ];
  const inputs = [
    "Y",
    "Y=",
    "Y==",
    "Y===",
    "YQ",
    "YQ=",
    "YQ==",
    "YQ===",
    "YWI",
    "YWI=",
    "YWI==",
    "YWJj",
    "YWJj=",
    "YWJj==",
    "YWJjZ",
    "YW=j",
  ];
  inputs.push(
    "=",
    "==",
    "===",
    "====",
    "=YQ=",
    "Y Q = =",
    "YQ==YQ==",
    "/+//",
    "_-__",
    "YR==",
    "YWJ=",
    "YQ==\\0",
    "Y\\u00e9==",
    "YW Jj\\n",
    "\\ud83d\\ude00",
  );
  rows.push(...inputs.map((input): Row => [`atob(${JSON.stringify(input)})`, `atob("${input}")`]));
  test.each(rows)("%s", async (_name, code) => expectSame(code));
});

describe("TextEncoder and TextDecoder, as in Bun", () => {
  const decode = (bytes: string, options = "{}"): string => `new TextDecoder('utf-8', ${options}).decode(new Uint8Array([${bytes}]))`;
  const rows: Row[] = [
    ["encodes nothing", "new TextEncoder().encode()"],
    ["encodes undefined", "new TextEncoder().encode(undefined)"],
    ["encodes null", "new TextEncoder().encode(null)"],
    ["encodes ASCII and NUL", "new TextEncoder().encode('a\\0z\\x7f')"],
    ["encodes every size", "new TextEncoder().encode('\\x80\\u07ff\\u0800\\uffff\\u{10000}\\u{10ffff}')"],
    ["encodes lone surrogates", "new TextEncoder().encode('\\ud800a\\udc00\\udc00\\ud800\\ud800')"],
    ["encodes a BOM", "new TextEncoder().encode('\\ufeffa')"],
    ["encodes a symbol", "new TextEncoder().encode(Symbol())"],
    ["encoding", "[new TextEncoder().encoding, new TextDecoder().encoding, new TextDecoder(' UTF8\\n').encoding]"],
    ["encodeInto that fits", "(() => { const b = new Uint8Array(4); return [new TextEncoder().encodeInto('aé', b), b] })()"],
    ["encodeInto that does not", "(() => { const b = new Uint8Array(4); return [new TextEncoder().encodeInto('aé😀', b), b] })()"],
    ["encodeInto a pair, units", "(() => { const b = new Uint8Array(9); return [new TextEncoder().encodeInto('😀\\ud800x', b), b] })()"],
    ["encodeInto of nothing", "new TextEncoder().encodeInto('a', new Uint8Array(0))"],
    ["encodeInto an array", "new TextEncoder().encodeInto('a', [])"],
    ["tags", "[TextEncoder, TextDecoder].map((C) => [Object.prototype.toString.call(new C()), C.name, C.length])"],
    ["called without new", "TextEncoder()"],
    ["fatal and ignoreBOM", "(({ fatal, ignoreBOM }) => [fatal, ignoreBOM])(new TextDecoder('utf-8', { fatal: 1, ignoreBOM: 'x' }))"],
    ["decodes nothing", "new TextDecoder().decode()"],
    ["decodes an ArrayBuffer", "new TextDecoder().decode(new Uint8Array([97, 98]).buffer)"],
    ["decodes a part", "new TextDecoder().decode(new Uint8Array([97, 98, 99]).subarray(1, 2))"],
    ["decodes a DataView", "new TextDecoder().decode(new DataView(new Uint8Array([97, 98, 99]).buffer, 1))"],
    ["decodes wider units", "new TextDecoder().decode(new Uint16Array([0x6261]))"],
    ["decodes a string", "new TextDecoder().decode('a')"],
    ["an unknown label", "new TextDecoder('utf-9')"],
    ["a BOM", decode("0xef, 0xbb, 0xbf, 97")],
    ["two BOMs", decode("0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf")],
    ["a BOM kept", decode("0xef, 0xbb, 0xbf, 97", "{ ignoreBOM: true }")],
    ["a late BOM", decode("97, 0xef, 0xbb, 0xbf")],
    ["half a BOM", decode("0xef, 0xbb")],
    ["long ASCII", "new TextDecoder().decode(new Uint8Array(10_000).fill(97)).length"],
    ["long other", "new TextDecoder().decode(new TextEncoder().encode('a€😀'.repeat(3_000))) === 'a€😀'.repeat(3_000)"],
    ["used twice", "((d) => [d.decode(new Uint8Array([0xe2])), d.decode(new Uint8Array([0x82, 97]))])(new TextDecoder())"],
    [
      "used after a fatal error",
      "((d) => { try { d.decode(new Uint8Array([255])) } catch {} return d.decode(new Uint8Array([97])) })(new TextDecoder('utf-8', { fatal: true }))",
    ],
  ];
  const sequences = ["0x80", "0xbf", "0xc0, 0x80", "0xc1, 0xbf", "0xc2", "0xc2, 0x80", "0xc2, 97", "0xdf, 0xbf", "0xe0, 0x80, 0x80"];
  sequences.push(
    "0xe0, 0x9f, 0xbf",
    "0xe0, 0xa0, 0x80",
    "0xe2, 0x82",
    "0xe2, 0x82, 97",
    "0xe2, 0x82, 0xe2, 0x82, 0xac",
    "0xed, 0x9f, 0xbf",
  );
  sequences.push(
    "0xed, 0xa0, 0x80",
    "0xed, 0xbf, 0xbf",
    "0xee, 0x80, 0x80",
    "0xef, 0xbf, 0xbe",
    "0xf0, 0x80, 0x80, 0x80",
    "0xf0, 0x8f, 0xbf, 0xbf",
  );
  sequences.push(
    "0xf0, 0x90, 0x80, 0x80",
    "0xf0, 0x9f, 0x98",
    "0xf0, 0x9f, 0x98, 97",
    "0xf0, 0x9f, 0xf0, 0x9f, 0x98, 0x80",
    "0xf4, 0x8f, 0xbf, 0xbf",
  );
  sequences.push(
    "0xf4, 0x90, 0x80, 0x80",
    "0xf5, 0x80, 0x80, 0x80",
    "0xf8, 0x88, 0x80, 0x80, 0x80",
    "0xfc",
    "0xfe",
    "0xff",
    "0, 0xff, 0, 0x7f",
    "97, 0xe2",
  );
  for (const bytes of sequences)
    rows.push([`decodes ${bytes}`, decode(bytes)], [`decodes ${bytes}, fatal`, decode(bytes, "{ fatal: true }")]);
  const stream = (pieces: string, options = "{}"): string =>
    `((d) => [...${pieces}.map((p) => d.decode(new Uint8Array(p), { stream: true })), d.decode()])(new TextDecoder('utf-8', ${options}))`;
  rows.push(
    ["a stream of single bytes", stream("[[0xf0], [0x9f], [0x98], [0x80], [97]]")],
    ["a stream that ends too soon", stream("[[97, 0xe2], [0x82]]")],
    ["a stream that goes wrong", stream("[[0xe2], [0x82], [97]]")],
    ["a stream with a BOM in pieces", stream("[[0xef], [0xbb], [0xbf], [97], [0xef, 0xbb, 0xbf]]")],
    ["a stream with a BOM kept", stream("[[0xef, 0xbb], [0xbf, 97]]", "{ ignoreBOM: true }")],
    ["a stream with empty pieces", stream("[[], [0xe2], [], [0x82, 0xac], []]")],
    ["a fatal stream that ends too soon", stream("[[97, 0xe2]]", "{ fatal: true }")],
  );
  test.each(rows)("%s", async (_name, code) => expectSame(code));

  test("a label of another encoding, which Bun has and a guest has not", async () => {
    expect(await showInGuest("new TextDecoder('utf-16le')")).toBe("throws RangeError");
  });
});

describe("whatever the text", () => {
  const inGuest = async (code: string, input: unknown): Promise<unknown> => (await run(code, { input })).output;
  const texts = fc.array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme" }),
      fc.array(fc.nat(0xffff)).map((u) => String.fromCharCode(...u)),
    ),
  );
  const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => [...array]);

  test("btoa and atob", async () => {
    const binary = fc.array(fc.uint8Array()).map((arrays) => arrays.map((array) => String.fromCharCode(...array)));
    await fc.assert(
      fc.asyncProperty(binary, async (input) => {
        const encoded = input.map((text) => btoa(text));
        expect(await inGuest("[input.map((text) => btoa(text)), input.map((text) => atob(btoa(text)))]", input)).toEqual([encoded, input]);
      }),
    );
  });

  test("TextEncoder and TextDecoder", async () => {
    await fc.assert(
      fc.asyncProperty(texts, async (input) => {
        const encoded = input.map((text) => [...new TextEncoder().encode(text)]);
        const code =
          "input.map((text) => new TextEncoder().encode(text)).map((b) => [[...b], new TextDecoder('utf-8', { ignoreBOM: true }).decode(b)])";
        expect(await inGuest(code, input)).toEqual(encoded.map((array, index) => [array, input[index]?.toWellFormed()]));
      }),
    );
  });

  test("TextDecoder, of any bytes in any pieces", async () => {
    const starts = fc.constantFrom([0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xed, 0xa0], [0xef, 0xbb, 0xbf], [0xc2], [0xf4, 0x90], [0x80]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(bytes, starts)), async (input) => {
        const decoder = new TextDecoder();
        const expected = [...input.map((piece) => decoder.decode(new Uint8Array(piece), { stream: true })), decoder.decode()];
        const code = "const d = new TextDecoder(); [...input.map((p) => d.decode(new Uint8Array(p), { stream: true })), d.decode()]";
        expect((await inGuest(code, input)) as string[]).toEqual(expected);
      }),
    );
  });

  test("URLSearchParams", async () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[+%&=;?#a0-9A-F ]*$/));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text)), text, async (pairs, query) => {
        const parsed = new URLSearchParams(query);
        const expected = [new URLSearchParams(pairs).toString(), [...parsed], parsed.toString()];
        const code = "const p = new URLSearchParams(input[1]); [new URLSearchParams(input[0]).toString(), [...p], p.toString()]";
        expect(await inGuest(code, [pairs, query])).toEqual(expected);
      }),
    );
  });
});

describe("what is exposed", () => {
  const names = ["DOMException", "TextEncoder", "TextDecoder", "atob", "btoa", "URL", "URLSearchParams", "structuredClone"];

  test("these globals after the language's own, none enumerable, all replaceable", async () => {
    const code = `const g = globalThis; ${JSON.stringify(names)}.map((n) => Object.getOwnPropertyDescriptor(g, n)).map((d) => [typeof d.value, d.enumerable, d.writable, d.configurable])`;
    expect((await run(code)).output).toEqual(names.map(() => ["function", false, true, true]));
    const own = (await run("Object.getOwnPropertyNames(globalThis)")).output as string[];
    expect(own.slice(own.indexOf("output"))).toEqual(["output", "console", ...names, "input"]);
    expect((await run("const URL = 1; structuredClone = 2; [URL, structuredClone, Object.keys(globalThis)]")).output).toEqual([1, 2, []]);
  });

  test("not the host's function, whatever the program replaces", async () => {
    const code = `
      const caught = new Set();
      const spied = [Function, Array, String, Object, Map, RegExp, Iterator, Uint8Array].map((C) => C.prototype).concat(JSON, Reflect, Object, Array);
      const { ownKeys, getOwnPropertyDescriptor, defineProperty, apply } = Reflect;
      const seen = new Set();
      for (const owner of spied) for (const key of ownKeys(owner)) {
        const { value, configurable } = getOwnPropertyDescriptor(owner, key);
        if (typeof value !== "function" || !configurable || key === "constructor" || seen.has(value)) continue;
        const spy = function (...args) {
          for (let i = -1; i < args.length; i++) { const a = i < 0 ? this : args[i]; if (typeof a === "function") apply(Set.prototype.add, caught, [a]); }
          return apply(value, this, args);
        };
        seen.add(spy);
        defineProperty(owner, key, { value: spy, writable: true, configurable: true });
      }
      const u = new URL("http://a/?b=c"); u.searchParams.append("d", "e"); u.hash = "f"; structuredClone({ a: [1] }); btoa(atob("YQ=="));
      let leaks = 0;
      for (const f of caught) try { if (apply(f, undefined, ['{"op":"parse","url":"http://a/"}']).includes("origin")) leaks++; } catch {}
      [caught.size > 0, leaks]`;
    expect((await run(code)).output).toEqual([true, 0]);
  });

  // Without the room that url.guest.js asks for first, the binding writes the answer over the engine's own data.
  test("the host's answer finds room or is not given", async () => {
    const engine = testEngine();
    const before = (await engine.execute(request("1 + 1"))).outcome.receipt.memoryBytesPeak;
    for (const bytes of [65_536, 32_768, 16_384, 8_192, 4_096]) {
      for (const chars of [500, 1_500, 3_000]) {
        const fill = `const s = 'http://a/' + 'é'.repeat(${chars}), a = []; try { for (;;) a.push(new Uint8Array(${bytes})) } catch {}`;
        const { outcome, spoiled } = await engine.execute(
          request(`${fill}; try { new URL(s).href.length } catch (e) { a.length = 0; e && e.message }`),
        );
        expect(spoiled).toBeUndefined();
        expect(["succeeded", "failed", "out_of_memory"]).toContain(outcome.status);
        if (outcome.status === "succeeded") expect([null, "out of memory", chars * 6 + 9]).toContain(outcome.output as null);
        const { output, receipt } = (await engine.execute(request("1 + 1"))).outcome;
        expect([output, receipt.memoryBytesPeak]).toEqual([2, before]);
      }
    }
  });
});

import { describe, expect, test } from "bun:test";
import { evaluateInBoth, showInGuest } from "./both.ts";

type Row = [name: string, code: string];

const keys = "['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']";

async function expectSame(code: string): Promise<void> {
  const { guest, bun } = await evaluateInBoth(code);
  expect(guest).toBe(bun);
}

describe("URLs parse as in Bun", () => {
  const urls: [url: string, base?: string][] = [
    ["http://user:pa%20ss@Example.COM:8080/a/./b/../c?d=e#f"],
    ["http://example.com"],
    ["HTTP://example.com:80/"],
    ["https://example.com:443"],
    ["https://example.com:65536"],
    ["https://example.com:0"],
    ["  https://example.com/\t\n "],
    ["https://exa\tmple.com/a\nb"],
    ["https:example.com"],
    ["https:\\\\example.com\\a"],
    ['https://example.com/a b"<>`{}|^\'?a b"<>\'`#a b"<>`'],
    ["https://example.com/%zz%41%c3"],
    ["https://example.com/\0a?\0#\0"],
    ["https://example.com/\ud800?\udc00#\ud83d\ude00"],
    ["https://example.com/é?é#é"],
    ["https://example.com/?"],
    ["https://example.com/#"],
    ["https://:@example.com"],
    ["https://u@example.com"],
    ["https://:p@example.com"],
    ["https://a@b@example.com"],
    ["https://example.com//a//b"],
    ["https://example.com/.%2e/%2E%2e/a"],
    ["https://münchen.de/ß"],
    ["https://faß.de"],
    ["https://ＧＯ.com"],
    ["https://日本語。jp"],
    ["https://xn--mnchen-3ya.de"],
    ["https://xn--a"],
    ["https://a\u00adb.com"],
    ["https://☃.net"],
    ["https://ex%41mple.com"],
    ["https://ex%00mple.com"],
    ["https://ex ample.com"],
    ["https://a..b/"],
    ["https://a_b-.com"],
    ["https://127.1"],
    ["https://0x7f.0.0.1"],
    ["https://0177.0.0.01"],
    ["https://2130706433"],
    ["https://4294967296"],
    ["https://256.1.1.1"],
    ["https://1.2.3.4.5"],
    ["https://1.2.3.4."],
    ["https://1.2.3.09"],
    ["https://[::1]:3000"],
    ["https://[2001:DB8:0:0:1:0:0:1]"],
    ["https://[::ffff:1.2.3.4]"],
    ["https://[1::2::3]"],
    ["https://[fe80::1%25eth0]"],
    ["https://[::1"],
    ["https://[]"],
    ["https://"],
    ["https:///a"],
    ["file:///C:/a/../.."],
    ["file:///C|/a"],
    ["file://localhost/a"],
    ["file://host/a"],
    ["file:a", "file:///b/c"],
    ["data:text/plain,hello world?a#b"],
    ["data:x  "],
    ["data:x  #h"],
    ["mailto:a@b.c"],
    ["javascript:alert(1)"],
    ["blob:https://example.com/uuid"],
    ["foo://HOST/%41 a"],
    ["foo://h st/"],
    ["foo:/.//a"],
    ["foo:///a"],
    ["ws://example.com:80"],
    ["wss://example.com:443"],
    ["ftp://example.com:21/"],
    [""],
    ["a"],
    ["//a"],
    ["1http://a"],
    ["", "http://a/b?c#d"],
    ["#x", "http://a/b?c#d"],
    ["?x", "http://a/b?c#d"],
    ["x", "http://a/b/c?d#e"],
    ["./../../x", "http://a/b/c/d"],
    ["/x", "http://a/b"],
    ["//x/y", "https://a/b"],
    ["\\x", "http://a/b"],
    ["http:x", "http://a/b/c"],
    ["http:x", "https://a/b/c"],
    ["x", "mailto:y"],
    ["#x", "mailto:y"],
    ["x", "nonsense"],
    ["http://a", "nonsense"],
  ];
  const rows = urls.map((given): Row => [given.map((text) => JSON.stringify(text)).join(" on "), JSON.stringify(given).slice(1, -1)]);
  test.each(rows)("%s", async (_name, given) => {
    await expectSame(`((u) => ${keys}.map((k) => u[k]))(new URL(${given}))`);
    await expectSame(`[URL.canParse(${given}), URL.parse(${given})]`);
  });
});

describe("URL setters, as in Bun", () => {
  const starts = [
    "http://u:p@example.com:8080/a/b?c=d#e",
    "https://example.com/",
    "file:///a/b",
    "mailto:x@y",
    "foo://h:1/a",
    "data:x  ?q",
  ];
  const values: Record<string, string[]> = {
    protocol: ["https", "https:x", "ftp", "foo", "file", "1a", ""],
    username: ["", "a:b@c/é", "\0"],
    password: ["", "a:b@c"],
    host: ["a.b:99", "a.b", "a b", "", "[::1]:8", "1.1", "x:port", "a/b", "é.com:443"],
    hostname: ["a.b", "a.b:99", "", "[::1]", "é"],
    port: ["", "81", "443", "8a", "a", "65536", "-1", " 9", "1\n2"],
    pathname: ["", "x y", "/a/../b", "\\a", "?#", "//x", "é\ud800"],
    search: ["", "?", "?a b", "a=é", "#", "??x"],
    hash: ["", "#", "#a b", "é", "##", "\0"],
    href: ["https://x/", "nonsense", "", "foo:bar", " https://y "],
  };
  const rows = Object.entries(values).flatMap(([key, each]) => each.map((value): [string, string] => [key, value]));
  test.each(rows)("%s = %j", async (key, value) => {
    for (const start of starts) {
      const set = `u[${JSON.stringify(key)}] = ${JSON.stringify(value)}`;
      await expectSame(
        `((u) => { u.searchParams; ${set}; return [...${keys}.map((k) => u[k]), [...u.searchParams]] })(new URL("${start}"))`,
      );
    }
  });
});

describe("URL and its query, as in Bun", () => {
  const rows: Row[] = [
    [
      "the same searchParams each time",
      "((u) => [u.searchParams === u.searchParams, u.searchParams.constructor.name])(new URL('http://a/?b'))",
    ],
    ["append", "((u) => { u.searchParams.append('é &=+', '😀~!'); return [u, u.search] })(new URL('http://a/?b=c d#e'))"],
    ["delete of the last", "((u) => { u.searchParams.delete('b'); return u.href })(new URL('http://a/?b#e'))"],
    ["delete of none", "((u) => { u.searchParams.delete('x'); return u.href })(new URL('http://a/?b=%20#e'))"],
    ["set and sort", "((u) => { u.searchParams.set('b', 1); u.searchParams.sort(); return u.href })(new URL('http://a/?z&b&b=2&a'))"],
    [
      "search changes the params",
      "((u) => { const p = u.searchParams; u.search = '?x=1&y'; return [[...p], p.size] })(new URL('http://a/?b'))",
    ],
    ["href changes the params", "((u) => { const p = u.searchParams; u.href = 'http://b/?z=9'; return [...p] })(new URL('http://a/?b'))"],
    [
      "another setter leaves them",
      "((u) => { const p = u.searchParams; u.hash = 'x'; return [[...p], u.href] })(new URL('http://a/?b= c'))",
    ],
    [
      "a failed href leaves all",
      "((u) => { const p = u.searchParams; try { u.href = 'x' } catch {} return [[...p], u.href] })(new URL('http://a/?b'))",
    ],
    ["searchParams is read-only", "((u) => { u.searchParams = 1; return [...u.searchParams] })(new URL('http://a/?b'))"],
    ["origin is read-only", "((u) => { u.origin = 'x'; return u.origin })(new URL('http://a/?b'))"],
    ["on an opaque path", "((u) => { u.searchParams.append('a', 'b'); return u.href })(new URL('data:x'))"],
    [
      "while iterating",
      "((u) => { const r = []; for (const [k] of u.searchParams) { r.push(k); u.searchParams.delete(k) } return [r, u.href] })(new URL('http://a/?a&b&c'))",
    ],
    ["texts", "((u) => [String(u), u.toString(), u.toJSON(), JSON.stringify({ u }), u + ''])(new URL('http://a'))"],
    ["tags", "[new URL('a:b'), new URLSearchParams(), new URLSearchParams().keys()].map((o) => Object.prototype.toString.call(o))"],
    ["names and lengths", "[URL, URLSearchParams, URL.canParse, URL.parse].map((f) => [f.name, f.length])"],
    [
      "lengths of methods",
      "['append', 'delete', 'get', 'getAll', 'has', 'set', 'sort', 'forEach', 'entries'].map((n) => URLSearchParams.prototype[n])",
    ],
    ["a URL as URL and base", "[new URL(new URL('http://a/b')).href, new URL('c', new URL('http://a/b')).href]"],
    ["an undefined base", "new URL('http://a', undefined).href"],
    ["a null base", "new URL('http://a', null)"],
    ["an object", "new URL({ toString: () => 'http://o' }).href"],
    ["a symbol", "new URL(Symbol())"],
    ["nothing", "new URL()"],
    ["canParse of nothing", "URL.canParse()"],
    ["parse of nonsense", "URL.parse('x')"],
    ["called without new", "URL('http://a')"],
    ["a getter of something else", "Object.getOwnPropertyDescriptor(URL.prototype, 'href').get.call({})"],
    ["a subclass", "new (class extends URL { get x() { return this.host } })('http://a:1').x"],
    ["instanceof", "[new URL('a:b') instanceof URL, URL.parse('a:b') instanceof URL]"],
    ["the error", "(() => { try { new URL('x y') } catch (e) { return [e.message, e.code, e.input, e instanceof TypeError] } })()"],
    ["the error of href", "(() => { try { new URL('a:b').href = 'x' } catch (e) { return [e.message, e.code, e.input] } })()"],
  ];
  test.each(rows)("%s", async (_name, code) => expectSame(code));
});

describe("URLSearchParams, as in Bun", () => {
  const params = (init: string): string => `((p) => [[...p], p.toString(), p.size])(new URLSearchParams(${init}))`;
  const inits = [
    "",
    "undefined",
    "null",
    "5",
    "''",
    "'?'",
    "'??a'",
    "'a'",
    "'=a'",
    "'a='",
    "'='",
    "'&&a&'",
    "'a=b=c'",
    "'a+b=c+d'",
    "'%2B=%20'",
  ];
  inits.push(
    "'a=%'",
    "'a=%4'",
    "'a=%zz'",
    "'%41%zz%42'",
    "'a=%e2%82%ac'",
    "'a=%e2%82'",
    "'a=%ff%41'",
    "'a=%ef%bb%bfb'",
    "'a=%00\\0'",
    "'é=😀'",
  );
  inits.push(
    "'a=\\ud800'",
    "'a=%ed%a0%80'",
    "'a=%f0%9f\\u0098%80'",
    "'a#b'",
    "'a;b'",
    '"!\'()~*-._ "',
    "{ a: 1, b: undefined, 'c d': 'é' }",
    "{}",
  );
  inits.push(
    "[]",
    "[['a', 'b'], ['a', 1]]",
    "[['a']]",
    "[['a', 'b', 'c']]",
    "['ab']",
    "[null]",
    "new Map([['a', 'b']])",
    "new URLSearchParams('a=1&b')",
  );
  inits.push(
    "new Set([['a', 'b']])",
    "[new Set(['a', 'b'])]",
    "{ [Symbol('s')]: 1 }",
    "{ get a() { return 'g' } }",
    "Object.create({ a: 1 })",
    "Symbol('s')",
  );
  inits.push(
    "(function* () { yield ['g', 'h'] })()",
    "['a', 'b'].entries()",
    "{ [Symbol.iterator]: 1 }",
    "() => 1",
    "new String('a=b')",
    "true",
  );
  const rows: Row[] = [
    ["get", "((p) => [p.get('a'), p.get('x'), p.get('b')])(new URLSearchParams('a=1&a=2&b'))"],
    ["getAll", "((p) => [p.getAll('a'), p.getAll('x')])(new URLSearchParams('a=1&a=2&b'))"],
    ["has", "((p) => [p.has('a'), p.has('x'), p.has('a', '2'), p.has('a', 3), p.has('a', undefined)])(new URLSearchParams('a=1&a=2&b'))"],
    ["set of one", "((p) => { p.set('a', 9); return String(p) })(new URLSearchParams('x&a=1&b&a=2'))"],
    ["set of none", "((p) => { p.set('n', null); return String(p) })(new URLSearchParams('x'))"],
    ["delete by name", "((p) => { p.delete('a'); return String(p) })(new URLSearchParams('x&a=1&b&a=2'))"],
    ["delete by value", "((p) => { p.delete('a', '2'); return String(p) })(new URLSearchParams('x&a=1&b&a=2'))"],
    ["delete of undefined", "((p) => { p.delete('a', undefined); return String(p) })(new URLSearchParams('x&a=1&a=undefined'))"],
    [
      "append of anything",
      "((p) => { p.append(null, undefined); p.append(1, {}); p.append('\\ud800', '\\udc00'); return [...p] })(new URLSearchParams())",
    ],
    ["sort is stable", "((p) => { p.sort(); return [...p] })(new URLSearchParams('b=1&a=1&b=0&a=0&=x'))"],
    ["sort by UTF-16 units", "((p) => { p.sort(); return [...p.keys()] })(new URLSearchParams('ﬃ&😀&é&a'))"],
    [
      "forEach",
      "((p) => { const r = []; p.forEach(function (v, k, o) { r.push([v, k, o === p, this.t]) }, { t: 1 }); return r })(new URLSearchParams('a=1&b=2'))",
    ],
    [
      "forEach while appending",
      "((p) => { const r = []; p.forEach((v, k) => { r.push(k); if (p.size < 4) p.append(k + 'x', v) }); return r })(new URLSearchParams('a&b'))",
    ],
    ["forEach of no function", "new URLSearchParams('a').forEach(1)"],
    ["forEach without argument", "new URLSearchParams('a').forEach()"],
    ["entries, keys, values", "((p) => [[...p.entries()], [...p.keys()], [...p.values()]])(new URLSearchParams('a=1&b=2'))"],
    ["the iterator itself", "((i) => [i[Symbol.iterator]() === i, i.next(), i.next(), i.next()])(new URLSearchParams('a=1').entries())"],
    ["iterator helpers", "[...new URLSearchParams('a=1&b=2').keys().map((k) => k + k)]"],
    ["Symbol.iterator is entries", "URLSearchParams.prototype[Symbol.iterator] === URLSearchParams.prototype.entries"],
    ["entries of something else", "URLSearchParams.prototype.entries.call({})"],
    ["size of something else", "Object.getOwnPropertyDescriptor(URLSearchParams.prototype, 'size').get.call({})"],
    ["append of one", "new URLSearchParams().append('a')"],
    ["set of one argument", "new URLSearchParams().set('a')"],
    ["get of nothing", "new URLSearchParams().get()"],
    ["called without new", "URLSearchParams('a')"],
    ["Object.fromEntries", "Object.fromEntries(new URLSearchParams('a=1&b=2'))"],
  ];
  rows.push(...inits.map((init): Row => [`new URLSearchParams(${init})`, params(init)]));
  test.each(rows)("%s", async (_name, code) => expectSame(code));

  test("of any length", async () => {
    expect(await showInGuest("new URLSearchParams({ a: 'x'.repeat(200_000) }).toString().length")).toBe("200002");
  });
});

describe("a URL's length", () => {
  const rows: [name: string, code: string, shown: string][] = [
    ["is bounded", "new URL('http://a/' + 'x'.repeat(65_536))", "throws TypeError"],
    ["is bounded for canParse", "URL.canParse('http://a/' + 'x'.repeat(65_536))", "throws TypeError"],
    ["is bounded once parsed", "new URL('http://a/' + 'é'.repeat(20_000))", "throws TypeError"],
    ["may be what anyone needs", "new URL('http://a/' + 'x'.repeat(30_000)).href.length", "30009"],
    [
      "is bounded for both of a URL and its query",
      "((u) => { try { u.searchParams.append('b', 'x'.repeat(65_536)) } catch (e) { return e.name + u + u.searchParams } })(new URL('http://a/?c'))",
      '"TypeErrorhttp://a/?cc="',
    ],
  ];
  test.each(rows)("%s", async (_name, code, shown) => expect(await showInGuest(code)).toBe(shown));
});

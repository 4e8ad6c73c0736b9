import { describe, expect, test } from "bun:test";
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { secretsOf } from "./secrets.ts";

const running = sharedCopy();

type Encoding = "base64" | "hex" | "base64url";

/** As an older system would have written it. */
function old(value: string | Uint8Array, { encoding = "base64" as Encoding, mac = false as false | "iv+ciphertext" | "ciphertext" } = {}) {
  const [key, iv, macKey] = [randomBytes(32), randomBytes(16), randomBytes(32)];
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const body = Buffer.concat([cipher.update(value), cipher.final()]);
  const tag = createHmac("sha256", macKey)
    .update(mac === "ciphertext" ? body : Buffer.concat([iv, body]))
    .digest();
  return {
    name: "a",
    format: "aes-256-cbc",
    encoding: encoding === "hex" ? "hex" : "base64",
    ciphertext: body.toString(encoding),
    iv: iv.toString(encoding),
    key: key.toString(encoding),
    ...(mac ? { hmac: { key: macKey.toString(encoding), tag: tag.toString(encoding), over: mac } } : {}),
  };
}

async function newOwner() {
  return secretsOf(running.url, await signUp(running.url));
}

describe("what an older system had encrypted", () => {
  const cases: readonly (readonly [what: string, value: string, given: Parameters<typeof old>[1]])[] = [
    ["base64", "s3cret", {}],
    ["the other alphabet, without padding", "s3cret", { encoding: "base64url" }],
    ["hex", "s3cret", { encoding: "hex" }],
    ["authenticated", "s3cret", { mac: "iv+ciphertext" }],
    ["authenticated without its vector", "s3cret", { mac: "ciphertext" }],
    ["nothing", "", {}],
    ["whole blocks", "x".repeat(32), {}],
    ["more than ASCII", "\ufeffpäss\u0000\u{1f511}", { encoding: "hex" }],
    ["64 KiB", "x".repeat(65_536), {}],
  ];
  for (const [what, value, given] of cases)
    test(what, async () => {
      const mine = await newOwner();
      const answer = await mine.send("POST", "/import", { ...old(value, given), labels: { from: "old" } });
      expect([answer.status, answer.body.data?.[0]?.labels]).toEqual([201, { from: "old" }]);
      expect((await mine.read("a")).body.value === value).toBe(true);
    });

  test("what `openssl enc -aes-256-cbc -K … -iv …` has made", async () => {
    const mine = await newOwner();
    const given = {
      name: "a",
      format: "aes-256-cbc",
      encoding: "hex",
      key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
      iv: "000102030405060708090a0b0c0d0e0f",
      ciphertext: "2136a614b9c4c93e40db10a8eb59cda6ec22119124ac3c03b667a14bfeb7c491",
    };
    expect((await mine.send("POST", "/import", given)).status).toBe(201);
    expect((await mine.read("a")).body.value).toBe("correct horse battery staple");
  });

  test("a hundred at once, all or none", async () => {
    const mine = await newOwner();
    const many = Array.from({ length: 100 }, (_, n) => ({ ...old(`value ${n}`), name: `n${n}` }));
    const spoiled = many.map((it, n) => (n === 99 ? { ...it, iv: "" } : it));
    expectProblem(await mine.send("POST", "/import", spoiled), "undecryptable");
    expect((await mine.list("?limit=200")).body.data).toEqual([]);
    expect((await mine.send("POST", "/import", many)).body.data).toHaveLength(100);
    expect((await mine.read("n42")).body.value).toBe("value 42");
    expectProblem(await mine.send("POST", "/import", [...many.slice(0, 1)]), "conflict");
    expectProblem(await mine.send("POST", "/import", [...many, many[0]]), "validation_failed");
  });
});

describe("one answer, whatever is wrong", () => {
  const flip = (text: string, place: number) => {
    const bytes = Buffer.from(text, "base64");
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    return bytes.toString("base64");
  };
  type Old = ReturnType<typeof old>;
  const spoil: readonly (readonly [what: string, spoil: (it: Old) => object])[] = [
    ["the padding", (it) => ({ ...it, ciphertext: flip(it.ciphertext, Buffer.from(it.ciphertext, "base64").length - 17) })],
    ["the key", (it) => ({ ...it, key: flip(it.key, 0) })],
    ["a short key", (it) => ({ ...it, key: it.key.slice(0, 20) })],
    ["a short vector", (it) => ({ ...it, iv: it.iv.slice(0, 8) })],
    ["no whole block", (it) => ({ ...it, ciphertext: flip(it.ciphertext, 0).slice(0, 8) })],
    ["nothing", (it) => ({ ...it, ciphertext: "" })],
    ["no base64", (it) => ({ ...it, ciphertext: `${it.ciphertext}!` })],
    ["another encoding", (it) => ({ ...it, encoding: "hex" })],
    ["a wrong code", (it) => ({ ...it, hmac: { ...it.hmac, tag: flip(it.hmac?.tag ?? "", 0) } })],
    ["a short code", (it) => ({ ...it, hmac: { ...it.hmac, tag: "AAAA" } })],
    ["a code of something else", (it) => ({ ...it, hmac: { ...it.hmac, over: "ciphertext" } })],
  ];
  for (const [what, change] of spoil)
    test(what, async () => {
      const mine = await newOwner();
      const value = "a value of more than one block, so that there is something before the padding";
      const answer = await mine.send("POST", "/import", change(old(value, { mac: what.includes("code") ? "iv+ciphertext" : false })));
      expectProblem(answer, "undecryptable");
      expect(answer.body).not.toHaveProperty("detail");
      expect((await mine.list()).body.data).toEqual([]);
    });

  test("what is no UTF-8", async () => {
    const mine = await newOwner();
    expectProblem(await mine.send("POST", "/import", old(new Uint8Array([0xff, 0xfe]))), "undecryptable");
  });

  test("what is too large has its own", async () => {
    const mine = await newOwner();
    expectProblem(await mine.send("POST", "/import", old("x".repeat(65_537))), "payload_too_large");
  });
});

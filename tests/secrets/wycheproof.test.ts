import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { decrypt, encryptWith } from "../../app/platform/keys/aead.ts";
import json from "./wycheproof-aes-gcm-256.json" with { type: "json" };

// Project Wycheproof's vectors for AES-GCM (C2SP/wycheproof, testvectors_v1/aes_gcm_test.json, Apache License 2.0): the group with keys of 256 bits, nonces of 96
// and tags of 128, which is what we use.
const vectors = z
  .array(
    z.tuple([z.number(), z.string(), z.string(), z.string(), z.string(), z.string(), z.string(), z.enum(["valid", "invalid"]), z.string()]),
  )
  .parse(json);
const hex = (text: string) => Buffer.from(text, "hex");

describe.each(vectors)("vector %d", (_id, key, iv, aad, msg, ct, tag, result, comment) => {
  const stored = Buffer.concat([hex(iv), hex(tag), hex(ct)]);
  test(`${result} ${comment}`, () => {
    if (result === "invalid") {
      expect(() => decrypt(hex(key), stored, hex(aad))).toThrow();
      return;
    }
    const encrypted = encryptWith({ key: hex(key), nonce: hex(iv), associated: hex(aad) }, hex(msg));
    expect(Buffer.from(encrypted).toString("hex")).toBe(stored.toString("hex"));
    expect(Buffer.from(decrypt(hex(key), stored, hex(aad))).toString("hex")).toBe(msg);
  });
});

test("there are as many as the project has", () => {
  expect(vectors.filter(([, , , , , , , result]) => result === "valid")).toHaveLength(39);
  expect(vectors.filter(([, , , , , , , result]) => result === "invalid")).toHaveLength(27);
});

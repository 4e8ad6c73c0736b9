import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { z } from "zod";
import { createEnvelope } from "../../app/platform/keys/envelope.ts";
import { answerParent, argumentOf } from "./child.ts";

const { how } = argumentOf(z.object({ how: z.enum(["envelope", "node:crypto"]) }));
const kek = { version: 1, key: randomBytes(32) };
const plain = randomBytes(1_024);
const boundTo = JSON.stringify(["secret", "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c", "payments/stripe", 7]);
const associated = Buffer.from(boundTo);

const envelope = createEnvelope({ current: () => kek, find: () => kek });
const raw = {
  seal: (): Buffer => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", kek.key, nonce);
    cipher.setAAD(associated);
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]);
  },
  open: (sealed: Uint8Array): Buffer => {
    const decipher = createDecipheriv("aes-256-gcm", kek.key, sealed.subarray(0, 12));
    decipher.setAuthTag(sealed.subarray(12, 28));
    decipher.setAAD(associated);
    return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
  },
};
const sides = {
  envelope: { seal: () => envelope.seal(plain, boundTo), open: (sealed: Uint8Array) => envelope.open(sealed, boundTo) },
  "node:crypto": raw,
};

function perSecond(seconds: number, once: () => unknown): number {
  const startedAt = performance.now();
  const until = startedAt + seconds * 1_000;
  let done = 0;
  while (performance.now() < until) {
    for (let index = 0; index < 100; index += 1) once();
    done += 100;
  }
  return done / ((performance.now() - startedAt) / 1_000);
}

answerParent({
  measure: (input) => {
    const { seconds } = z.object({ seconds: z.number() }).parse(input);
    const { seal, open } = sides[how];
    const sealed = seal();
    if (!Buffer.from(open(sealed)).equals(plain)) throw new Error("it did not open");
    return { sealed: perSecond(seconds, seal), opened: perSecond(seconds, () => open(sealed)) };
  },
});

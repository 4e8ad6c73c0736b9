// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how references are written
import { expect } from "bun:test";
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import type postgres from "postgres";
import { request } from "../client.ts";
import { secretsOf } from "./secrets.ts";

interface Planting {
  readonly url: string;
  readonly token: string;
  readonly database: postgres.Sql;
  readonly canary: (what: string) => string;
  readonly taken: (what: string, value: string) => string;
  /** Its answer must not have what was sent. */
  readonly send: typeof request;
}

/** Values go in by every way there is, and come out where they should; nowhere else may they be found. */
export async function plantSecrets({ url, token, database, canary, taken, send }: Planting): Promise<void> {
  const mine = secretsOf(url, { token });
  const put = (method: string, path: string, body: object, key?: string) =>
    send(url, `/v1/secrets${path}`, { method, token, body, ...(key ? { headers: { "idempotency-key": key } } : {}) });

  const text = canary("a secret");
  expect((await put("POST", "", { name: "text", value: text }, "kept-secret")).status).toBe(201);
  expect((await put("POST", "", { name: "fields", value: { user: "ada", password: canary("a field of a secret") } })).status).toBe(201);
  expect((await put("PUT", "/text", { value: canary("a secret's next value"), expectedVersion: 1 })).status).toBe(200);
  expect((await put("POST", "", { name: "all", value: "of ${secret:text} and ${secret:fields#password}" })).status).toBe(201);
  expect((await mine.read("text", "?version=1")).body.value).toBe(text);
  expect((await mine.read("all")).body.value).toContain("canary");

  await put("POST", "", { name: "text", value: canary("a value for a name that is taken") });
  await put("POST", "", { name: "x y", value: canary("a value for an odd name") });
  await put("POST", "", { name: "large", value: canary("a value that is too large").repeat(3_000) });
  await put("POST", "", { name: "odd", value: [canary("a value that is a list")] });
  await put("POST", "", { name: "nobody", value: `\${secret:nobody} ${canary("a value with an unknown reference")}` });
  await put("PUT", "/text", { value: canary("a value for a wrong version"), expectedVersion: 1 });
  await put("PUT", "/nobody", { value: canary("a value for nobody") });
  await send(url, "/v1/secrets", { token, rawBody: `{"name":"broken","value":"${canary("a value in malformed JSON")}",}` });

  const [key, iv] = [randomBytes(32), randomBytes(16)];
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const ciphertext = Buffer.concat([cipher.update(canary("a secret of an older system")), cipher.final()]);
  const hmacKey = Buffer.from(canary("a key of an older system's codes"));
  const old = {
    name: "old",
    format: "aes-256-cbc",
    iv: iv.toString("base64"),
    key: taken("the key of an older system", key.toString("base64")),
    ciphertext: ciphertext.toString("base64"),
    hmac: { key: hmacKey.toString("base64"), tag: createHmac("sha256", hmacKey).update(iv).update(ciphertext).digest("base64") },
  };
  expect((await put("POST", "/import", old, "kept-import")).status).toBe(201);
  await put("POST", "/import", { ...old, name: "spoiled", iv: key.subarray(0, 16).toString("base64") });

  const links = await Promise.all(
    ["kept-share", "kept-share-2"].map((name) =>
      request(url, "/v1/secrets/all/share", { token, body: {}, headers: { "idempotency-key": name } }),
    ),
  );
  const [used = "", unused = ""] = links.map(({ body }, index) => taken(`a one-time link ${index}`, body.token));
  expect(unused).not.toBe(used);
  const redeem = () => request(url, "/v1/secrets/shared/redeem", { body: { token: used }, headers: { "idempotency-key": "kept-redeem" } });
  expect([(await redeem()).status, (await redeem()).status]).toEqual([200, 400]);
  await send(url, "/v1/secrets/shared/redeem", { body: { token: canary("a one-time link that is none") } });

  await put("POST", "", { name: "altered", value: canary("a secret that is altered") });
  await database`update secret_versions v set kept = set_byte(kept, 93, get_byte(kept, 93) # 1) from secrets s where s.id = v.secret_id and s.name = 'altered'`;
  expect((await send(url, "/v1/secrets/altered", { token })).status).toBe(500);
}

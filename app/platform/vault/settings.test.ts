import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeConfig, readConfig } from "../../config.ts";
import type { VaultAuth } from "./log-in.ts";
import { vaultOptions } from "./settings.ts";

const read = (source: Readonly<Record<string, string>>) => readConfig(undefined, source);
const address = { VAULT_ADDR: "https://vault.example.com:8200" };

describe("what is refused", () => {
  test.each<readonly [Readonly<Record<string, string>>, string]>([
    [{ KEELSON_VAULT_AUTH: "approle", ...address }, "approle needs KEELSON_VAULT_ROLE_ID and KEELSON_VAULT_SECRET_ID"],
    [{ KEELSON_VAULT_AUTH: "approle", ...address, KEELSON_VAULT_ROLE_ID: "r" }, "approle needs"],
    [{ KEELSON_VAULT_AUTH: "kubernetes", ...address }, "kubernetes needs KEELSON_VAULT_ROLE"],
    [{ KEELSON_VAULT_AUTH: "token", ...address }, "token needs VAULT_TOKEN"],
    [{ KEELSON_VAULT_AUTH: "token", VAULT_TOKEN: "hvs.x" }, "VAULT_ADDR: KEELSON_VAULT_AUTH needs it"],
    [{ KEELSON_VAULT_AUTH: "ldap" }, "KEELSON_VAULT_AUTH: "],
    [{ VAULT_ADDR: "vault:8200" }, "VAULT_ADDR: expected a URL"],
    [{ VAULT_TOKEN: " " }, "VAULT_TOKEN: "],
    [{ KEELSON_VAULT_TRANSIT_MOUNT: "/transit/" }, "KEELSON_VAULT_TRANSIT_MOUNT: expected a path"],
    [{ KEELSON_VAULT_TRANSIT_KEY: "a/b" }, "KEELSON_VAULT_TRANSIT_KEY: expected the name"],
    [{ KEELSON_VAULT_KV_MOUNT: "a b" }, "KEELSON_VAULT_KV_MOUNT: expected a path"],
    [{ KEELSON_VAULT_STALE_SECONDS: "86401" }, "KEELSON_VAULT_STALE_SECONDS: "],
    [{ KEELSON_VAULT_STALE_SECONDS: "for ever" }, "KEELSON_VAULT_STALE_SECONDS: expected a whole number"],
  ])("%j", (source, complaint) => {
    expect(() => read(source)).toThrow(complaint);
  });

  test("not what Vault's own tools may have put there", () => {
    expect(read(address).VAULT_ADDR).toBe(address.VAULT_ADDR);
    expect(read({ VAULT_TOKEN: "hvs.x\n" }).VAULT_TOKEN).toBe("hvs.x");
  });
});

test("tokens and secret ids are not shown", () => {
  const described = describeConfig(read({ ...address, VAULT_TOKEN: "hvs.x", KEELSON_VAULT_SECRET_ID: "s" }));
  for (const key of ["VAULT_TOKEN", "KEELSON_VAULT_SECRET_ID"]) expect(described).toContainEqual({ key, value: "[redacted]" });
});

describe("for openVault", () => {
  const folder = mkdtemp(join(tmpdir(), "keelson-vault-"));
  afterAll(async () => rm(await folder, { recursive: true }));

  test.each<readonly [Readonly<Record<string, string>>, VaultAuth]>([
    [{ VAULT_TOKEN: "hvs.x" }, { method: "token", token: "hvs.x" }],
    [
      { KEELSON_VAULT_AUTH: "approle", KEELSON_VAULT_ROLE_ID: "r", KEELSON_VAULT_SECRET_ID: "s" },
      { method: "approle", roleId: "r", secretId: "s" },
    ],
    [
      { KEELSON_VAULT_AUTH: "kubernetes", KEELSON_VAULT_ROLE: "keelson" },
      { method: "kubernetes", role: "keelson", jwtFile: "/var/run/secrets/kubernetes.io/serviceaccount/token" },
    ],
  ])("%j", async (source, auth) => {
    const options = await vaultOptions(read({ ...address, VAULT_NAMESPACE: "team-a", ...source }));
    expect(options).toEqual({ address: address.VAULT_ADDR, namespace: "team-a", auth, caCert: undefined, timeoutMs: 5_000 });
  });

  test("the certificate is read from its file, and the file is named when it is not there", async () => {
    const file = join(await folder, "ca.pem");
    await Bun.write(file, "a certificate");
    const given = { ...address, VAULT_TOKEN: "hvs.x", VAULT_CACERT: file };
    expect((await vaultOptions(read(given))).caCert).toBe("a certificate");
    expect(vaultOptions(read({ ...given, VAULT_CACERT: `${file}.none` }))).rejects.toThrow(`${file}.none`);
  });

  test("what is missing is named", () => {
    expect(vaultOptions(read({ VAULT_TOKEN: "hvs.x" }))).rejects.toThrow("VAULT_ADDR has to be set");
    expect(vaultOptions(read(address))).rejects.toThrow("VAULT_TOKEN has to be set");
  });
});

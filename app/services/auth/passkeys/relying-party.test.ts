import { describe, expect, test } from "bun:test";
import { relyingPartyOf } from "./relying-party.ts";

describe("the relying party", () => {
  test.each([
    ["http://127.0.0.1:3000", "localhost"],
    ["http://[::1]:3000", "localhost"],
    ["http://localhost:3000", "localhost"],
    ["https://api.example.com/base", "api.example.com"],
    ["https://127.0.0.1.example.com", "127.0.0.1.example.com"],
  ])("of %s is %s", (publicUrl, id) => {
    expect(relyingPartyOf({ publicUrl, corsOrigins: [] }).id).toBe(id);
  });

  const corsOrigins = ["https://app.example.com", "https://example.com:8443", "https://evilexample.com", "https://other.org"];
  test.each([
    ["https://example.com", "https://example.com", true],
    ["https://example.com", "https://app.example.com", true],
    ["https://example.com", "https://example.com:8443", true],
    ["https://example.com", "http://example.com", false],
    ["https://example.com", "https://other.example.com", false],
    ["https://example.com", "https://evilexample.com", false],
    ["https://example.com", "https://other.org", false],
    ["https://example.com", "http://localhost:3000", false],
    ["https://app.example.com", "https://example.com:8443", false],
    ["http://127.0.0.1:3000", "http://localhost:5173", true],
    ["http://127.0.0.1:3000", "http://localhost", true],
    ["http://127.0.0.1:3000", "http://localhost.example.com:80", false],
    ["http://127.0.0.1:3000", "http://127.0.0.1:3000", false],
    ["http://127.0.0.1:3000", "https://app.example.com", false],
  ])("%s: a page of %s may use its passkeys: %p", (publicUrl, origin, allowed) => {
    expect(relyingPartyOf({ publicUrl, corsOrigins }).allows(origin)).toBe(allowed);
  });
});

import { describe, expect, test } from "bun:test";
import { Problem } from "../../../platform/errors.ts";
import { assertReturnUrl } from "./return-url.ts";

const policy = { publicUrl: "https://keelson.example/base", returnOrigins: ["https://app.example.com", "http://localhost:5173"] };

test.each<readonly [string, string]>([
  ["/", "https://keelson.example/"],
  ["/a/b?c=d&e=%2F%2Fevil.example", "https://keelson.example/a/b?c=d&e=%2F%2Fevil.example"],
  ["/a@b", "https://keelson.example/a@b"],
  ["/https://evil.example", "https://keelson.example/https://evil.example"],
  ["/?next=//evil.example", "https://keelson.example/?next=//evil.example"],
  ["https://app.example.com", "https://app.example.com/"],
  ["https://app.example.com/done?x=1", "https://app.example.com/done?x=1"],
  ["https://APP.example.com/done", "https://app.example.com/done"],
  ["https://app.example.com:443/done", "https://app.example.com/done"],
  ["http://localhost:5173/", "http://localhost:5173/"],
  ["/%5Cevil.example", "https://keelson.example/%5Cevil.example"],
  ["/%0d%0aSet-Cookie:x=y", "https://keelson.example/%0d%0aSet-Cookie:x=y"],
])("%j leads to %s", (text, expected) => {
  expect(assertReturnUrl(text, "query.returnTo", policy)).toBe(expected);
});

// A URL that a parser turns into a path of two slashes must not be given to a browser as a path.
test.each(["/.//evil.example", "/a/..//evil.example", "/.///evil.example", "/%2e//evil.example", "/%2e%2e//evil.example"])(
  "%j stays on this host",
  (text) => {
    expect(new URL(assertReturnUrl(text, "query.returnTo", policy)).origin).toBe("https://keelson.example");
  },
);

describe("an open redirect", () => {
  test.each([
    "",
    " ",
    "evil.example",
    "app.example.com/done",
    "?x=1",
    "#x",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "//app.example.com",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/a\\b",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "/\0/evil.example",
    "/\u2028",
    "/\u3002evil.example",
    "/／evil.example",
    "／／evil.example",
    "https://evil.example",
    "https://evil.example/app.example.com",
    "https://evil.example?https://app.example.com",
    "https://app.example.com.evil.example",
    "https://app.example.comevil.example",
    "https://app.example.com@evil.example",
    "https://app.example.com:pw@evil.example",
    "https://user@app.example.com",
    "https://user:pw@app.example.com/",
    "https://@app.example.com",
    "https://app.example.com\\@evil.example",
    "https://app.example.com%2eevil.example",
    "https://app.example.com:444",
    "https://sub.app.example.com",
    "https://аpp.example.com",
    "HTTPS://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "https:app.example.com",
    "https:\\\\app.example.com",
    "http://app.example.com",
    "http://localhost",
    "http://localhost:5174",
    "http://127.0.0.1:5173",
    "https://keelson.example/",
    "javascript:alert(1)",
    "JavaScript://app.example.com/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example.com/x",
    "app://callback",
    "null",
    "/x#code=stolen",
    "https://app.example.com/#code=stolen",
    `/${"x".repeat(2_000)}`,
    "https://[::1",
    "https://app.example.com:99999",
  ])("%j is refused, naming the field", (text) => {
    const refusal = (() => {
      try {
        return assertReturnUrl(text, "/returnTo", policy);
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(Problem);
    expect(refusal).toMatchObject({ code: "validation_failed", init: { errors: [{ pointer: "/returnTo" }] } });
  });

  test("without configured origins only paths are left", () => {
    const strict = { ...policy, returnOrigins: [] };
    expect(assertReturnUrl("/x", "x", strict)).toBe("https://keelson.example/x");
    for (const text of ["https://app.example.com/", "https://keelson.example/x", "null", "about:blank"]) {
      expect(() => assertReturnUrl(text, "x", strict)).toThrow(Problem);
    }
  });
});

// What a program is granted, as it sees it. Runs inside the guest before the program; a program that tampers with it harms only itself.
(() => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";

  /** The part of the Fetch standard's Headers that reading an answer needs. */
  class Headers {
    #list;
    constructor(list) {
      this.#list = list.map(([name, value]) => [name.toLowerCase(), value]);
    }
    get(name) {
      const values = this.#list.filter(([key]) => key === String(name).toLowerCase()).map(([, value]) => value);
      return values.length === 0 ? null : values.join(", ");
    }
    has(name) {
      return this.get(name) !== null;
    }
    forEach(visit) {
      for (const [name, value] of this.#list) visit(value, name, this);
    }
    [Symbol.iterator]() {
      return this.#list.map((entry) => [...entry])[Symbol.iterator]();
    }
    entries() {
      return this[Symbol.iterator]();
    }
  }

  class Response {
    #body;
    constructor({ status, statusText, url, redirected, headers, body }) {
      this.#body = body;
      Object.assign(this, { status, statusText, url, redirected, ok: status >= 200 && status < 300, headers: new Headers(headers) });
      Object.freeze(this);
    }
    async text() {
      return this.#body;
    }
    async json() {
      return JSON.parse(this.#body);
    }
  }

  const headersOf = (headers) => {
    if (headers === undefined || headers === null) return [];
    const entries = typeof headers[Symbol.iterator] === "function" ? [...headers] : Object.entries(headers);
    return entries.map(([name, value]) => [String(name), String(value)]);
  };

  return (call) => ({
    fetch: async (resource, { method = "GET", headers, body } = {}) =>
      new Response(
        await call("fetch", "fetch", {
          url: String(resource),
          method: String(method).toUpperCase(),
          headers: headersOf(headers),
          ...(body === undefined || body === null ? {} : { body: String(body) }),
        }),
      ),
    kv: {
      get: (key) => call("kv", "get", { key: String(key) }),
      set: (key, value, { ttlSeconds } = {}) => call("kv", "set", { key: String(key), value, ttlSeconds }),
      delete: (key) => call("kv", "delete", { key: String(key) }),
      list: ({ prefix = "", limit = 100, after } = {}) => call("kv", "list", { prefix, limit, after }),
    },
    events: { publish: (event) => call("events", "publish", event) },
    log: (level, message, fields) => call("log", "write", { level, message: String(message), fields }),
  });
})();

// biome-ignore-all lint/complexity/noArguments: an argument left out differs from undefined, and a rest parameter would change `length`
// URL and URLSearchParams. The host parses URLs (url-host.ts); the query's form encoding is short enough to do here.
(expose, askUrl) => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";
  const { parse, stringify } = JSON;
  const Room = ArrayBuffer;
  const answerBytesMax = 65_536;
  const settableKeys = ["href", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
  const formEscapes = { "%20": "+", "!": "%21", "'": "%27", "(": "%28", ")": "%29", "~": "%7E" };
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  const requireArguments = (given, count) => {
    if (given < count) throw new TypeError("Not enough arguments");
  };
  const toText = (value) => `${value}`.toWellFormed();
  const invalidUrl = (input) => Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input });

  /** The binding writes the answer to where malloc points and does not look whether that is 0, so it is made sure that there is room. */
  const ask = (request) => {
    new Room(answerBytesMax + 4_096);
    const answer = askUrl(stringify(request));
    if (answer === undefined) throw new TypeError("URL is longer than 64 KiB");
    return parse(answer);
  };
  const parseUrl = (url, base) => ask({ op: "parse", url: `${url}`, base: base === undefined ? undefined : `${base}` });

  const decodeForm = (text) =>
    text.replaceAll("+", " ").replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
      return decoder.decode(Uint8Array.from(run.slice(1).split("%"), (hex) => Number.parseInt(hex, 16)));
    });
  const parseForm = (text) => {
    const pairs = text.split("&").filter((pair) => pair !== "");
    return pairs.map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [decodeForm(pair), ""] : [decodeForm(pair.slice(0, equals)), decodeForm(pair.slice(equals + 1))];
    });
  };
  const encodeForm = (text) => encodeURIComponent(text).replace(/%20|[!'()~]/g, (found) => formEscapes[found]);

  const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";
  const toPair = (entry) => {
    const pair = isObject(entry) ? [...entry] : [];
    if (pair.length !== 2) throw new TypeError("a pair has a name and a value");
    return [toText(pair[0]), toText(pair[1])];
  };
  const listFrom = (init) => {
    if (!isObject(init)) return parseForm(toText(init).replace(/^\?/, ""));
    if (init[Symbol.iterator] != null) return Array.from(init, toPair);
    const keys = Reflect.ownKeys(init).filter((key) => Object.prototype.propertyIsEnumerable.call(init, key));
    return keys.map((key) => [toText(key), toText(init[key])]);
  };

  // What the two classes and the iterator know of each other, and nobody else does.
  let pairsOf;
  let attach;
  let refill;
  let writeQuery;

  class ParamsIterator extends Iterator {
    #params;
    #pick;
    #index = 0;
    constructor(params, pick) {
      super();
      pairsOf(params);
      this.#params = params;
      this.#pick = pick;
    }
    next() {
      const pair = pairsOf(this.#params)[this.#index];
      if (pair === undefined) return { value: undefined, done: true };
      this.#index++;
      return { value: this.#pick(pair), done: false };
    }
  }
  Object.defineProperty(ParamsIterator.prototype, Symbol.toStringTag, { value: "URLSearchParams Iterator", configurable: true });
  Reflect.deleteProperty(ParamsIterator.prototype, "constructor");

  class URLSearchParams {
    #list;
    #url = null;
    static {
      pairsOf = (params) => params.#list;
      refill = (params, search) => {
        params.#list = parseForm(search.slice(1));
      };
      attach = (params, url) => {
        params.#url = url;
      };
    }
    constructor(init = "") {
      this.#list = listFrom(init);
    }
    get size() {
      return this.#list.length;
    }
    append(name, value) {
      requireArguments(arguments.length, 2);
      this.#list.push([toText(name), toText(value)]);
      this.#changed();
    }
    delete(name, value = undefined) {
      requireArguments(arguments.length, 1);
      const matches = this.#matcher(name, value);
      this.#list = this.#list.filter((pair) => !matches(pair));
      this.#changed();
    }
    get(name) {
      requireArguments(arguments.length, 1);
      return this.#list.find(this.#matcher(name))?.[1] ?? null;
    }
    getAll(name) {
      requireArguments(arguments.length, 1);
      return this.#list.filter(this.#matcher(name)).map((pair) => pair[1]);
    }
    has(name, value = undefined) {
      requireArguments(arguments.length, 1);
      return this.#list.some(this.#matcher(name, value));
    }
    set(name, value) {
      requireArguments(arguments.length, 2);
      const matches = this.#matcher(name);
      const pair = [toText(name), toText(value)];
      const first = this.#list.findIndex(matches);
      if (first < 0) this.#list.push(pair);
      else this.#list = this.#list.map((old, index) => (index === first ? pair : old)).filter((kept) => kept === pair || !matches(kept));
      this.#changed();
    }
    sort() {
      this.#list.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
      this.#changed();
    }
    forEach(callback, thisArg = undefined) {
      requireArguments(arguments.length, 1);
      if (typeof callback !== "function") throw new TypeError("Cannot call callback on a non-function");
      for (const [name, value] of this) callback.call(thisArg, value, name, this);
    }
    entries() {
      return new ParamsIterator(this, (pair) => [pair[0], pair[1]]);
    }
    keys() {
      return new ParamsIterator(this, (pair) => pair[0]);
    }
    values() {
      return new ParamsIterator(this, (pair) => pair[1]);
    }
    toString() {
      return this.#list.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`).join("&");
    }
    #matcher(name, value = undefined) {
      const wantedName = toText(name);
      const wantedValue = value === undefined ? undefined : toText(value);
      return (pair) => pair[0] === wantedName && (wantedValue === undefined || pair[1] === wantedValue);
    }
    #changed() {
      if (this.#url !== null) writeQuery(this.#url, this.toString());
    }
  }
  Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, {
    value: URLSearchParams.prototype.entries,
    writable: true,
    configurable: true,
  });

  class URL {
    #parts;
    #params = null;
    static {
      writeQuery = (url, query) => {
        try {
          url.#parts = ask({ op: "set", href: url.#parts.href, key: "search", value: query });
        } catch (error) {
          // Too long: neither of the two takes it.
          refill(url.#params, url.#parts.search);
          throw error;
        }
      };
      for (const key of ["origin", ...settableKeys]) {
        const accessor = {
          get [key]() {
            return this.#parts[key];
          },
          set [key](value) {
            this.#write(key, `${value}`);
          },
        };
        const { get, set } = Object.getOwnPropertyDescriptor(accessor, key);
        Object.defineProperty(URL.prototype, key, { get, set: key === "origin" ? undefined : set, configurable: true });
      }
    }
    constructor(url, base = undefined) {
      requireArguments(arguments.length, 1);
      const parts = parseUrl(url, base);
      if (parts === null) throw invalidUrl(`${url}`);
      this.#parts = parts;
    }
    static canParse(url, base = undefined) {
      requireArguments(arguments.length, 1);
      return parseUrl(url, base) !== null;
    }
    static parse(url, base = undefined) {
      requireArguments(arguments.length, 1);
      const parts = parseUrl(url, base);
      return parts === null ? null : new URL(parts.href);
    }
    get searchParams() {
      const { search } = this.#parts;
      if (this.#params === null) {
        this.#params = new URLSearchParams(search);
        attach(this.#params, this);
      }
      return this.#params;
    }
    toString() {
      return this.#parts.href;
    }
    toJSON() {
      return this.#parts.href;
    }
    #write(key, value) {
      const parts = ask({ op: "set", href: this.#parts.href, key, value });
      if (parts === null) throw invalidUrl(value);
      this.#parts = parts;
      if (this.#params !== null && (key === "href" || key === "search")) refill(this.#params, parts.search);
    }
  }

  for (const Class of [URL, URLSearchParams]) {
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
    expose(Class.name, Class);
  }
};

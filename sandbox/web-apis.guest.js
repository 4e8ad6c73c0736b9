// biome-ignore-all lint/complexity/noArguments: an argument left out differs from undefined, and a rest parameter would change `length`
// What the platform offers besides the language and needs nothing of the host. The host never relies on it, so unlike
// the prelude this is plain code: a program that tampers with it harms only itself. Evaluated once per instance, and
// all it leaves on the heap is copied between programs, so short is better than fast here.
(expose) => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";
  const legacyNames =
    ",IndexSizeError,,HierarchyRequestError,WrongDocumentError,InvalidCharacterError,,NoModificationAllowedError,NotFoundError," +
    "NotSupportedError,InUseAttributeError,InvalidStateError,SyntaxError,InvalidModificationError,NamespaceError," +
    "InvalidAccessError,,TypeMismatchError,SecurityError,NetworkError,AbortError,URLMismatchError,QuotaExceededError," +
    "TimeoutError,InvalidNodeTypeError,DataCloneError";
  const digits = Uint8Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", (digit) => digit.charCodeAt(0));
  const sextets = new Uint8Array(128);
  digits.forEach((digit, value) => {
    sextets[digit] = value;
  });
  const utf8Labels = ["utf-8", "utf8", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "x-unicode20utf8"];
  const unitsPerPiece = 4_096;

  const requireArgument = (count) => {
    if (count === 0) throw new TypeError("Not enough arguments");
  };
  const invalidCharacter = () => new DOMException("The string contains invalid characters.", "InvalidCharacterError");

  /** In pieces, because arguments lie on the stack. */
  const textOf = (units) => {
    let text = "";
    for (let index = 0; index < units.length; index += unitsPerPiece) {
      text += String.fromCharCode.apply(null, units.subarray(index, index + unitsPerPiece));
    }
    return text;
  };

  class DOMException extends Error {
    #message;
    #name;
    constructor(message = "", name = "Error") {
      super();
      this.#message = `${message}`;
      this.#name = `${name}`;
    }
    get name() {
      return this.#name;
    }
    get message() {
      return this.#message;
    }
    get code() {
      return this.#name === "" ? 0 : Math.max(0, legacyNames.split(",").indexOf(this.#name));
    }
  }

  const base64 = {
    atob(data) {
      requireArgument(arguments.length);
      let text = `${data}`.replace(/[\t\n\f\r ]+/g, "");
      if (text.length % 4 === 0) text = text.replace(/={1,2}$/, "");
      if (text.length % 4 === 1 || /[^+/0-9A-Za-z]/.test(text)) throw invalidCharacter();
      const units = new Uint8Array(Math.floor((text.length * 3) / 4));
      // What is read behind the end of the text counts as 0, and what is written behind the end of the units is lost.
      const sextet = (index) => sextets[text.charCodeAt(index)];
      for (let read = 0, written = 0; read < text.length; read += 4, written += 3) {
        const bits = (sextet(read) << 18) | (sextet(read + 1) << 12) | (sextet(read + 2) << 6) | sextet(read + 3);
        units[written] = bits >> 16;
        units[written + 1] = bits >> 8;
        units[written + 2] = bits;
      }
      return textOf(units);
    },

    btoa(data) {
      requireArgument(arguments.length);
      const text = `${data}`;
      if (/[^\0-\xff]/.test(text)) throw invalidCharacter();
      const units = new Uint8Array(Math.ceil(text.length / 3) * 4);
      for (let read = 0, written = 0; read < text.length; read += 3, written += 4) {
        const bits = (text.charCodeAt(read) << 16) | (text.charCodeAt(read + 1) << 8) | text.charCodeAt(read + 2);
        units[written] = digits[bits >> 18];
        units[written + 1] = digits[(bits >> 12) & 63];
        units[written + 2] = digits[(bits >> 6) & 63];
        units[written + 3] = digits[bits & 63];
      }
      const padding = (3 - (text.length % 3)) % 3;
      return textOf(units.fill(61, units.length - padding));
    },
  };

  /** Writes whole code points from `read` on, as many as fit behind `written`. */
  const writeUtf8 = (text, bytes, { read, written }) => {
    while (read < text.length) {
      const point = text.codePointAt(read);
      if (point < 0x80) {
        if (written === bytes.length) break;
        bytes[written++] = point;
        read++;
        continue;
      }
      const scalar = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
      const size = scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4;
      if (written + size > bytes.length) break;
      bytes[written] = (0xf00 >> size) | (scalar >> (6 * (size - 1)));
      for (let rest = 1; rest < size; rest++) bytes[written + rest] = 0x80 | ((scalar >> (6 * (size - 1 - rest))) & 63);
      read += size === 4 ? 2 : 1;
      written += size;
    }
    return { read, written };
  };

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(input = "") {
      const text = `${input}`;
      let bytes = new Uint8Array(text.length);
      let done = writeUtf8(text, bytes, { read: 0, written: 0 });
      if (done.read === text.length) return bytes;
      const wider = new Uint8Array(done.written + 3 * (text.length - done.read));
      wider.set(bytes.subarray(0, done.written));
      bytes = wider;
      done = writeUtf8(text, bytes, done);
      return bytes.slice(0, done.written);
    }
    encodeInto(source, destination) {
      if (!(destination instanceof Uint8Array)) throw new TypeError("encodeInto writes to a Uint8Array");
      return writeUtf8(`${source}`, destination, { read: 0, written: 0 });
    }
  }

  const bytesOf = (input) => {
    if (input === undefined) return new Uint8Array(0);
    if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    if (input instanceof ArrayBuffer || input instanceof SharedArrayBuffer) return new Uint8Array(input);
    throw new TypeError("TextDecoder.decode expects an ArrayBuffer or a view of one");
  };

  /** https://encoding.spec.whatwg.org/#utf-8-decoder, fed piece by piece; `malformed` gives the unit to use instead, or throws. */
  const createUtf8Decoder = (malformed) => {
    let needed = 0;
    let point = 0;
    let lower = 0x80;
    let upper = 0xbf;
    const begin = (byte) => {
      needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      point = byte & (0x3f >> needed);
      lower = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
      upper = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    };
    return (bytes, last) => {
      let ascii = 0;
      if (needed === 0) while (bytes[ascii] < 0x80) ascii++;
      // Every byte makes one unit at most; one more for what was begun before, one for what ends too soon.
      const units = new Uint16Array(bytes.length - ascii + 2);
      let written = 0;
      for (let index = ascii; index < bytes.length; index++) {
        const byte = bytes[index];
        if (needed > 0 && (byte < lower || byte > upper)) {
          needed = 0;
          units[written++] = malformed();
        }
        if (needed > 0) {
          lower = 0x80;
          upper = 0xbf;
          point = (point << 6) | (byte & 63);
          needed--;
          if (needed > 0) continue;
          if (point > 0xffff) units[written++] = 0xd7c0 + (point >> 10);
          units[written++] = point > 0xffff ? 0xdc00 | (point & 0x3ff) : point;
        } else if (byte < 0x80) units[written++] = byte;
        else if (byte < 0xc2 || byte > 0xf4) units[written++] = malformed();
        else begin(byte);
      }
      if (last && needed > 0) units[written++] = malformed();
      return textOf(bytes.subarray(0, ascii)) + textOf(units.subarray(0, written));
    };
  };

  class TextDecoder {
    #fatal;
    #ignoreBOM;
    #decode;
    #started = false;
    constructor(label = "utf-8", options = undefined) {
      const name = `${label}`;
      if (!utf8Labels.includes(name.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "").toLowerCase())) {
        throw new RangeError(`Unsupported encoding label "${name}"`);
      }
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }
    get encoding() {
      return "utf-8";
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(input, options = undefined) {
      const bytes = bytesOf(input);
      const decode = this.#decode ?? createUtf8Decoder(() => this.#replacement());
      const streaming = Boolean(options?.stream);
      this.#decode = streaming ? decode : undefined;
      const text = decode(bytes, !streaming);
      const atStart = !this.#started;
      this.#started = streaming && (this.#started || text !== "");
      return atStart && !this.#ignoreBOM && text[0] === "\ufeff" ? text.slice(1) : text;
    }
    #replacement() {
      if (!this.#fatal) return 0xfffd;
      this.#decode = undefined;
      this.#started = false;
      throw new TypeError("The encoded data was not valid for encoding utf-8");
    }
  }

  for (const Class of [DOMException, TextEncoder, TextDecoder]) {
    Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: Class.name, configurable: true });
    expose(Class.name, Class);
  }
  expose("atob", base64.atob);
  expose("btoa", base64.btoa);
};

// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template literal to a method call, see below
// Runs inside the guest before the program. Everything it later relies on is captured here, and later code calls only
// captured functions, own elements and operators on primitives: the program may change every prototype and global there is.
// So no template literals, which QuickJS compiles to `"".concat(…)`, no destructuring of arrays, no spreading, no for-of.
(() => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";
  const { apply } = Reflect;
  const { keys, defineProperty } = Object;
  const { isArray } = Array;
  const { isError } = Error;
  const { parse, stringify } = JSON;
  const isFiniteNumber = Number.isFinite;
  const { min } = Math;
  const objectToString = Object.prototype.toString;
  const symbolToString = Symbol.prototype.toString;
  const dateToText = Date.prototype.toISOString;
  const stringSlice = String.prototype.slice;
  const global = globalThis;
  const noJson = {
    __proto__: null,
    "[object ArrayBuffer]": "an ArrayBuffer",
    "[object AsyncGenerator]": "an async generator",
    "[object BigInt]": "a BigInt",
    "[object BigInt64Array]": "a typed array",
    "[object BigUint64Array]": "a typed array",
    "[object DataView]": "a DataView",
    "[object Error]": "an Error",
    "[object Float16Array]": "a typed array",
    "[object Float32Array]": "a typed array",
    "[object Float64Array]": "a typed array",
    "[object Generator]": "a generator",
    "[object Int16Array]": "a typed array",
    "[object Int32Array]": "a typed array",
    "[object Int8Array]": "a typed array",
    "[object Map]": "a Map",
    "[object Promise]": "a promise",
    "[object RegExp]": "a RegExp",
    "[object Set]": "a Set",
    "[object SharedArrayBuffer]": "a SharedArrayBuffer",
    "[object Symbol]": "a symbol",
    "[object Uint16Array]": "a typed array",
    "[object Uint32Array]": "a typed array",
    "[object Uint8Array]": "a typed array",
    "[object Uint8ClampedArray]": "a typed array",
    "[object WeakMap]": "a WeakMap",
    "[object WeakRef]": "a WeakRef",
    "[object WeakSet]": "a WeakSet",
  };
  const clip = (text, max) => (text.length > max ? apply(stringSlice, text, [0, max]) + "…" : text);

  return (log, limitsText) => {
    const limits = parse(limitsText);
    let input;
    // Held while the program runs, and let go so that a result or an error can still be read when its memory is used up.
    // biome-ignore lint/correctness/noUnusedVariables: holding it is the use
    let reserve = new ArrayBuffer(limits.reserveBytes);
    const refusal = { __proto__: null, reason: "", path: "" };

    // `up` links a value to its parents: the cycle check and the path in one, without a collection the program could tamper with.
    const refuse = (reason, up) => {
      let path = "";
      for (let node = up; node.up !== null; node = node.up) {
        const key = typeof node.key === "number" ? "" + node.key : stringify(clip(node.key, 80));
        path = path === "" ? key : key + "," + path;
      }
      refusal.reason = reason;
      refusal.path = "[" + path + "]";
      throw refusal;
    };

    const linkTo = (value, key, up) => ({ value, key, up, depth: up.depth + 1 });

    // `room` is what the parents' text leaves; each caller checks the text it builds against its own.
    const encodeValue = (value, key, up, room) => {
      switch (typeof value) {
        case "undefined":
          return undefined;
        case "string":
          if (value.length > room) refuse("too large", linkTo(null, key, up));
          return stringify(value);
        case "number":
          return isFiniteNumber(value) ? "" + value : "null";
        case "boolean":
          return value ? "true" : "false";
        case "object":
          return value === null ? "null" : encodeCompound(value, key, up, room);
        default:
          return refuse(typeof value === "bigint" ? "a BigInt" : "a " + typeof value, linkTo(null, key, up));
      }
    };

    const encodeCompound = (original, key, up, room) => {
      let value = original;
      const { toJSON } = value;
      if (typeof toJSON === "function") {
        value = apply(toJSON, value, ["" + key]);
        if (value === null) return "null";
        if (typeof value !== "object") return encodeValue(value, key, up, room);
      }
      const node = linkTo(value, key, up);
      if (node.depth > limits.outputDepthMax) refuse("nested too deeply", node);
      for (let parent = up; parent !== null; parent = parent.up) {
        if (parent.value === value) refuse("a cycle", node);
      }
      if (isArray(value)) return encodeArray(value, node, room);
      const tag = noJson[apply(objectToString, value, [])];
      return tag === undefined ? encodeObject(value, node, room) : refuse(tag, node);
    };

    const encodeArray = (array, node, room) => {
      const { length } = array;
      if (length > room) refuse("too large", node);
      let text = "[";
      for (let index = 0; index < length; index++) {
        const element = encodeValue(array[index], index, node, room - text.length);
        if (index > 0) text += ",";
        text += element === undefined ? "null" : element;
        if (text.length > room) refuse("too large", node);
      }
      return text + "]";
    };

    const encodeObject = (object, node, room) => {
      const names = keys(object);
      let text = "{";
      for (let index = 0; index < names.length; index++) {
        const name = names[index];
        const child = encodeValue(object[name], name, node, room - text.length);
        if (child === undefined) continue;
        if (name === "__proto__") refuse("a __proto__ key", node);
        if (text.length > 1) text += ",";
        text += stringify(name) + ":" + child;
        if (text.length > room) refuse("too large", node);
      }
      return text + "}";
    };

    const readText = (object, key, max) => {
      try {
        const text = object[key];
        return typeof text === "string" ? clip(text, max) : "";
      } catch {
        return "";
      }
    };

    const inspectError = (error, max) => {
      const name = readText(error, "name", limits.errorNameCharsMax) || "Error";
      const message = readText(error, "message", max);
      const stack = readText(error, "stack", max);
      return name + (message === "" ? "" : ": " + message) + (stack === "" ? "" : "\n" + stack);
    };

    const inspectList = (object, depth, max) => {
      const listed = isArray(object);
      const names = listed ? object : keys(object);
      const shown = min(names.length, 100);
      let text = "";
      for (let index = 0; index < shown && text.length < max; index++) {
        const label = listed ? "" : names[index] + ": ";
        const member = inspect(listed ? object[index] : object[names[index]], depth + 1, max - text.length);
        text += (index > 0 ? ", " : "") + label + member;
      }
      const rest = shown < names.length ? ", …" : "";
      return listed ? "[" + text + rest + "]" : "{" + text + rest + "}";
    };

    const inspect = (value, depth, max) => {
      switch (typeof value) {
        case "string":
          return depth === 0 ? clip(value, max) : stringify(clip(value, max));
        case "symbol":
          return clip(apply(symbolToString, value, []), max);
        case "bigint":
          return clip(value + "n", max);
        case "function":
          return "[Function: " + readText(value, "name", 80) + "]";
        case "object": {
          if (value === null) return "null";
          if (isError(value)) return inspectError(value, max);
          const tag = apply(objectToString, value, []);
          if (tag === "[object Date]") return apply(dateToText, value, []);
          if (noJson[tag] !== undefined || depth > 3) return tag;
          return inspectList(value, depth, max);
        }
        default:
          return "" + value;
      }
    };

    const inspectSafely = (value, max) => {
      try {
        return inspect(value, 0, max);
      } catch {
        return "[unreadable]";
      }
    };

    let full = false;
    const logAt =
      (level) =>
      (...values) => {
        if (full) return;
        let message = "";
        for (let index = 0; index < values.length && message.length <= limits.logMessageCharsMax; index++) {
          message += (index > 0 ? " " : "") + inspectSafely(values[index], limits.logMessageCharsMax);
        }
        // As JSON, because a host string ends at the first NUL.
        full = log(level, stringify(clip(message, limits.logMessageCharsMax))) === false;
      };

    const expose = (name, value) => defineProperty(global, name, { __proto__: null, value, writable: true, configurable: true });
    // Small fast counter, 32 bits (PractRand): the seed is recorded, so a run can be repeated.
    let random = [0, 0, 0, 1];
    const nextRandom = () => {
      const a = random[0];
      const b = random[1];
      const c = random[2];
      const counter = random[3];
      const drawn = (a + b + counter) | 0;
      random = [b ^ (b >>> 9), (c + (c << 3)) | 0, (((c << 21) | (c >>> 11)) + drawn) | 0, (counter + 1) | 0];
      return drawn >>> 0;
    };
    defineProperty(Math, "random", {
      __proto__: null,
      value: () => ((nextRandom() >>> 5) * 0x4000000 + (nextRandom() >>> 6)) / 0x20000000000000,
      writable: true,
      configurable: true,
    });

    // Defined, so that strict code may assign it; configurable, so that `const output = …` may shadow it.
    expose("output", undefined);
    expose("console", { debug: logAt(0), log: logAt(1), info: logAt(2), warn: logAt(3), error: logAt(4) });

    return {
      begin: (inputText, randomText) => {
        input = inputText === undefined ? undefined : parse(inputText);
        expose("input", input);
        random = parse(randomText);
      },
      enterModule: (namespace) => {
        const entry = namespace.default;
        return typeof entry === "function" ? entry(input) : entry;
      },
      unwrapCompletion: (completion) => completion.value,
      chooseOutput: (completion) => (output === undefined ? completion : output),
      encodeOutput: (value) => {
        reserve = undefined;
        try {
          const text = encodeValue(value, "", { value: null, key: "", up: null, depth: 0 }, limits.outputCharsMax);
          return text === undefined ? "" : "=" + text;
        } catch (error) {
          if (error !== refusal) throw error;
          return '!{"reason":' + stringify(refusal.reason) + ',"path":' + refusal.path + "}";
        }
      },
      describeError: (error) => {
        reserve = undefined;
        const readable = (typeof error === "object" && error !== null) || typeof error === "function";
        const name = readable ? readText(error, "name", limits.errorNameCharsMax) : "";
        const message = readable ? readText(error, "message", limits.errorMessageCharsMax) : "";
        const stack = readable ? readText(error, "stack", limits.errorMessageCharsMax) : "";
        const shown = message === "" && !isError(error) ? "Uncaught " + inspectSafely(error, limits.errorMessageCharsMax) : message;
        return '{"name":' + stringify(name || "Error") + ',"message":' + stringify(shown) + ',"stack":' + stringify(stack) + "}";
      },
    };
  };
})();

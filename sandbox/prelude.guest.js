// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template literal to a method call, see below
// Runs inside the guest before the program. Everything it later relies on is captured here, and later code calls only
// captured functions, own elements and operators on primitives: the program may change every prototype and global there is.
// So no template literals, which QuickJS compiles to `"".concat(…)`, no destructuring of arrays, no spreading, no for-of.
(() => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";
  const { defineProperty } = Object;
  const { isError } = Error;
  const { parse, stringify } = JSON;
  const Room = ArrayBuffer;
  const PromiseOfHost = Promise;
  const ErrorOfHost = Error;
  const global = globalThis;

  return (host, limitsText) => {
    const { log, ask } = host;
    const limits = parse(limitsText);
    const encode = host.encode(limits);
    const { clip, readText, inspectSafely } = host.inspect(limits);
    let input;
    // Held while the program runs, and let go so that a result or an error can still be read when its memory is used up.
    // biome-ignore lint/correctness/noUnusedVariables: holding it is the use
    let reserve = new ArrayBuffer(limits.reserveBytes);
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

    const pending = { __proto__: null };
    const call = (capability, method, argument) =>
      new PromiseOfHost((resolve, reject) => {
        const text = stringify(argument);
        if (text !== undefined && text.length > limits.argumentCharsMax)
          throw new RangeError(capability + ": an argument may have at most " + limits.argumentCharsMax + " characters of JSON");
        const id = ask(capability, method, text === undefined ? "null" : text);
        if (id === 0) throw new RangeError("a program may call its host " + limits.hostCallsMax + " times");
        pending[id] = { resolve, reject };
      });
    const capabilities = host.capabilities(call);

    return {
      expose,
      // The binding does not notice when the engine has no room for a text, and would write it over the engine's own data.
      makeRoom: (bytes) => {
        new Room(bytes);
      },
      begin: (inputText, randomText, grantedText) => {
        input = inputText === undefined ? undefined : parse(inputText);
        expose("input", input);
        random = parse(randomText);
        const granted = parse(grantedText);
        for (let index = 0; index < granted.length; index++) expose(granted[index], capabilities[granted[index]]);
      },
      watch: (hooksText) => {
        const names = parse(hooksText);
        defineProperty(global, names.statement, { __proto__: null, value: host.statement });
        defineProperty(global, names.enter, { __proto__: null, value: host.enter });
        defineProperty(global, names.leave, { __proto__: null, value: host.leave });
      },
      settleCall: (id, ok, text) => {
        const { resolve, reject } = pending[id];
        delete pending[id];
        const value = parse(text);
        if (ok) return resolve(value);
        const error = new ErrorOfHost(value.message);
        defineProperty(error, "name", { __proto__: null, value: value.name, writable: true, configurable: true });
        reject(error);
      },
      enterModule: (namespace) => {
        const entry = namespace.default;
        return typeof entry === "function" ? entry(input) : entry;
      },
      unwrapCompletion: (completion) => completion.value,
      // `typeof`, because the program may have deleted it.
      chooseOutput: (completion) => (typeof output === "undefined" ? completion : output),
      encodeOutput: (value) => {
        reserve = undefined;
        return encode(value);
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

// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template literal to a method call, see below
// Shows values in the log, and reads errors, whatever the program made of them.
// Runs inside the guest before the program. Everything it later relies on is captured here, and later code calls only
// captured functions, own elements and operators on primitives: the program may change every prototype and global there is.
// So no template literals, which QuickJS compiles to `"".concat(…)`, no destructuring of arrays, no spreading, no for-of.
(() => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";
  const { apply } = Reflect;
  const { keys } = Object;
  const { isArray } = Array;
  const { isError } = Error;
  const { stringify } = JSON;
  const { min } = Math;
  const objectToString = Object.prototype.toString;
  const symbolToString = Symbol.prototype.toString;
  const dateToText = Date.prototype.toISOString;
  const stringSlice = String.prototype.slice;
  const clip = (text, max) => (text.length > max ? apply(stringSlice, text, [0, max]) + "…" : text);

  return (limits) => {
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
          if (depth > 3 || (tag !== "[object Object]" && tag !== "[object Array]")) return tag;
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

    return { clip, readText, inspectSafely };
  };
})();

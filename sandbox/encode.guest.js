// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template literal to a method call, see below
// Writes a program's output as JSON text, for a host that must be able to rely on every character of it.
// Runs inside the guest before the program. Everything it later relies on is captured here, and later code calls only
// captured functions, own elements and operators on primitives: the program may change every prototype and global there is.
// So no template literals, which QuickJS compiles to `"".concat(…)`, no destructuring of arrays, no spreading, no for-of.
(() => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";
  const { apply } = Reflect;
  const { keys } = Object;
  const { isArray } = Array;
  const { stringify } = JSON;
  const isFiniteNumber = Number.isFinite;
  const isNaNumber = Number.isNaN;
  const objectToString = Object.prototype.toString;
  const stringSlice = String.prototype.slice;
  const getterOf = (prototype, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
  const mapForEach = Map.prototype.forEach;
  const setForEach = Set.prototype.forEach;
  const mapSize = getterOf(Map.prototype, "size");
  const setSize = getterOf(Set.prototype, "size");
  const dateTime = Date.prototype.getTime;
  const dateToText = Date.prototype.toISOString;
  const dateToJson = Date.prototype.toJSON;
  const Bytes = Uint8Array;
  const arrayPrototype = Object.getPrototypeOf(Uint8Array.prototype);
  const arrayTypeOf = getterOf(arrayPrototype, Symbol.toStringTag);
  const arrayBufferOf = getterOf(arrayPrototype, "buffer");
  const arrayByteOffset = getterOf(arrayPrototype, "byteOffset");
  const arrayByteLength = getterOf(arrayPrototype, "byteLength");
  const bufferByteLength = getterOf(ArrayBuffer.prototype, "byteLength");
  const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const noJson = {
    __proto__: null,
    "[object AsyncGenerator]": "an async generator",
    "[object BigInt]": "a BigInt object",
    "[object DataView]": "a DataView",
    "[object Error]": "an Error",
    "[object Generator]": "a generator",
    "[object Promise]": "a promise",
    "[object RegExp]": "a RegExp",
    "[object SharedArrayBuffer]": "a SharedArrayBuffer",
    "[object Symbol]": "a symbol",
    "[object WeakMap]": "a WeakMap",
    "[object WeakRef]": "a WeakRef",
    "[object WeakSet]": "a WeakSet",
  };
  const keyCharsMax = 80;
  const clip = (text) => (text.length > keyCharsMax ? apply(stringSlice, text, [0, keyCharsMax]) + "…" : text);

  return (limits) => {
    const refusal = { __proto__: null, reason: "", path: "" };

    // `up` links a value to its parents: the cycle check and the path in one, without a collection the program could tamper with.
    const refuse = (reason, up) => {
      let path = "";
      for (let node = up; node.up !== null; node = node.up) {
        const key = typeof node.key === "number" ? "" + node.key : stringify(clip(node.key));
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
        case "bigint":
          return encodeBigInt(value, key, up, room);
        default:
          return refuse("a " + typeof value, linkTo(null, key, up));
      }
    };

    // Tells a real one from an object that only calls itself so.
    const has = (read, value) => {
      try {
        apply(read, value, []);
        return true;
      } catch {
        return false;
      }
    };

    const encodeBigInt = (value, key, up, room) => {
      const digits = "" + value;
      if (digits.length > room) refuse("too large", linkTo(null, key, up));
      return '{"$bigint":"' + digits + '"}';
    };

    // What JSON has no word for is an object with one key that begins with a dollar sign.
    const encodeSpecial = (value, tag, node, room) => {
      switch (tag) {
        case "[object Date]": {
          if (!has(dateTime, value)) return undefined;
          const time = apply(dateTime, value, []);
          return '{"$date":' + (isNaNumber(time) ? "null" : '"' + apply(dateToText, value, []) + '"') + "}";
        }
        case "[object Map]":
          return has(mapSize, value) ? '{"$map":' + encodeMembers(value, mapForEach, node, room) + "}" : undefined;
        case "[object Set]":
          return has(setSize, value) ? '{"$set":' + encodeMembers(value, setForEach, node, room) + "}" : undefined;
        case "[object ArrayBuffer]":
          return has(bufferByteLength, value)
            ? encodeBytes("ArrayBuffer", [value, 0, apply(bufferByteLength, value, [])], node, room)
            : undefined;
        default:
          return undefined;
      }
    };

    const encodeMembers = (collection, forEach, node, room) => {
      let text = "[";
      let index = 0;
      const add = (member, name) => {
        const separator = index === 0 ? "" : ",";
        const left = room - text.length;
        const first = forEach === mapForEach ? "[" + (encodeValue(name, index, node, left) || "null") + "," : "";
        const second = encodeValue(member, index, node, left - first.length) || "null";
        text += separator + first + second + (forEach === mapForEach ? "]" : "");
        index += 1;
        if (text.length > room) refuse("too large", node);
      };
      apply(forEach, collection, [add]);
      return text + "]";
    };

    const encodeBytes = (type, place, node, room) => {
      const length = place[2];
      if (length > room) refuse("too large", node);
      // A buffer that was taken away has no length, and can't be looked into.
      const bytes = length === 0 ? place : new Bytes(place[0], place[1], length);
      let text = "";
      for (let index = 0; index < length; index += 3) {
        const triple = (bytes[index] << 16) | ((bytes[index + 1] || 0) << 8) | (bytes[index + 2] || 0);
        text += base64Letters[triple >> 18] + base64Letters[(triple >> 12) & 63];
        text += index + 1 < length ? base64Letters[(triple >> 6) & 63] : "=";
        text += index + 2 < length ? base64Letters[triple & 63] : "=";
      }
      return '{"$typedArray":{"type":"' + type + '","base64":"' + text + '"}}';
    };

    const nodeOf = (value, key, up) => {
      const node = linkTo(value, key, up);
      if (node.depth > limits.outputDepthMax) refuse("nested too deeply", node);
      for (let parent = up; parent !== null; parent = parent.up) {
        if (parent.value === value) refuse("a cycle", node);
      }
      return node;
    };

    const encodeCompound = (value, key, up, room) => {
      const node = nodeOf(value, key, up);
      const { toJSON } = value;
      if (typeof toJSON !== "function" || toJSON === dateToJson) return encodeContainer(value, node, room);
      const replaced = apply(toJSON, value, ["" + key]);
      if (typeof replaced !== "object" || replaced === null) return encodeValue(replaced, key, up, room);
      return encodeContainer(replaced, replaced === value ? node : nodeOf(replaced, key, up), room);
    };

    const encodeContainer = (value, node, room) => {
      if (isArray(value)) return encodeArray(value, node, room);
      const type = apply(arrayTypeOf, value, []);
      if (type !== undefined) {
        const place = [apply(arrayBufferOf, value, []), apply(arrayByteOffset, value, []), apply(arrayByteLength, value, [])];
        return encodeBytes(type, place, node, room);
      }
      const tag = apply(objectToString, value, []);
      const special = encodeSpecial(value, tag, node, room);
      if (special !== undefined) return special;
      const reason = noJson[tag];
      return reason === undefined ? encodeObject(value, node, room) : refuse(reason, node);
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
      text += "}";
      // So that an object of the program's own is never taken for one of the special ones.
      return names.length === 1 && names[0][0] === "$" ? '{"$object":' + text + "}" : text;
    };

    return (value) => {
      try {
        const text = encodeValue(value, "", { value: null, key: "", up: null, depth: 0 }, limits.outputCharsMax);
        return text === undefined ? "" : "=" + text;
      } catch (error) {
        if (error !== refusal) throw error;
        return '!{"reason":' + stringify(refusal.reason) + ',"path":' + refusal.path + "}";
      }
    };
  };
})();

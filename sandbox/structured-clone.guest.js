// biome-ignore-all lint/complexity/noArguments: an argument left out differs from undefined
// https://html.spec.whatwg.org/#structured-cloning, as far as it can be told from inside the language: a proxy passes for
// what it stands for. Containers are filled from a queue, so that depth costs no stack.
(expose) => {
  // biome-ignore lint/suspicious/noRedundantUseStrict: QuickJS evaluates this as a script
  "use strict";
  const { DOMException } = globalThis;
  const { getPrototypeOf, getOwnPropertyDescriptor, defineProperty } = Object;
  const nativeErrors = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
  const viewName = getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;
  const refused = [Promise, WeakMap, WeakSet, WeakRef, FinalizationRegistry, Symbol, SharedArrayBuffer, Iterator];
  refused.push(URL, URLSearchParams, TextEncoder, TextDecoder);
  const refusedTags = ["[object Arguments]", "[object AsyncGenerator]"];

  const notCloneable = () => new DOMException("The object can not be cloned.", "DataCloneError");

  const copyBuffer = (buffer) => {
    if (buffer.detached) throw notCloneable();
    const copy = new ArrayBuffer(buffer.byteLength, buffer.resizable ? { maxByteLength: buffer.maxByteLength } : undefined);
    new Uint8Array(copy).set(new Uint8Array(buffer));
    return copy;
  };

  const copyView = (view, clone) => {
    const buffer = clone(view.buffer);
    const name = viewName.call(view);
    if (name === undefined) return new DataView(buffer, view.byteOffset, view.byteLength);
    return new globalThis[name](buffer, view.byteOffset, view.length);
  };

  const copyError = (error) => {
    const { name } = error;
    const Class = nativeErrors.find((native) => native.name === name) ?? Error;
    const message = getOwnPropertyDescriptor(error, "message");
    const copy = message !== undefined && "value" in message ? new Class(`${message.value}`) : new Class();
    const { stack } = error;
    defineProperty(copy, "stack", { value: typeof stack === "string" ? stack : "", writable: true, configurable: true });
    return copy;
  };

  const fillProperties = (source, copy, clone) => {
    for (const key of Object.keys(source)) {
      if (!Object.hasOwn(source, key)) continue;
      const value = clone(source[key]);
      if (key === "__proto__") defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
      else copy[key] = value;
    }
  };
  const fillMap = (source, copy, clone) => {
    for (const [key, value] of [...Map.prototype.entries.call(source)]) copy.set(clone(key), clone(value));
  };
  const fillSet = (source, copy, clone) => {
    for (const member of [...Set.prototype.values.call(source)]) copy.add(clone(member));
  };

  // Class, what makes a copy or its empty shell, and how that is filled later.
  const kinds = [Boolean, Number, String, BigInt].map((Class) => [Class, (value) => Object(Class.prototype.valueOf.call(value))]);
  kinds.push(
    [Date, (value) => new Date(Date.prototype.getTime.call(value))],
    [RegExp, (value) => new RegExp(value.source, value.flags)],
    [Map, () => new Map(), fillMap],
    [Set, () => new Set(), fillSet],
    [ArrayBuffer, copyBuffer],
    [DOMException, (value) => new DOMException(value.message, value.name)],
  );

  const kindOf = (value) => {
    if (Array.isArray(value)) return [Array, () => new Array(value.length), fillProperties];
    if (ArrayBuffer.isView(value)) return [Object, copyView];
    const kind = kinds.find(([Class]) => value instanceof Class);
    if (kind !== undefined) return kind;
    if (Error.isError(value)) return [Error, copyError];
    if (refused.some((Class) => value instanceof Class)) throw notCloneable();
    if (refusedTags.includes(Object.prototype.toString.call(value))) throw notCloneable();
    return [Object, () => ({}), fillProperties];
  };

  const readTransfer = (options) => {
    if (options !== undefined && options !== null && typeof options !== "object") throw new TypeError("Type error");
    const buffers = [...(options?.transfer ?? [])];
    const valid = buffers.every((buffer) => buffer instanceof ArrayBuffer && !buffer.detached);
    if (!valid || new Set(buffers).size < buffers.length) throw notCloneable();
    return buffers;
  };

  const { structuredClone } = {
    structuredClone(value, options = undefined) {
      if (arguments.length === 0) throw new TypeError("structuredClone requires 1 argument");
      const transferred = readTransfer(options);
      const copies = new Map();
      const unfilled = [];
      const clone = (original) => {
        if (typeof original === "symbol" || typeof original === "function") throw notCloneable();
        if (typeof original !== "object" || original === null) return original;
        const known = copies.get(original);
        if (known !== undefined) return known;
        const [, make, fill] = kindOf(original);
        const copy = make(original, clone);
        copies.set(original, copy);
        if (fill !== undefined) unfilled.push([fill, original, copy]);
        return copy;
      };
      const result = clone(value);
      for (const [fill, original, copy] of unfilled) fill(original, copy, clone);
      // Copied first and detached last, so that a value which cannot be cloned leaves the buffers as they were.
      for (const buffer of transferred) buffer.transfer(0);
      return result;
    },
  };
  expose("structuredClone", structuredClone);
};

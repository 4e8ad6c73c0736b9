import type { QuickJSContext, QuickJSHandle } from "quickjs-emscripten-core";
import capabilities from "./capabilities.guest.js" with { type: "text" };
import encode from "./encode.guest.js" with { type: "text" };
import { createHostApi, type GuestRun } from "./host-api.ts";
import inspect from "./inspect.guest.js" with { type: "text" };
import { fixedLimits } from "./limits.ts";
import prelude from "./prelude.guest.js" with { type: "text" };
import structuredClone from "./structured-clone.guest.js" with { type: "text" };
import url from "./url.guest.js" with { type: "text" };
import { createHostUrl } from "./url-host.ts";
import webApis from "./web-apis.guest.js" with { type: "text" };

export type PreludeFunction =
  | "expose"
  | "makeRoom"
  | "begin"
  | "watch"
  | "settleCall"
  | "enterModule"
  | "unwrapCompletion"
  | "chooseOutput"
  | "encodeOutput"
  | "describeError";

/** Lays out the global object of a new context, and returns what the host calls in it. */
export function evaluateScripts(context: QuickJSContext, currentRun: () => GuestRun): Record<PreludeFunction, QuickJSHandle> {
  const api = createHostApi(context, currentRun);
  const host = context.newObject();
  const parts = {
    ...api,
    capabilities: evaluate(context, capabilities),
    encode: evaluate(context, encode),
    inspect: evaluate(context, inspect),
  };
  for (const [name, handle] of Object.entries(parts)) context.setProp(host, name, handle);
  const limits = context.newString(JSON.stringify(fixedLimits));
  const functions = context.unwrapResult(context.callFunction(evaluate(context, prelude), context.undefined, host, limits));
  const read = (name: PreludeFunction): QuickJSHandle => context.getProp(functions, name);
  exposeWebApis(context, read("expose"));
  return {
    expose: read("expose"),
    makeRoom: read("makeRoom"),
    begin: read("begin"),
    watch: read("watch"),
    settleCall: read("settleCall"),
    enterModule: read("enterModule"),
    unwrapCompletion: read("unwrapCompletion"),
    chooseOutput: read("chooseOutput"),
    encodeOutput: read("encodeOutput"),
    describeError: read("describeError"),
  };
}

/** In this order, because the later ones use the earlier. What only the setting up needed is released: it would be copied. */
function exposeWebApis(context: QuickJSContext, expose: QuickJSHandle): void {
  const askUrl = createHostUrl(context);
  for (const script of [webApis, url, structuredClone]) {
    const install = evaluate(context, script);
    context.unwrapResult(context.callFunction(install, context.undefined, expose, askUrl)).dispose();
    install.dispose();
  }
}

function evaluate(context: QuickJSContext, script: string): QuickJSHandle {
  return context.unwrapResult(context.evalCode(script, "sandbox.js", { type: "global", strip: true }));
}

import type { z } from "zod";
import { type CapabilityName, capabilityNames, type ExecutionRequest } from "../../../sandbox/execution.ts";
import { newId } from "../../platform/ids.ts";
import type { validation, validationRequest } from "./schema.ts";

export type ValidationInput = z.infer<ReturnType<typeof validationRequest>>;
export type Validation = z.infer<typeof validation>;

/** How each capability is used in code. A name in a string or of the program's own counts too: this warns, the run decides. */
const uses: Readonly<Record<CapabilityName, RegExp>> = {
  fetch: /(?<![.\w$])fetch\s*\(/,
  kv: /(?<![.\w$])kv\s*\.\s*(?:get|set|delete|list)\b/,
  events: /(?<![.\w$])events\s*\.\s*publish\b/,
  log: /(?<![.\w$])log\s*\(/,
};

const timeoutMs = 1_000;
const memoryBytes = 16_777_216;

export function validateRequest(input: ValidationInput, owner: string): ExecutionRequest {
  const { code, language } = input;
  return { id: newId("execution"), owner, code, timeoutMs, memoryBytes, checkOnly: true, ...(language ? { language } : {}) };
}

/** Which capabilities the code seems to use, and which of those are not granted. */
export function capabilitiesOf({ code, capabilities = {} }: ValidationInput): Validation["capabilities"] {
  const used = capabilityNames.filter((name) => uses[name].test(code));
  return { used, missing: used.filter((name) => capabilities[name] === undefined) };
}

import type { Validator } from "../../../../db/schema/rotation.ts";
import type { SecretValue } from "../value.ts";
import type { CallOut } from "./call-out.ts";
import { lettersOf } from "./generators.ts";

export interface Candidate {
  readonly value: SecretValue;
  /** The values of so many versions before it, as far as they can be had. */
  previous(versions: number): Promise<readonly SecretValue[]>;
}

/** What is wrong with it, in words without the value; undefined when it may take its place. Rejects when a call-out does not answer. */
export async function faultOf(validators: readonly Validator[], candidate: Candidate, callOut: CallOut): Promise<string | undefined> {
  for (const validator of validators) {
    const fault = await check(validator, candidate, callOut);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

async function check(validator: Validator, { value, previous }: Candidate, callOut: CallOut): Promise<string | undefined> {
  const texts = typeof value === "string" ? [value] : Object.values(value);
  switch (validator.kind) {
    case "length": {
      const { min, max } = validator;
      return texts.every(({ length }) => length >= min && length <= max) ? undefined : `it does not have ${min} to ${max} characters`;
    }
    case "charset": {
      const allowed = new Set(lettersOf[validator.alphabet]);
      return texts.every((text) => [...text].every((letter) => allowed.has(letter))) ? undefined : `it is not ${validator.alphabet} only`;
    }
    case "prefix":
      return texts.every((text) => text.startsWith(validator.prefix)) ? undefined : `it does not begin with ${validator.prefix}`;
    case "differs": {
      const same = JSON.stringify(value);
      const before = await previous(validator.versions);
      return before.some((it) => JSON.stringify(it) === same) ? "it is one of the values before" : undefined;
    }
    case "webhook":
      return callOut.validate(validator.url, value);
    default:
      return validator satisfies never;
  }
}

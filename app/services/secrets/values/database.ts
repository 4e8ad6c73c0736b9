import type { Seal } from "../../../platform/seal.ts";
import { bindingOf } from "../tenant.ts";
import { UnreadableValue, type ValueStore } from "./port.ts";

/** Values sealed into the version's own row: there is nothing to undo or to erase besides it. */
export function createDatabaseValues(seal: Seal): ValueStore {
  return {
    name: "database",
    put: async (_unit, ref, plain) => seal.seal(plain, bindingOf(ref)),
    get: (ref, kept) => {
      try {
        return seal.open(kept, bindingOf(ref));
      } catch (cause) {
        throw new UnreadableValue("the value does not open", { cause });
      }
    },
    erase: async () => undefined,
  };
}

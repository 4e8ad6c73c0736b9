import { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import type { ValueStore } from "../values/store.ts";
import { type Capability, CapabilityError } from "./broker.ts";

/** What one owner or team may keep. */
const bounds = { keysMax: 10_000, bytesMax: 10_485_760 };
const valueBytesMax = 65_536;
const yearSeconds = 31_536_000;

const key = z
  .string()
  .min(1)
  .max(512)
  .refine((text) => !text.includes("\0") && text.isWellFormed());
const named = z.object({ key });
const written = z.object({ key, value: z.unknown(), ttlSeconds: z.number().positive().max(yearSeconds).nullish() });
const listed = z.object({ prefix: z.string().max(512), limit: z.number().int().min(1).max(1_000), after: z.string().max(512).nullish() });

/** JSON values by key, which outlive the run and are shared by all programs of the same owner, or team. */
export function createKvCapability({ store, now }: { readonly store: ValueStore; readonly now: Now }): Capability {
  const read = async (tenant: string, argument: unknown) => {
    const value = await store.get(tenant, check(named, argument).key, now());
    return value === undefined ? null : JSON.parse(value);
  };

  const write = async (tenant: string, argument: unknown) => {
    const given = check(written, argument);
    const value = JSON.stringify(given.value ?? null);
    const bytes = Buffer.byteLength(value);
    if (bytes > valueBytesMax) throw new CapabilityError("LimitError", `a value may have at most ${valueBytesMax} bytes of JSON`);
    const at = now();
    const expiresAt = given.ttlSeconds ? new Date(at.getTime() + given.ttlSeconds * 1_000) : null;
    if (!(await store.set({ tenant, key: given.key, value, bytes, expiresAt, updatedAt: at }, bounds)))
      throw new CapabilityError("LimitError", `at most ${bounds.keysMax} keys and ${bounds.bytesMax} bytes are kept`);
    return null;
  };

  return async ({ ownerId, teamId, grants }, method, argument) => {
    const tenant = teamId ?? ownerId;
    switch (method) {
      case "get":
        return read(tenant, argument);
      case "list": {
        const { prefix, limit, after } = check(listed, argument);
        return store.list(tenant, { prefix, limit, after: after ?? "", now: now() });
      }
      case "set":
      case "delete":
        if (grants.kv?.readOnly) throw new CapabilityError("NotGrantedError", "only reading is granted");
        return method === "set" ? write(tenant, argument) : store.delete(tenant, check(named, argument).key);
      default:
        throw new CapabilityError("TypeError", `kv has no ${method}`);
    }
  };
}

function check<T>(schema: z.ZodType<T>, argument: unknown): T {
  const parsed = schema.safeParse(argument);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CapabilityError("TypeError", `${issue?.path.join(".") || "the argument"}: ${issue?.message}`);
}

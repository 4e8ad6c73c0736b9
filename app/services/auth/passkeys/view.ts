import type { PasskeyView } from "./schema.ts";
import type { PasskeyRow } from "./store.ts";

export function toPasskeyView({ id, name, createdAt, lastUsedAt, backedUp }: PasskeyRow): PasskeyView {
  return { id, name, createdAt: createdAt.toISOString(), lastUsedAt: lastUsedAt?.toISOString() ?? null, backedUp };
}

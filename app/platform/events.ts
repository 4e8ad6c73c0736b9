import type { z } from "zod";
import type { RequestOrigin } from "./actor.ts";

/** The type of an event and the shape of its data: the one value publisher and reader share. */
export interface EventContract<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: z.ZodType<Data>;
  /** What matters for security leaves a row in the audit log too, in the same transaction. */
  readonly audited?: boolean;
}

export function defineEvent<const Type extends string, Data>(contract: EventContract<Type, Data>): EventContract<Type, Data> {
  return Object.freeze(contract);
}

export interface EventInit<Data> {
  readonly subject?: string;
  /** The user who may see it; absent means administrators only. */
  readonly audience?: string;
  /** On whose authority it happened. */
  readonly actorId?: string;
  /** The request that caused it. */
  readonly origin?: Pick<RequestOrigin, "requestId"> & Partial<Pick<RequestOrigin, "ip">>;
  readonly data: Data;
}

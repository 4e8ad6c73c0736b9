import type { z } from "zod";

/** The type of an event and the shape of its data: the one value publisher and reader share. */
export interface EventContract<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: z.ZodType<Data>;
}

export function defineEvent<const Type extends string, Data>(contract: EventContract<Type, Data>): EventContract<Type, Data> {
  return Object.freeze(contract);
}

export interface EventInit<Data> {
  readonly subject?: string;
  /** The user who may see it; absent means administrators only. */
  readonly audience?: string;
  readonly requestId?: string;
  readonly data: Data;
}

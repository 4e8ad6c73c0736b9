import type { Queryable } from "../../db/client.ts";

/** What one service keeps of an account, for whoever is asked to hand it out or to erase it. */
export interface AccountData {
  readonly service: string;
  /** Plain JSON; without secrets, which nobody gets a copy of. */
  export(userId: string): Promise<unknown>;
  /** Part of the caller's transaction. Erasing twice is harmless. */
  erase(userId: string, on: Queryable): Promise<void>;
}

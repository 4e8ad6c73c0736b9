import type { AddressGuard } from "./address-guard.ts";
import { type Answer, type OutgoingRequest, sendRequest } from "./request.ts";

export type Post = Pick<OutgoingRequest, "url" | "headers" | "signal"> & { readonly body: string };

export interface PostAnswer extends Pick<Answer, "status" | "headers"> {
  /** The beginning of the body as text. */
  readonly excerpt: string;
}

const excerptBytesMax = 1_024;

/** Sends one POST as `sendRequest` does, and reads no more of the answer than tells what it is about. */
export async function post(given: Post, guard: Pick<AddressGuard, "allows" | "lookup">): Promise<PostAnswer> {
  const { status, headers, body } = await sendRequest({ ...given, method: "POST", bodyBytesMax: excerptBytesMax }, guard);
  return { status, headers, excerpt: body.toString() };
}

import { randomToken } from "../app/platform/ids.ts";

/** An answer with its body read: `body` is the parsed JSON, or the text of anything else. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape, and their assertions are the check
  readonly body: any;
}

export interface RequestOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly rawBody?: string | Uint8Array<ArrayBuffer>;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request to a running copy; an object as `body` is sent as JSON. */
export async function request(url: string, path: string, options: RequestOptions = {}): Promise<Answer> {
  const body = options.rawBody ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const answer = await fetch(`${url}${path}`, {
    method: options.method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await answer.text();
  const isJson = /[/+]json/.test(answer.headers.get("content-type") ?? "");
  return { status: answer.status, headers: answer.headers, body: isJson && text !== "" ? JSON.parse(text) : text };
}

export interface SignedInUser {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly refreshToken: string;
}

/** A fresh account with a session. */
export async function signUp(url: string): Promise<SignedInUser> {
  const email = `${randomToken(9)}@example.com`;
  const password = "correct horse battery staple";
  const { status, body } = await request(url, "/v1/auth/signup", { body: { email, password } });
  if (status !== 201) throw new Error(`sign-up answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.user.id, email, password, token: body.accessToken, refreshToken: body.refreshToken };
}

export interface StreamEvent {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly data: any;
}

/** Reads an event stream until it ends, or until `enough` says so; then the connection is dropped. */
export async function readStream(
  url: string,
  path: string,
  options: { readonly token: string; readonly lastEventId?: string; readonly enough?: (events: readonly StreamEvent[]) => boolean },
): Promise<{ readonly status: number; readonly events: StreamEvent[] }> {
  const abort = new AbortController();
  const answer = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${options.token}`, ...(options.lastEventId ? { "last-event-id": options.lastEventId } : {}) },
    signal: abort.signal,
  });
  const events: StreamEvent[] = [];
  if (answer.status !== 200 || !answer.body) return { status: answer.status, events };
  let text = "";
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const frames = text.split("\n\n");
    text = frames.pop() ?? "";
    for (const frame of frames) {
      const event = parseFrame(frame);
      if (event) events.push(event);
      if (options.enough?.(events)) {
        abort.abort();
        return { status: answer.status, events };
      }
    }
  }
  return { status: answer.status, events };
}

/** Undefined for comments and frames without data. */
function parseFrame(frame: string): StreamEvent | undefined {
  const fields = new Map(frame.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)] as const));
  const data = fields.get("data");
  return data === undefined ? undefined : { id: fields.get("id") ?? "", event: fields.get("event") ?? "message", data: JSON.parse(data) };
}

/** What node-vault asks of the function it sends with. */
interface Outgoing {
  readonly uri: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly json?: object;
  readonly timeout: number;
}

interface Incoming {
  readonly statusCode: number;
  readonly body: unknown;
  readonly request: { readonly path: string };
}

/**
 * For the option `request-promise` of node-vault. What it has by itself, axios with follow-redirects, prints tokens when `DEBUG` is set, sends them
 * after any redirect, and keeps them in its errors.
 */
export function createTransport(caCert: string | undefined) {
  // Said, because `NODE_TLS_REJECT_UNAUTHORIZED` would say otherwise.
  const tls = { rejectUnauthorized: true, ...(caCert === undefined ? {} : { ca: caCert }) };

  const send = async (outgoing: Outgoing): Promise<Incoming> => {
    const { uri, timeout } = outgoing;
    const signal = AbortSignal.timeout(Math.ceil(timeout));
    const first = await fetch(uri, { ...toRequest(outgoing), tls, signal });
    const next = redirectOf(uri, first);
    const response = next === undefined ? first : await fetch(next, { ...toRequest(outgoing), tls, signal });
    return { statusCode: response.status, body: parsed(await response.text()), request: { path: new URL(uri).pathname } };
  };
  return { defaults: () => send };
}

function toRequest({ method, headers, json }: Outgoing) {
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  return { method, headers: { ...headers, "content-type": "application/json" }, redirect: "manual", ...body } as const;
}

/** A standby may send us on to the active server, once, and not to where anybody could read the token. */
function redirectOf(from: string, { status, headers }: Response): string | undefined {
  const location = headers.get("location");
  if (![301, 302, 307, 308].includes(status) || location === null) return undefined;
  const to = new URL(location, from);
  if (to.protocol !== "https:" && to.protocol !== new URL(from).protocol) throw new Error("a redirect from https to http was refused");
  return to.href;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

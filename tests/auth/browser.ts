import type { Answer } from "../client.ts";

export interface Visit {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Browser = ReturnType<typeof createBrowser>;

/** As much of a browser as a log-in needs: cookies by origin, and redirects one by one. `publicUrl` is where it believes `url` to be. */
export function createBrowser({ publicUrl, url }: { readonly publicUrl: string; readonly url: string }) {
  const jars = new Map<string, Map<string, string>>();
  const jarOf = (origin: string): Map<string, string> => {
    const jar = jars.get(origin) ?? new Map<string, string>();
    jars.set(origin, jar);
    return jar;
  };

  const visit = async (to: string, { method, body, headers }: Visit = {}): Promise<Answer & { readonly location: string | undefined }> => {
    const target = new URL(to, publicUrl);
    const jar = jarOf(target.origin);
    const answer = await fetch(target.href.replace(publicUrl, url), {
      redirect: "manual",
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...(jar.size > 0 ? { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") jar.delete(name);
      else jar.set(name, value);
    }
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") ?? false;
    const location = answer.headers.get("location");
    return {
      status: answer.status,
      headers: answer.headers,
      body: isJson && text !== "" ? JSON.parse(text) : text,
      location: location === null ? undefined : new URL(location, target).href,
    };
  };

  return {
    visit,
    cookies: (origin = publicUrl): ReadonlyMap<string, string> => jarOf(origin),
    forget: () => jars.clear(),

    /** Follows a provider's redirects until it sends the browser home; gives that address, which has not been visited. */
    logInAt: async (authorizationUrl: string, person?: string): Promise<string> => {
      let at = authorizationUrl;
      for (let hops = 0; hops < 12; hops += 1) {
        const answer = await visit(at, { headers: person === undefined ? {} : { "x-person": person } });
        if (answer.location === undefined) throw new Error(`${at} answered ${answer.status}: ${JSON.stringify(answer.body).slice(0, 500)}`);
        at = answer.location;
        if (at.startsWith(publicUrl)) return at;
      }
      throw new Error("the provider sends the browser in circles");
    },
  };
}

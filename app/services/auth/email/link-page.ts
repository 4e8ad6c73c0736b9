/** What the page behind a link in a mail asks for before it sends the token. It does nothing by itself: mail scanners open links too. */
export interface LinkPage {
  readonly title: string;
  /** HTML of the form's fields; their names are the members of the body that go with the token. Empty ones are left out. */
  readonly fields: string;
  readonly button: string;
  /** What the body calls the token; `token` unless it is said. */
  readonly tokenName?: string;
  /** Where the form goes. */
  readonly path: string;
  readonly done: string;
  /** A second button, which sends the token with this member set to `true`. */
  readonly other?: { readonly button: string; readonly name: string; readonly done: string };
}

/** Keeps the token in the address out of caches and referrers, the page out of frames, and everything that is not in the page out of it. */
export const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

/** The page stands alone: no asset, no network but the one POST. Made of our own texts only; nothing of the request is in it. */
export function linkPage({ title, fields, tokenName = "token", button, path, done, other }: LinkPage): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Keelson: ${title}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 10vh auto; padding: 0 1rem; color: #1b2430; }
  label { display: block; margin: 1rem 0; }
  input { display: block; width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; border: 1px solid #98a4b3; border-radius: 4px; }
  button { padding: .6rem 1.2rem; font: inherit; border: 0; border-radius: 4px; background: #14507a; color: #fff; cursor: pointer; }
  button.other { background: none; color: #14507a; }
  output { display: block; margin-top: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
<h1>${title}</h1>
<form>
  ${fields}
  <button>${button}</button>${other ? `\n  <button class="other" name="${other.name}">${other.button}</button>` : ""}
  <output></output>
</form>
<script>
  const form = document.querySelector("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = new URLSearchParams(location.search).get("token") ?? "";
    const other = event.submitter?.name;
    const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
    const answer = await fetch("${path}", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ${tokenName}: token, ...given, ...(other ? { [other]: true } : {}) }),
    });
    const text = await answer.text();
    const body = text === "" ? {} : JSON.parse(text);
    form.querySelector("output").textContent = answer.ok
      ? [other ? ${JSON.stringify(other?.done ?? "")} : ${JSON.stringify(done)}, body.accessToken && "Access token: " + body.accessToken].filter(Boolean).join("\\n")
      : [body.title, body.detail, ...(body.errors ?? []).map((error) => error.pointer + ": " + error.detail)].filter(Boolean).join("\\n");
    if (answer.ok) for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
</script>
</html>
`;
}

import { formPage } from "../../../http/form-page.ts";

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

/** The page stands alone: no asset, no network but the one POST. Made of our own texts only; nothing of the request is in it. */
export function linkPage({ title, fields, tokenName = "token", button, path, done, other }: LinkPage): string {
  return formPage({
    title,
    form: `${fields}
  <button>${button}</button>${other ? `\n  <button class="other" name="${other.name}">${other.button}</button>` : ""}`,
    script: `  form.addEventListener("submit", async (event) => {
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
    const done = other ? ${JSON.stringify(other?.done ?? "")} : ${JSON.stringify(done)};
    say(answer.ok ? [done, body.accessToken && "Access token: " + body.accessToken].filter(Boolean).join("\\n") : reasons(body));
    if (answer.ok) for (const button of form.querySelectorAll("button")) button.disabled = true;
  });`,
  });
}

import { formPage } from "../../../http/form-page.ts";

/** What a one-time link opens. The token is behind the #, which browsers send nobody, and only the button uses it: whoever looks at links for others does not. */
export const sharePage = formPage({
  title: "A secret for you",
  form: `<p>It is shown once. Have a place for it ready.</p>
  <button>Show it</button>`,
  script: `  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const answer = await fetch("/v1/secrets/shared/redeem", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: location.hash.slice(1) }),
    });
    const body = await answer.json();
    if (!answer.ok) return say(reasons(body));
    history.replaceState(null, "", location.pathname);
    say(typeof body.value === "string" ? body.value : Object.entries(body.value).map(([field, text]) => field + ": " + text).join("\\n"));
  });`,
});

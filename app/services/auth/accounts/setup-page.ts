import { formPage } from "../../../http/form-page.ts";

/** The form behind the set-up link. */
export const setupPage = formPage({
  title: "Create the administrator",
  form: `<label>E-mail <input name="email" type="email" autocomplete="username" required></label>
  <label>Password <input name="password" type="password" minlength="8" maxlength="128" autocomplete="new-password" required></label>
  <button>Create</button>`,
  script: `  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = new URLSearchParams(location.search).get("token") ?? "";
    const { email, password } = Object.fromEntries(new FormData(form));
    const answer = await fetch("/v1/auth/setup", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, email, password }),
    });
    const body = await answer.json();
    say(answer.ok
      ? "Done: " + body.user.email + " is the administrator. You can close this page and log in with POST /v1/auth/login."
      : reasons(body));
    if (answer.ok) form.querySelector("button").disabled = true;
  });`,
});

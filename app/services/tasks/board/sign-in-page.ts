import { formPage } from "../../../http/form-page.ts";

/** Stands where a page for administrators would, as long as nobody is signed in: an expired access token is renewed unseen, else it asks. */
export const signInPage = formPage({
  title: "Sign in as an administrator",
  form: `<label>E-mail <input name="email" type="email" autocomplete="username" required></label>
  <label>Password <input name="password" type="password" maxlength="128" autocomplete="current-password" required></label>
  <label>Code of your second factor, if you have one <input name="totp" inputmode="numeric" autocomplete="one-time-code" maxlength="32"></label>
  <button>Sign in</button>`,
  script: `  const send = (path, body) => fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-session-transport": "cookie" },
    body: JSON.stringify(body),
  });
  const triedAt = Number(sessionStorage.getItem("renewed-at") ?? 0);
  if (Date.now() - triedAt > 10_000) {
    sessionStorage.setItem("renewed-at", String(Date.now()));
    send("/v1/auth/refresh", {}).then((answer) => { if (answer.ok) location.reload(); });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await send("/v1/auth/login", Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== "")));
    const body = await answer.json();
    if (!answer.ok) return say(reasons(body));
    if (body.user.role !== "admin") return say("This account is no administrator's.");
    if ((await fetch("/v1/auth/session")).ok) return location.reload();
    say("The browser did not keep the cookie of the session. It does so over https, or at http://localhost:" + location.port + location.pathname);
  });`,
});

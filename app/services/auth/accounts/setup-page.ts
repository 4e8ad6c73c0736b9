/** The form behind the set-up link. It stands alone: no asset, no network but the one POST. */
export const setupPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Keelson: create the administrator</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 10vh auto; padding: 0 1rem; color: #1b2430; }
  label { display: block; margin: 1rem 0; }
  input { display: block; width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; border: 1px solid #98a4b3; border-radius: 4px; }
  button { padding: .6rem 1.2rem; font: inherit; border: 0; border-radius: 4px; background: #14507a; color: #fff; cursor: pointer; }
  output { display: block; margin-top: 1rem; white-space: pre-wrap; }
</style>
<h1>Create the administrator</h1>
<form>
  <label>E-mail <input name="email" type="email" autocomplete="username" required></label>
  <label>Password <input name="password" type="password" minlength="8" maxlength="128" autocomplete="new-password" required></label>
  <button>Create</button>
  <output></output>
</form>
<script>
  const form = document.querySelector("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = new URLSearchParams(location.search).get("token") ?? "";
    const { email, password } = Object.fromEntries(new FormData(form));
    const answer = await fetch("/v1/auth/setup", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, email, password }),
    });
    const body = await answer.json();
    form.querySelector("output").textContent = answer.ok
      ? "Done: " + body.user.email + " is the administrator. You can close this page and log in with POST /v1/auth/login."
      : [body.title, body.detail, ...(body.errors ?? []).map((error) => error.pointer + ": " + error.detail)].filter(Boolean).join("\\n");
    if (answer.ok) form.querySelector("button").disabled = true;
  });
</script>
</html>
`;

/** Keeps the token in the address out of caches and referrers, the page out of frames, and everything that is not in the page out of it. */
export const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
} as const;

export interface FormPage {
  readonly title: string;
  /** HTML between the form's tags; it ends with the buttons. */
  readonly form: string;
  /** What the page does; it finds `form`, its element, `say(text)`, which shows a text below it, and `reasons(problem)`, the text of a refusal. */
  readonly script: string;
}

/** A page of one form that stands alone: no asset, no network but what its script asks for. Made of our own texts only; nothing of the request is in it. */
export function formPage({ title, form, script }: FormPage): string {
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
  ${form}
  <output></output>
</form>
<script>
  const form = document.querySelector("form");
  const say = (text) => { form.querySelector("output").textContent = text; };
  const reasons = ({ title, detail, errors = [] }) =>
    [title, detail, ...errors.map((error) => error.pointer + ": " + error.detail)].filter(Boolean).join("\\n");
${script}
</script>
</html>
`;
}

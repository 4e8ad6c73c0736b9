import { html } from "hono/html";
import { createRoutes, type Guards } from "../../http/route.ts";
import type { NotifyService } from "./service.ts";

/**
 * GET /dev/mail        open, in development only: the mails that nothing is configured to deliver
 * GET /dev/mail.json   the same for programs
 */
export function notifyRoutes(deps: {
  readonly notify: Pick<NotifyService, "developmentMails">;
  readonly developmentMailbox: boolean;
  readonly guards: Guards;
}) {
  const routes = createRoutes();
  if (!deps.developmentMailbox) return routes;
  for (const guard of deps.guards.open) routes.use("/dev/*", guard);
  routes.get("/dev/mail.json", async (c) => c.json({ data: await deps.notify.developmentMails() }, 200, { "cache-control": "no-store" }));
  routes.get("/dev/mail", async (c) => {
    c.header("cache-control", "no-store");
    return c.html(mailboxPage(await deps.notify.developmentMails()));
  });
  return routes;
}

function mailboxPage(mails: Awaited<ReturnType<NotifyService["developmentMails"]>>) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>Development mailbox</title>
      </head>
      <body style="font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 5vh auto; padding: 0 1rem">
        <h1>Development mailbox</h1>
        <p>No mail provider is configured, so mail stops here.</p>
        ${mails.map(
          (mail) => html`<article style="border-top: 1px solid #98a4b3; padding: 1rem 0">
            <strong>${mail.subject}</strong>
            <div>to ${mail.to}, ${mail.createdAt}</div>
            <pre style="white-space: pre-wrap">${mail.text}</pre>
          </article>`,
        )}
      </body>
    </html>`;
}

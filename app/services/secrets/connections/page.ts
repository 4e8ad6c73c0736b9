/** What the browser shows when it is back. Nothing of the request is in it. */
export const connectedPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Keelson: connected</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 10vh auto; padding: 0 1rem; color: #1b2430; }</style>
<h1>Connected</h1>
<p>You can close this window.</p>
</html>
`;

import { signUp } from "/work/main/tests/client.ts";
import { testPostgres, stopTestServices } from "/work/main/tests/services.ts";
const path = process.argv[2] ?? "/v1/bench", flags = process.argv[3] ? [process.argv[3], "--cpu-prof-dir=/tmp/prof"] : [];
const databaseUrl = await testPostgres();
let url = ""; let got = Promise.withResolvers<void>(); let cpu: any;
const child = Bun.spawn(["bun", ...flags, "/work/main/tests/bench/http-keelson-server.ts", JSON.stringify({ databaseUrl })], { stdout: "ignore", stderr: "inherit", serialization: "json", cwd: "/work/main",
  ipc: (m: any) => { if (m.ready) child.send({ id: 1, verb: "url", input: {} }); else if (m.id === 1) { url = m.value; got.resolve(); } } });
await got.promise;
const { token } = await signUp(url);
for (const d of [2, 4]) { const w = Bun.spawn(["wrk", "-t1", "-c50", `-d${d}s`, "--latency", "-H", `authorization: Bearer ${token}`, url + path], { stdout: "inherit" }); await w.exited; }
child.disconnect(); await child.exited;
await stopTestServices();

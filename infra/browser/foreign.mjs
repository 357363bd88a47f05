// Shows in Chromium that a page of another origin reads and changes nothing on a stack that requires no key.
// Usage: node foreign.mjs [--origin URL] [--emulator URL] [--chromium PATH]    The stack is `cargo xtask up` without --auth.
// A hostile page is served from another port of this machine, from the same site and from another site, and under a name
// that is rebound to this machine (DNS rebinding). Each makes every kind of request that a browser allows. The check
// passes if nothing has changed, no request of a page was answered with data, and programs other than browsers still
// get their responses.
import { chromium } from "playwright-core";
import http from "node:http";
const arg = (name, or) => { const i = process.argv.indexOf("--" + name); return i < 0 ? or : process.argv[i + 1]; };
const ORIGIN = arg("origin", "http://127.0.0.1:3000").replace(/\/$/, ""), EMULATOR = arg("emulator", "").replace(/\/$/, "");
const PORT = new URL(ORIGIN).port || "80", EVIL = "evil.example", REBOUND = "localhost.example";
const assert = (ok, text) => { if (!ok) throw new Error(text); };

/** A request of a program that is not a browser: without Origin and Sec-Fetch-Site. */
async function program(method, path, body) {
  const response = await fetch(ORIGIN + path, { method, headers: { "content-type": "application/json" }, body: method === "GET" ? undefined : JSON.stringify(body ?? {}) });
  const answer = await response.json();
  assert(response.ok, `${method} ${path} answered ${response.status} ${JSON.stringify(answer)}: is this a stack without --auth?`);
  return answer;
}
/** The state that must not change. */
async function state(job) {
  const [{ job: now }, { stats }, { jobs }, { endpoints }] = await Promise.all([program("GET", `/api/job/${job}`), program("GET", "/api/queue/status"), program("GET", "/api/queue/jobs?limit=500"), program("GET", "/api/webhooks/endpoints")]);
  return { cancelled: now.status === "cancelled", isProcessing: stats.isProcessing, jobs: jobs.map((one) => one.id), endpoints: endpoints.map((one) => [one.id, one.enabled]) };
}

/** Runs in the hostile page: makes every kind of request, and reports what it could read. */
async function attack({ target, job, emulator, files }) {
  const read = [], attempts = [], at = (path) => target + path;
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const attempt = async (name, work) => {
    attempts.push(name);
    try {
      const got = await Promise.race([work(), wait(3000)]);
      if (got) read.push(`${name}: ${String(got).slice(0, 80)}`);
    } catch { /* The browser does not let the page read the response. */ }
  };
  /** The part of a response that a page can read; errors contain no data. */
  const text = async (response) => (response.ok ? `${response.status} ${await response.text()}` : null);
  const json = JSON.stringify({ processing: false, country: "US", platform: "Netflix", genre: "Horror", url: "https://evil.example/hook", videoUrl: "https://evil.example/v.mp4" });
  const reads = ["/api/queue/jobs", "/api/queue/status", `/api/job/${job}`, `/api/queue/job/${job}/logs`, "/api/webhooks/endpoints", "/api/logs/search", "/api/videos", "/api/platforms/US", "/dashboard"];
  const writes = [["POST", "/api/queue/toggle"], ["POST", "/api/queue/clear"], ["POST", `/api/job/${job}/cancel`], ["DELETE", `/api/queue/job/${job}`], ["POST", "/api/generate"], ["POST", "/api/webhooks/endpoints"], ["POST", `/api/job/${job}/complete`], ["POST", "/api/stream-token"]];

  for (const path of reads) {
    for (const credentials of ["omit", "include"]) await attempt(`GET ${path} ${credentials}`, async () => text(await fetch(at(path), { credentials })));
    await attempt(`GET no-cors ${path}`, async () => { const response = await fetch(at(path), { mode: "no-cors" }); return response.type === "opaque" ? (await response.text()) || null : text(response); });
    await attempt(`GET with a wrong key ${path}`, async () => text(await fetch(at(path), { headers: { "x-api-key": "rk_wrong" } })));
  }
  for (const [method, path] of writes) {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json"]) {
      for (const mode of ["cors", "no-cors"]) await attempt(`${method} ${mode} ${type} ${path}`, async () => text(await fetch(at(path), { method, mode, headers: { "content-type": type }, body: json })));
    }
    await attempt(`${method} without a body ${path}`, async () => text(await fetch(at(path), { method })));
    await attempt(`${method} with a wrong key ${path}`, async () => text(await fetch(at(path), { method, headers: { "content-type": "application/json", authorization: "Bearer rk_wrong" }, body: json })));
    await attempt(`beacon ${path}`, async () => { navigator.sendBeacon(at(path), json); await wait(100); });
    for (const enctype of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
      await attempt(`form ${enctype} ${path}`, async () => {
        const frame = document.createElement("iframe"); frame.name = "f" + Math.random(); document.body.append(frame);
        const form = document.createElement("form"); Object.assign(form, { method: "POST", action: at(path), enctype, target: frame.name });
        // With text/plain, the encoded form is valid JSON.
        const field = document.createElement("input"); field.name = json.slice(0, -1) + ',"x":"'; field.value = '"}'; form.append(field); document.body.append(form);
        const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
        form.submit(); await Promise.race([loaded, wait(1500)]);
        try { return /"success":true/.test(frame.contentDocument?.body?.innerText ?? "") ? frame.contentDocument.body.innerText : null; } finally { frame.remove(); form.remove(); }
      });
    }
  }
  for (const path of ["/api/queue/status/stream", `/api/job/${job}/stream`]) {
    await attempt(`EventSource ${path}`, () => new Promise((resolve) => {
      const source = new EventSource(at(path));
      for (const name of ["message", "status", "heartbeat"]) source.addEventListener(name, (event) => { source.close(); resolve(event.data); });
      source.onerror = () => { source.close(); resolve(null); };
    }));
  }
  const include = (tag, attributes) => new Promise((resolve) => {
    const node = Object.assign(document.createElement(tag), attributes);
    node.onload = () => resolve(`${tag} loaded ${attributes.src ?? attributes.href}`); node.onerror = () => resolve(null);
    document.head.append(node);
  });
  for (const path of ["/api/queue/jobs", "/dashboard", ...files]) {
    await attempt(`img ${path}`, () => include("img", { src: at(path) }));
    await attempt(`script ${path}`, () => include("script", { src: at(path) }));
    await attempt(`module ${path}`, () => include("script", { src: at(path), type: "module" }));
    await attempt(`style ${path}`, () => include("link", { href: at(path), rel: "stylesheet" }));
    await attempt(`frame ${path}`, async () => {
      const frame = document.createElement("iframe"); frame.src = at(path); document.body.append(frame);
      await Promise.race([new Promise((resolve) => frame.addEventListener("load", resolve)), wait(1500)]);
      try { return frame.contentDocument?.body?.innerText.trim().startsWith("{\"success\":true") ? frame.contentDocument.body.innerText : null; } finally { frame.remove(); }
    });
  }
  if (emulator) {
    const call = (headers, body) => fetch(emulator + "/", { method: "POST", headers, body });
    const get = JSON.stringify({ Path: "/", Recursive: true, WithDecryption: true });
    await attempt("emulator, as an SDK", async () => text(await call({ "content-type": "application/x-amz-json-1.1", "x-amz-target": "AmazonSSM.GetParametersByPath", authorization: "AWS4-HMAC-SHA256 Credential=test/20240101/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=0" }, get)));
    await attempt("emulator, simple", async () => text(await call({ "content-type": "text/plain" }, get)));
    await attempt("emulator, a query", async () => text(await fetch(emulator + "/?Action=ListQueues&X-Amz-Credential=test")));
    await attempt("emulator, health", async () => text(await fetch(emulator + "/_ministack/health")));
  }
  return { read, attempts: attempts.length };
}

const hostile = http.createServer((_, response) => { response.setHeader("content-type", "text/html"); response.end("<!doctype html><title>hostile</title><body>"); });
await new Promise((resolve) => hostile.listen(0, "127.0.0.1", resolve));
const port = hostile.address().port;
const browser = await chromium.launch({ executablePath: arg("chromium", "/usr/bin/chromium"), args: ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks", `--host-resolver-rules=MAP ${EVIL} 127.0.0.1, MAP ${REBOUND} 127.0.0.1`] });
let failed = 0;
try {
  const { jobId: job } = await program("POST", "/api/generate", { country: "US", platform: "Netflix", genre: "Horror", template: "studio:stall=2" });
  const visits = [
    // [description, URL of the page, origin that it attacks]
    ["another port, by address", `http://127.0.0.1:${port}/`, ORIGIN],
    ["another port, by name", `http://localhost:${port}/`, ORIGIN],
    ["another site", `http://${EVIL}:${port}/`, ORIGIN],
    ["a rebound name", `http://${REBOUND}:${PORT}/hostile`, `http://${REBOUND}:${PORT}`],
  ];
  for (const [what, url, target] of visits) {
    const before = await state(job), context = await browser.newContext(), page = await context.newPage(), answered = []; let refused = 0;
    // When the page was loaded, the rebound name still resolved to the attacker.
    await context.route(`http://${REBOUND}:${PORT}/hostile`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>hostile</title><body>" }));
    page.on("response", (response) => {
      const { origin, pathname } = new URL(response.url()), status = response.status();
      const api = origin === target && pathname.startsWith("/api/"), aws = EMULATOR && origin === EMULATOR;
      if (!(api || aws) || response.request().method() === "OPTIONS") return;
      if (status < 400) answered.push(`${response.request().method()} ${pathname} ${status}`);
      else refused += 1;
    });
    await page.goto(url);
    // Static files contain no data; under a rebound name they have the page's own origin.
    const files = target === ORIGIN ? ["/assets/js/api.js", "/assets/favicon.svg", "/assets/style.css"] : [];
    const { read, attempts } = await page.evaluate(attack, { target, job, emulator: EMULATOR, files });
    // A user who follows a link sees the page, but the hostile page cannot read it.
    const link = `${ORIGIN}/dashboard`, shown = page.waitForResponse((response) => response.url() === link);
    await page.evaluate((link) => { location.href = link; }, link);
    const followedTo = (await shown).status(), after = await state(job), wrong = [];
    if (refused + answered.length < 50) wrong.push(`only ${refused} requests reached the stack`);
    if (read.length) wrong.push(`it read ${read.length}: ${read.slice(0, 3).join(" | ")}`);
    if (answered.length) wrong.push(`it got ${answered.length} responses with data: ${answered.slice(0, 3).join(" | ")}`);
    if (JSON.stringify(after) !== JSON.stringify(before)) wrong.push(`it changed ${JSON.stringify(before)} to ${JSON.stringify(after)}`);
    if (followedTo !== 200) wrong.push(`following a link returned ${followedTo}`);
    failed += wrong.length ? 1 : 0;
    console.log(`${what}: ${wrong.length ? "FAILED " + wrong.join("; ") : `ok, ${attempts} attempts, ${refused} requests refused`}`);
    await context.close();
  }
  await program("POST", `/api/job/${job}/cancel`);
} catch (error) {
  failed += 1;
  console.log("FAILED " + error.message);
}
await browser.close();
hostile.close();
console.log(failed ? `${failed} failed` : "a page of another origin reads and changes nothing");
process.exit(failed ? 1 : 0);

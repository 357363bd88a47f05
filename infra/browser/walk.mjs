// Walks the pages in Chromium.   node walk.mjs [--origin URL] [--mock] [--shots DIR] [--failed-job ID] [--key KEY | --user U --password P] [--only name,name] [--slow SECONDS] [--stream-origin URL] [--receiver URL] [--film FILE]
// Without --mock only the documented API is used, so it runs against a real stack whose worker or mock worker advances jobs.
// Walks wait for the state that they expect; `waitForTimeout` is used only to check that nothing happens for some time.
// --failed-job is the id of a failed job to retry; without it (and without --mock) that walk is skipped. --slow is the timeout for a job.
import { chromium } from "playwright-core";
import fs from "node:fs";
import { createRequire } from "node:module";
import { walkClips } from "./clips.mjs";
import { walkCredits } from "./credits.mjs";
import { walkErrors } from "./errors.mjs";
import { makeFilm } from "./film.mjs";
import { walkLive } from "./live.mjs";
import { walkProjects } from "./projects.mjs";
import { walkWebhooks } from "./webhooks.mjs";
const require = createRequire(import.meta.url);
const arg = (name, or) => { const i = process.argv.indexOf("--" + name); return i < 0 ? or : process.argv[i + 1]?.startsWith("--") || process.argv[i + 1] === undefined ? true : process.argv[i + 1]; };
const ORIGIN = arg("origin", "http://127.0.0.1:3000").replace(/\/$/, ""), MOCK = Boolean(arg("mock", false)), SHOTS = arg("shots", "shots"), STREAM = arg("stream-origin", ORIGIN), SLOW = Number(arg("slow", 60)) * 1000, ONLY = arg("only", "");
fs.mkdirSync(SHOTS, { recursive: true });
const axeSource = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
// If a key is required, each walk starts signed in.
const auth = arg("key") ? { username: "", password: arg("key") } : arg("user") ? { username: arg("user"), password: arg("password") } : undefined;
const browser = await chromium.launch({ executablePath: arg("chromium", "/usr/bin/chromium"), args: ["--no-sandbox"] });
const results = [];
const DESK = { width: 1280, height: 900 }, PHONE = { width: 390, height: 844 };
async function signIn(page, { username, password }) {
  await page.fill('[name="username"]', username); await page.fill('[name="password"]', password); await page.keyboard.press("Enter");
}
let session;
if (auth) {
  const context = await browser.newContext(), page = await context.newPage();
  await page.goto(`${ORIGIN}/login?next=/queue`); await signIn(page, auth); await page.waitForURL(`${ORIGIN}/queue`);
  session = await context.storageState(); await context.close();
}
async function open({ viewport = DESK, colorScheme = "light", csp = true, still = false, signedIn = true, scripts = true } = {}) {
  const context = await browser.newContext({ viewport, colorScheme, storageState: signedIn ? session : undefined, javaScriptEnabled: scripts, bypassCSP: !csp, reducedMotion: still ? "reduce" : "no-preference" });
  const page = await context.newPage();
  page.problems = []; page.allow = []; page.busy = 0;
  const counts = (r) => new URL(r.url()).pathname.startsWith("/api/") && !/\/stream$/.test(new URL(r.url()).pathname);
  page.on("request", (r) => counts(r) && page.busy++);
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (r) => counts(r) && page.busy--);
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) page.problems.push(`${m.text()} ${m.location().url}`); });
  page.on("pageerror", (e) => page.problems.push("pageerror " + e.stack));
  page.on("request", (r) => { if (![ORIGIN, STREAM].includes(new URL(r.url()).origin) && !r.url().startsWith("data:") && !["media", "image"].includes(r.resourceType()) && !r.url().startsWith("blob:")) page.problems.push("other host " + r.url()); });
  await page.addInitScript(() => { window.__csp = []; addEventListener("securitypolicyviolation", (e) => console.error("CSP " + e.violatedDirective + " " + e.blockedURI)); });
  return page;
}
const assert = (ok, text) => { if (!ok) throw new Error(text); };
async function walk(name, work) {
  if (ONLY && !ONLY.split(",").includes(name)) return;
  const page = { list: [] };
  const made = async (o) => { const p = await open(o); page.list.push(p); return p; };
  const started = Date.now();
  try {
    const skipped = await work(made);
    const bad = page.list.flatMap((p) => p.problems.filter((t) => !p.allow.some((a) => t.includes(a))));
    assert(!bad.length, "console: " + bad.slice(0, 4).join(" | "));
    results.push([name, typeof skipped === "string" ? "skipped, " + skipped : "ok"]);
  } catch (error) {
    results.push([name, "FAILED " + error.message.split("\n").slice(0, 6).join(" / ")]);
    await page.list.at(-1)?.screenshot({ path: `${SHOTS}/failed-${name}.png` }).catch(() => {});
  }
  console.log(results.at(-1).join(": "), `${((Date.now() - started) / 1000).toFixed(1)} s`);
  for (const p of page.list) await p.context().close();
}
/** Polls until the test passes. */
async function until(test, text, timeout = 10000) {
  for (const end = Date.now() + timeout; ; ) {
    if (await test()) return;
    if (Date.now() > end) throw new Error(typeof text === "function" ? await text() : text);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
/** Waits until nothing is loading. */
const settled = (page) => until(async () => !page.busy && !(await page.locator(".skeleton:visible").count()), "the page does not settle", 20000);
/** The selector of an enabled button; buttons use `aria-disabled` instead of `disabled`, so that they keep the focus. */
const on = (id) => `#${id}[aria-disabled="false"]`;
const focused = (page, selector) => page.evaluate((selector) => document.activeElement.matches(selector), selector);
const focusedIs = (page) => page.evaluate(() => document.activeElement.outerHTML.slice(0, 100));
const badge = (page, text, timeout = 10000) => page.locator(`#badge:text-is("${text}")`).waitFor({ timeout });
/** What the badge says on pages of jobs, projects and clip jobs; the queue, errors and the mock have no WebSocket connections. */
const SOCKET = MOCK ? "Live: events" : "Live: WebSocket";
const api = (page, method, path, body) => page.evaluate(async ([method, path, body]) => (await fetch(path, { method, headers: { "content-type": "application/json" }, body: method === "GET" ? undefined : JSON.stringify(body ?? {}) })).json(), [method, path, body]);
const mock = async (path, body) => (await fetch(ORIGIN + "/__mock/" + path, { method: body ? "POST" : "GET", body: body && JSON.stringify(body) })).json();
/** The template of a job that stays at its second step, if the worker is the mock one. */
const STALLS = "studio:stall=2";
async function submit(page, { genre = "Horror", pause = false, template = "auto" } = {}) {
  await page.goto(`${ORIGIN}/?country=US&template=${encodeURIComponent(template)}`);
  await page.locator("#platform:enabled").waitFor();
  await page.selectOption("#platform", "Netflix");
  await page.locator("#genre:enabled").waitFor();
  await page.selectOption("#genre", genre);
  if (pause) { if (!(await page.locator("#pause").isVisible())) await page.locator("#more summary").click(); await page.check("#pause"); }
  await page.locator(".movie h3, #preview .empty").first().waitFor();
  await page.locator(on("submit")).waitFor();
}
/** A job that only the page of this walk sees. */
const fake = (over) => ({ status: "cancelled", parameters: { country: "US", platform: "Netflix", genre: "Horror", template: "auto" }, createdAt: new Date().toISOString(), startedAt: null, completedAt: null, failedAt: null, cancelledAt: null, creatomateId: null, videoUrl: null, retryCount: 0, maxRetries: 3, error: null, progress: 0, currentStep: "Waiting in queue", currentStepNumber: 0, stepDetails: {}, stepDuration: {}, workerId: null, pausedAfterExtraction: false, extractedMovies: null, ...over });
const answer = (route, body, status = 200) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
// What a pretend subject needs to be followed by events: a token that no stack made, and no WebSocket connection.
const serveToken = async (page) => { await page.routeWebSocket(/./, (socket) => socket.close()); return page.route("**/api/stream-token", (route) => answer(route, { success: true, token: "walk", expiresAt: new Date(Date.now() + 3600_000).toISOString() })); };
const refuseStreams = async (page) => { page.allow.push("503"); await serveToken(page); return page.route(/\/stream(\?|$)/, (route) => answer(route, {}, 503)); };

await walk("submit", async (made) => {
  const page = await made();
  // Records each state that was shown, however briefly.
  await page.addInitScript(() => {
    const seen = (window.__seen = { steps: [], fell: false }); let last = 0;
    addEventListener("DOMContentLoaded", () => {
      const bar = document.getElementById("bar"); if (!bar) return;
      const look = () => { const step = document.querySelector("#steps li.active")?.dataset.step; if (step && !seen.steps.includes(step)) seen.steps.push(step); seen.fell ||= bar.value < last; last = bar.value; };
      new MutationObserver(look).observe(document.getElementById("layout"), { subtree: true, childList: true, attributeFilter: ["value"] });
    });
  });
  await submit(page);
  let posts = 0; page.on("request", (r) => { if (r.method() === "POST" && r.url().endsWith("/api/generate")) posts++; });
  await page.locator("#submit").dblclick();
  await page.waitForURL("**/job/*");
  assert(posts === 1, `a double click made ${posts} requests`);
  await badge(page, SOCKET);
  await page.locator("#steps li.active").first().waitFor({ timeout: SLOW });
  await page.screenshot({ path: `${SHOTS}/job-live.png`, fullPage: true });
  await page.locator("#video video").waitFor({ timeout: SLOW });
  const { steps, fell } = await page.evaluate(() => window.__seen);
  assert(!fell, "the progress fell"); assert(steps.length >= 3, "steps seen live: " + steps);
  await until(async () => (await page.locator("#steps li.done").count()) === 7, "not all steps are done");
  const video = page.locator("#video video");
  await video.evaluate((v) => { v.muted = true; return v.play(); });
  await until(() => video.evaluate((v) => v.currentTime > 0), "the video does not play");
  await page.locator("#badge").waitFor({ state: "hidden" });
});

await walk("key", async (made) => {
  // A submission whose response is lost is sent again with the same key.
  const page = await made(); page.allow.push("ERR_FAILED");
  await submit(page);
  const keys = []; let lose = true;
  await page.route("**/api/generate", (route) => { keys.push(route.request().headers()["idempotency-key"]); return lose ? route.abort() : route.continue(); });
  await page.locator("#submit").click(); await page.locator("#problem .note.bad").waitFor(); lose = false;
  await page.screenshot({ path: `${SHOTS}/submit-error.png` });
  await page.locator("#submit").click(); await page.waitForURL("**/job/*");
  assert(keys.length === 2 && keys[0] === keys[1], "keys " + keys);
});

await walk("cancel-delete", async (made) => {
  // Requests of the page during the deletion may get a 404.
  const page = await made(); page.allow.push("404");
  await submit(page, { template: STALLS }); await page.locator("#submit").click(); await page.waitForURL("**/job/*");
  await page.locator('#actions [data-act="cancel"]').click();
  await page.screenshot({ path: `${SHOTS}/dialog.png` });
  await page.keyboard.press("Escape"); await page.locator("dialog[open]").waitFor({ state: "hidden" });
  await until(() => focused(page, '#actions [data-act="cancel"]'), async () => "the focus is lost after Escape: " + (await focusedIs(page)));
  await page.locator('#actions [data-act="cancel"]').click(); await page.locator("dialog .danger").click();
  await page.locator(".head .pill.cancelled").waitFor();
  await page.locator('#actions [data-act="delete"]').click(); await page.locator("dialog .danger").click();
  await page.locator("h1:has-text('Job deleted')").waitFor();
  await until(() => focused(page, "#failed-load a"), async () => "the focus is lost after the job: " + (await focusedIs(page)));
});

await walk("failed-retry", async (made) => {
  let id = arg("failed-job");
  if (!id && MOCK) id = (await mock("make", { plan: { failAt: 3, until: 1 } })).id;
  if (!id) return "no --failed-job";
  const page = await made(); await page.goto(`${ORIGIN}/job/${id}`);
  await page.locator("#problem .note.bad").waitFor({ timeout: SLOW });
  assert(/What to do/.test(await page.locator("#problem").innerText()), "no advice");
  await settled(page);
  await page.screenshot({ path: `${SHOTS}/job-failed.png`, fullPage: true });
  await page.locator('#actions [data-act="retry"]').click(); await page.locator("dialog .primary").click();
  await page.locator("#problem .note.bad").waitFor({ state: "detached" });
  await badge(page, SOCKET);
  await page.locator(".head .pill.processing").waitFor({ timeout: SLOW });
  if (MOCK) await page.locator("#video video").waitFor({ timeout: SLOW });
});

await walk("cut-before", async (made) => {
  // Streams fail from the start and work later; runs against any stack.
  const page = await made(); page.allow.push("503");
  let refuse = true;
  await page.route(/\/stream(\?|$)/, (route) => (refuse ? route.fulfill({ status: 503, body: "{}", contentType: "application/json" }) : route.continue()));
  await page.goto(ORIGIN + "/queue"); await badge(page, "Polling"); refuse = false; await badge(page, "Live: events", 45000);
});

await walk("cut-off", async (made) => {
  // The network is lost during a run and returns: the page then shows every log line exactly once.
  const page = await made(); page.allow.push("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "ERR_NETWORK");
  await submit(page, { template: "studio:step_ms=700" }); await page.locator("#submit").click(); await page.waitForURL("**/job/*");
  await badge(page, SOCKET); await page.locator('#steps li[data-step="2"].running, #steps li[data-step="3"]').first().waitFor();
  await page.context().setOffline(true); await until(async () => !(await page.locator("#badge").textContent()).startsWith("Live"), "it does not notice", 30000);
  await page.waitForTimeout(2000); await page.context().setOffline(false);
  await page.locator("#video video").waitFor({ timeout: SLOW }); await settled(page);
  const id = new URL(page.url()).pathname.split("/").at(-1);
  const logged = async () => (await (await page.request.get(`${ORIGIN}/api/queue/job/${id}/logs`)).json()).data.logs.length;
  await until(async () => (await page.locator("#log .line, #log li").count()) === (await logged()), async () => `the log shows ${await page.locator("#log .line, #log li").count()} of ${await logged()} lines`, 20000);
  assert((await page.locator("#percent").textContent()) === "100%", "not at the end");
});

if (MOCK) await walk("cut-during", async (made) => {
  const page = await made(); page.allow.push("503");
  const { id } = await mock("make", { job: { frozen: true } });
  await page.goto(`${ORIGIN}/job/${id}`); await badge(page, SOCKET);
  await mock("set?mode=503"); await badge(page, "Polling");
  await mock("calls?reset");
  await until(async () => (await mock("calls")).filter((c) => c.path === `/api/job/${id}` && c.inm).length >= 2, "it does not poll with an ETag", 20000);
  await page.screenshot({ path: `${SHOTS}/job-polling.png` });
  await mock("set?mode=stream"); await badge(page, SOCKET, 30000);
  await mock("calls?reset"); await page.waitForTimeout(6000);
  assert((await mock("calls")).filter((c) => c.path === `/api/job/${id}`).length <= 2, "it still polls");
});

if (MOCK) await walk("bounded", async (made) => {
  // A gateway that buffers: whole responses and reconnects, without errors; all steps arrive.
  await mock("set?mode=bounded");
  const page = await made(); const { id } = await mock("make", {});
  const seen = new Set();
  await page.exposeFunction("__badge", (t) => seen.add(t));
  await page.goto(`${ORIGIN}/job/${id}`);
  await page.evaluate(() => new MutationObserver(() => window.__badge(document.getElementById("badge").textContent)).observe(document.getElementById("badge"), { childList: true, characterData: true, subtree: true }));
  await page.locator("#video video").waitFor({ timeout: SLOW });
  assert(![...seen].includes("Polling"), "flashed " + [...seen]);
  const { id: quiet } = await mock("make", { job: { frozen: true } });
  await page.goto(`${ORIGIN}/job/${quiet}`); await page.waitForTimeout(45000); await badge(page, SOCKET, 1000);
  await mock("set?mode=stream");
});

if (STREAM !== ORIGIN) await walk("token", async (made) => {
  // Streams have another origin: the page requests a token first, then the stream.
  const page = await made(); const seen = []; page.on("request", (r) => seen.push(r.method() + " " + r.url()));
  await submit(page); await page.locator("#submit").click(); await page.waitForURL("**/job/*"); await page.locator("#video video").waitFor({ timeout: SLOW });
  assert(seen.some((t) => t.startsWith("POST") && t.endsWith("/api/stream-token")), "no token was requested"); assert(seen.some((t) => t.startsWith(`GET ${STREAM}/api/job/`) && t.includes("/stream?token=")), "no stream at " + STREAM);
});

await walk("paused", async (made) => {
  const page = await made(); await submit(page, { pause: true }); await page.locator("#submit").click(); await page.waitForURL("**/job/*");
  await page.locator("#problem .note.info").waitFor({ timeout: SLOW }); await settled(page); await page.screenshot({ path: `${SHOTS}/job-extracted.png`, fullPage: true });
  await page.locator("#problem a.btn").click(); await page.locator(".movie h3").first().waitFor(); assert(!(await page.locator("#pause").isChecked()), "the pause is kept"); assert((await page.inputValue("#genre")) === "Horror", "the genre is not kept");
});

await walk("hidden", async (made) => {
  // The numbers do not change, and the cookie has them: a tab that is shown again must not wait for others.
  const page = await made(); const opened = []; page.on("request", (r) => { const { pathname, searchParams } = new URL(r.url()); if (pathname.endsWith("/queue/status/stream")) opened.push(searchParams.get("lastEventId")); });
  await page.goto(ORIGIN + "/dashboard"); await badge(page, "Live: events");
  const hide = (v) => page.evaluate((v) => { Object.defineProperty(document, "hidden", { value: v, configurable: true }); Object.defineProperty(document, "visibilityState", { value: v ? "hidden" : "visible", configurable: true }); document.dispatchEvent(new Event("visibilitychange")); }, v);
  await hide(true); await badge(page, "Paused"); let calls = 0; page.on("request", (r) => r.url().includes("/api/") && calls++);
  await page.waitForTimeout(7000); assert(calls === 0, `a hidden tab made ${calls} calls`);
  const before = opened.length;
  await hide(false); await badge(page, "Live: events"); await until(() => calls >= 2, "it did not catch up");
  // The next request has the position again, so that it waits for other numbers.
  if (STREAM === ORIGIN && !MOCK) await until(() => opened.length > before + 1, "it did not come back");
  assert(opened[0] === "none" && opened[before] === "none" && opened.slice(before + 1).every((last) => last !== "none"), "the positions are " + opened);
});

await walk("keyboard", async (made) => {
  const page = await made(); await page.goto(`${ORIGIN}/?country=US&template=${encodeURIComponent(STALLS)}`); await page.locator("#genre:enabled").waitFor();
  await page.keyboard.press("Tab"); assert((await page.evaluate(() => document.activeElement.className)) === "skip", "the first stop is the skip link");
  await page.keyboard.press("Enter");
  const to = async (id, n = 14) => { for (let i = 0; i < n; i++) { if ((await page.evaluate(() => document.activeElement.id)) === id) return; await page.keyboard.press("Tab"); } throw new Error("Tab does not reach " + id); };
  await to("platform"); await page.keyboard.type("Netf"); await page.locator("#genre:enabled").waitFor(); await to("genre"); await page.keyboard.type("Horr");
  await page.locator(on("submit")).waitFor(); await to("submit"); await page.screenshot({ path: `${SHOTS}/focus.png` }); await page.keyboard.press("Enter"); await page.waitForURL("**/job/*");
  await page.locator('#actions [data-act="cancel"]').focus(); await page.keyboard.press("Enter"); await page.locator("dialog[open]").waitFor();
  await page.keyboard.press("Tab"); await page.keyboard.press("Enter"); await page.locator(".head .pill.cancelled").waitFor();
  await until(() => focused(page, '#actions [data-act="delete"]'), async () => "the focus is lost after cancel: " + (await focusedIs(page)));
  await page.goto(ORIGIN + "/queue"); await page.locator("#jobs tr").first().waitFor();
  await page.locator('.filter[data-status="cancelled"]').focus(); await page.keyboard.press("Space"); await page.locator("#jobs .pill.cancelled").first().waitFor(); await settled(page);
  const gone = await page.locator('#jobs [data-act="delete"]').first().getAttribute("data-job");
  await page.locator(`#jobs [data-job="${gone}"]`).focus(); await page.keyboard.press("Enter"); await page.locator("dialog[open]").waitFor(); await page.keyboard.press("Tab"); await page.keyboard.press("Enter"); await page.locator(".toast").waitFor();
  await page.locator(`#jobs [data-job="${gone}"]`).waitFor({ state: "detached" });
  await until(() => focused(page, "#jobs a, #jobs-title"), async () => "the focus is lost after delete: " + (await focusedIs(page)));
});

await walk("focus", async (made) => {
  // After each delete the focus moves: to the next row, from the last row to the previous one, from the only row to the heading.
  const page = await made(); let jobs = ["a", "b", "c"].map((name) => fake({ id: `job_1_walk${name}` }));
  await page.route("**/api/queue/jobs?*", (route) => answer(route, { success: true, jobs }));
  await page.route("**/api/queue/job/*/delete", (route) => { jobs = jobs.filter((job) => !route.request().url().includes(job.id)); return answer(route, { success: true, message: "Deleted" }); });
  await page.goto(ORIGIN + "/queue?status=cancelled");
  for (const [id, heir] of [["job_1_walkb", '#jobs a[href="/job/job_1_walkc"]'], ["job_1_walkc", '#jobs a[href="/job/job_1_walka"]'], ["job_1_walka", "#jobs-title"]]) {
    await page.locator(`#jobs [data-job="${id}"]`).focus(); await page.keyboard.press("Enter"); await page.locator("dialog .danger").press("Enter");
    await page.locator(`#jobs [data-job="${id}"]`).waitFor({ state: "detached" });
    await until(() => focused(page, heir), async () => `after ${id} the focus is at ${await focusedIs(page)}`);
  }
  await page.locator("#jobs-title").waitFor(); await page.screenshot({ path: `${SHOTS}/focus-heading.png` });
});

await walk("waits", async (made) => {
  // A run has failed and the next one is scheduled: only the log contains the reason.
  const page = await made(); await refuseStreams(page); const id = "job_1_walkwaits", before = new Date(Date.now() - 60000).toISOString();
  const job = fake({ id, status: "pending", retryCount: 1, retryAfter: new Date(Date.now() + 90000).toISOString() }); let logs = 0;
  const line = (error, attempt) => ({ timestamp: before, job_id: id, event_type: "job_log", level: "warning", type: "warning", message: `Run failed, trying again in 90 s: ${error}`, details: { error, attempt }, source: "reelhook" });
  await page.route(`**/api/job/${id}`, (route) => answer(route, { success: true, job }));
  await page.route(`**/api/queue/job/${id}/logs`, (route) => (logs++, answer(route, { success: true, data: { jobId: id, logs: [line("an older one", 0), line("Screenshot failed: browser crashed", 1)], count: 2, lastUpdate: before } })));
  await page.route(`**/api/job/${id}/deliveries`, (route) => answer(route, { success: true, deliveries: [{ id: "d1", webhookId: "webhook_1", event: "job.failed", eventId: `${id}.4.0`, endpointId: "ep_1", status: "pending", attempts: 1, createdAt: before, nextAttemptAt: job.retryAfter, finishedAt: null, lastResult: "HTTP 503" }], count: 1 }));
  await page.goto(`${ORIGIN}/job/${id}`); await page.locator("#problem .said").waitFor();
  assert((await page.locator("#problem .said").innerText()) === "Screenshot failed: browser crashed", "another reason"); assert(logs === 1, `the log was requested ${logs} times`);
  const next = page.locator("#next-run"), first = await next.innerText(); assert(/^Attempt 2 begins in 1m \d+s\.$/.test(first), first);
  await until(async () => (await next.innerText()) !== first, "it does not count down");
  assert(await page.locator("#deliveries td:has-text('webhook_1')").count(), "the delivery's endpoint is not named");
  await page.screenshot({ path: `${SHOTS}/job-waits.png`, fullPage: true });
  job.retryAfter = before; await page.locator("#next-run:has-text('as soon as a worker is free')").waitFor();
});

await walk("limited", async (made) => {
  // Rate limited: the page makes no call before Retry-After, an action shows the reason, and then the page continues.
  const page = await made(); await refuseStreams(page); page.allow.push("429"); let limited = false;
  await page.addInitScript(() => {
    const plain = window.fetch; window.__sent = []; window.__refused = [];
    window.fetch = async (...args) => { window.__sent.push(performance.now()); const answer = await plain(...args); if (answer.status === 429) window.__refused.push(performance.now()); return answer; };
  });
  await page.route("**/api/queue/status", (route) => (limited ? answer(route, { success: false, message: "Rate limit exceeded. Please slow down.", code: "rate_limited", retryAfter: 9 }, 429) : route.continue()));
  await page.goto(ORIGIN + "/queue"); await badge(page, "Polling"); await settled(page); limited = true;
  await page.locator("#banner:has-text('Too many requests')").waitFor(); limited = false;
  await page.locator("#cleanup").click(); await page.locator(".toast.bad").waitFor();
  assert(/Try again in \d s\.$/.test(await page.locator(".toast.bad").innerText()), "the toast says " + (await page.locator(".toast.bad").innerText()));
  await page.locator("#banner").waitFor({ state: "hidden", timeout: 20000 });
  const [sent, [refused]] = await page.evaluate(() => [window.__sent, window.__refused]);
  assert(!sent.some((at) => at > refused && at < refused + 8990), "it made a call too early: " + sent.map((at) => Math.round(at - refused)));
});

await walk("calls", async (made) => {
  // Fewer than 60 calls a minute, with and without a stream; an upper bound, so that a slow machine can't make it fail.
  for (const name of ["dashboard", "queue"]) for (const refused of [false, true]) {
    const page = await made(); if (refused) await refuseStreams(page);
    await page.goto(`${ORIGIN}/${name}`); await badge(page, refused ? "Polling" : "Live: events"); await settled(page);
    let calls = 0; page.on("request", (r) => r.url().includes("/api/") && calls++); await page.waitForTimeout(15000);
    assert(calls < 15, `${name} ${refused ? "polling" : "live"}: ${calls} calls in 15 s`);
  }
});

await walk("countries", async (made) => {
  const page = await made(); await page.goto(`${ORIGIN}/?country=jp&platform=Netflix&genre=Horror`); await page.locator("#genre:enabled").waitFor();
  assert((await page.inputValue("#country")) === "JP", "a job of another country became one of the US"); await page.locator("#country-hint").waitFor();
  await page.selectOption("#country", "FR"); await page.locator("#country-hint").waitFor({ state: "hidden" }); await page.locator('#genre option[value="Comédie"]').waitFor({ state: "attached" });
});

await walk("login", async (made) => {
  if (!auth) return "no key is required";
  // Redirected from a page, signs in with a wrong key and the right one, returns to the page, signs out; with and without scripts.
  for (const scripts of [true, false]) {
    const page = await made({ signedIn: false, scripts }); page.allow.push("401");
    await page.goto(`${ORIGIN}/queue?status=failed`); await page.locator("h1:has-text('Sign in')").waitFor();
    assert(page.url() === `${ORIGIN}/login?next=%2Fqueue%3Fstatus%3Dfailed`, "it is at " + page.url());
    await signIn(page, { username: "ann", password: "a guess" }); await page.locator("#problem").waitFor();
    assert((await page.inputValue('[name="password"]')) === "" && !(await page.content()).includes("a guess"), "what was sent is shown again");
    if (scripts) assert(await focused(page, '[name="password"][aria-describedby="problem"]'), "the focus is not at the field: " + (await focusedIs(page)));
    await signIn(page, auth); await page.waitForURL(`${ORIGIN}/queue?status=failed`);
    const cookie = (await page.context().cookies()).find((one) => one.name.endsWith("reelhook_session"));
    assert(cookie.httpOnly && cookie.sameSite === "Lax" && cookie.secure === ORIGIN.startsWith("https"), JSON.stringify({ ...cookie, value: "" }));
    await page.goto(ORIGIN + "/login?next=/dashboard"); await page.waitForURL(ORIGIN + "/dashboard");
    await page.locator('button:has-text("Sign out")').click(); await page.waitForURL(ORIGIN + "/login");
    await page.goto(ORIGIN + "/dashboard"); await page.locator("h1:has-text('Sign in')").waitFor();
  }
});

/** Screenshots in both sizes and colour schemes, a check at 360 px, and axe; `then(page)` runs before each screenshot. */
async function shoot(made, name, path, ready, then, options = {}) {
  for (const [size, viewport] of [["desktop", DESK], ["phone", PHONE]]) for (const colorScheme of ["light", "dark"]) {
    const page = await made({ viewport, colorScheme, csp: false, still: true, ...options });
    await page.goto(ORIGIN + path); await page.locator(ready).first().waitFor(); await settled(page); await then?.(page);
    await page.screenshot({ path: `${SHOTS}/${name}-${size}-${colorScheme}.png`, fullPage: !then });
    const beyond = () => page.evaluate(() => { const dialog = document.querySelector("dialog[open]"); return Math.max(document.documentElement.scrollWidth - innerWidth, dialog ? dialog.scrollWidth - dialog.clientWidth : 0); });
    const wide = await beyond(); assert(wide <= 0, `${name} ${size} scrolls sideways by ${wide}`);
    await page.setViewportSize({ width: 360, height: 740 }); const wide2 = await beyond(); assert(wide2 <= 0, `${name} at 360 scrolls sideways by ${wide2}`); await page.setViewportSize(viewport);
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
    for (const v of violations) console.log(`  axe ${name} ${size} ${colorScheme} ${v.impact} ${v.id}: ${v.nodes.slice(0, 2).map((n) => n.target + " " + (n.any[0]?.message ?? "")).join(" ; ")}`);
    assert(!violations.some((v) => ["serious", "critical"].includes(v.impact)), "axe");
  }
}
const idOf = async (status, test = () => true) => (await (await fetch(`${ORIGIN}/api/queue/jobs?status=${status}`, { headers: auth ? { authorization: "Basic " + btoa(`${auth.username}:${auth.password}`) } : {} })).json()).jobs.find(test)?.id;
await walk("shots-login", async (made) => {
  if (!auth) return "no key is required";
  await shoot(made, "login", "/login?next=/queue", "h1", async (page) => { page.allow.push("401"); await signIn(page, { username: "ann", password: "a guess" }); await page.locator("#problem").waitFor(); }, { signedIn: false });
});
await walk("shots-form", (made) => shoot(made, "form", "/?country=US&platform=Netflix&genre=Horror", ".movie h3"));
await walk("shots-dashboard", (made) => shoot(made, "dashboard", "/dashboard", "#recent .item, #recent .empty"));
await walk("numbers", async (made) => {
  // A chart says of which time it is; its lines end where values are missing, and a value without a neighbour is a dot.
  const from = { 3: new Date(2026, 10, 30, 9, 15), 24: new Date(2026, 10, 29, 12, 15) }, to = new Date(2026, 10, 30, 12, 15);
  const series = [{ label: "some", statistic: "Sum", values: [1, 2, null, 3, null, null, 4, 8] }, { label: "one", statistic: "Sum", values: [null, null, null, null, 5, null, null, null] }];
  const widgets = [{ title: "Counted", unit: "count", series }, { title: "Nothing", unit: "ms", series: [{ label: "none", statistic: "p95", values: Array(8).fill(null) }] }];
  for (const colorScheme of ["light", "dark"]) {
    const page = await made({ colorScheme });
    await page.route("**/api/v1/metrics?*", (route) => answer(route, { success: true, from: from[new URL(route.request().url()).searchParams.get("hours")].toISOString(), to: to.toISOString(), period: 1350, sections: [{ title: "Feel", widgets }] }));
    await page.goto(ORIGIN + "/dashboard"); const chart = page.locator(".chart:has(h4:text-is('Counted'))"); await chart.waitFor();
    const paths = await chart.locator("path").evaluateAll((nodes) => nodes.map((node) => [node.getAttribute("class"), node.getAttribute("d"), getComputedStyle(node).stroke]));
    const drawn = paths.map(([kind, d]) => `${kind} ${d.split("M").length - 1}`);
    assert(drawn.join() === "line l0 2,dot l0 1,dot l1 1", "drawn are " + drawn);
    assert(paths[0][1] === "M15.0 46.8L45.0 40.5M195.0 28.0L225.0 3.0", "the lines are " + paths[0][1]);
    assert(paths[0][2] === paths[1][2] && paths[0][2] !== paths[2][2], "the colours are " + paths.map(([, , stroke]) => stroke));
    const times = async () => (await chart.locator("time").allInnerTexts()).join();
    assert((await times()) === "09:15,12:15", "the times are " + (await times()));
    assert((await page.locator(".chart:has(h4:text-is('Nothing'))").innerText()).includes("No values in this time"), "a chart without values does not say so");
    await chart.screenshot({ path: `${SHOTS}/chart-${colorScheme}.png` });
    await page.selectOption("#metrics-hours", "24");
    await until(async () => (await times()) === "29 Nov, 12:15,30 Nov, 12:15", async () => "the times of a day are " + (await times()));
  }
});
await walk("shots-queue", (made) => shoot(made, "queue", "/queue", "#jobs tr"));
await walk("shots-story", async (made) => {
  const id = (await idOf("failed")) ?? (await idOf("completed")); if (!id || MOCK) return "no such job";
  await shoot(made, "story", "/story/" + id, "#story li", async (page) => {
    await settled(page); await tellsCommand(page, id); assert((await page.locator("#story .level:text-is('live')").count()) > 0, "the live events are not told");
  });
});
/** The command of a story: a laptop's stack needs no name, and others have theirs. */
async function tellsCommand(page, id) {
  const stack = await page.locator('meta[name="stack"]').getAttribute("content");
  assert((await page.locator("#command").innerText()) === `cargo xtask story ${id}${stack ? ` --aws-stack ${stack}` : ""}`, "the command does not tell this story");
}
await walk("story-project-and-clips", async (made) => {
  // Stories of the newest project that has begun and of the newest clip job: with their live events, and under their own lists.
  if (MOCK) return "a mock has none";
  const page = await made(); await page.goto(ORIGIN + "/queue"); await settled(page);
  const projects = (await api(page, "GET", "/api/v1/projects?limit=20")).projects.filter((one) => one.status !== "draft");
  const clips = (await api(page, "GET", "/api/ai-clipping-agent/jobs?limit=1")).jobs;
  for (const [one, list] of [[projects[0], "/projects"], [clips[0], "/clips"]]) {
    if (!one) { console.log(`  ${list}: skipped, there are none`); continue; }
    await page.goto(`${ORIGIN}/story/${one.id}`); await page.locator("#story li").first().waitFor(); await settled(page);
    assert((await page.locator("#list").getAttribute("href")) === list && (await page.locator("#subject").getAttribute("href")) === `${list}/${one.id}`, "the crumbs lead elsewhere");
    await tellsCommand(page, one.id); assert(!(await page.locator("#story-state .note.bad").count()), await page.locator("#story-state").innerText());
  }
});
for (const [name, status, test] of [["failed", "failed", (j) => j.noRetryReason], ["completed", "completed", (j) => j.videoUrl], ["processing", "processing"], ["rendering", "rendering"], ["retrying", "pending", (j) => j.retryAfter], ["timeout", "completed", (j) => j.renderTimeout], ["paused", "completed", (j) => j.pausedAfterExtraction]])
  await walk("shots-" + name, async (made) => { const id = await idOf(status, test); if (!id) return "no such job"; await shoot(made, "job-" + name, "/job/" + id, "#steps li[data-step]"); });

await walk("queue-actions", async (made) => {
  const page = await made();
  await page.goto(ORIGIN + "/queue"); await page.locator(on("toggle")).waitFor(); await settled(page);
  await page.locator("#toggle").click(); await page.locator("dialog .primary").click(); await page.locator("#toggle:has-text('Start queue')").waitFor(); await page.locator("#banner .note").waitFor();
  await page.screenshot({ path: `${SHOTS}/queue-stopped.png` });
  await page.locator("#toggle").click(); await page.locator("#toggle:has-text('Stop queue')").waitFor(); await page.locator("#banner").waitFor({ state: "hidden" });
  await page.locator("#cleanup").click(); await page.locator(".toast:has-text('cleaned up')").waitFor();
  await settled(page);
  if (await page.locator(on("older")).count()) { const first = await page.locator("#jobs a").first().getAttribute("href"); await page.locator("#older").click(); await page.locator("#page:has-text('Page 2')").waitFor(); assert((await page.locator("#jobs a").first().getAttribute("href")) !== first, "page 2 is page 1"); await page.locator("#newer").click(); await page.locator("#page:has-text('Page 1')").waitFor(); }
  if (!MOCK && !arg("destroy", false)) return console.log("  clear and clear failed: skipped, no --destroy");
  await settled(page);
  if (await page.locator(on("clear-failed")).count()) { await page.locator("#clear-failed").click(); await page.locator("dialog .danger").click(); await page.locator(".toast:has-text('Cleared')").waitFor(); await page.locator('.filter[data-status="failed"] .number:text-is("0")').waitFor(); }
  if (!(await page.locator(on("clear")).count())) return console.log("  clear: skipped, nothing to clear");
  await page.locator("#clear").click(); await page.locator("dialog .danger").click(); await page.locator(".toast:has-text('All queues cleared')").waitFor();
});

if (MOCK) await walk("empty-and-errors", async (made) => {
  await mock("empty"); const page = await made(); page.allow.push("404", "500", "ERR_FAILED");
  for (const name of ["dashboard", "queue"]) { await page.goto(`${ORIGIN}/${name}`); await page.locator(".empty").first().waitFor(); await settled(page); await page.screenshot({ path: `${SHOTS}/${name}-empty.png` }); }
  await page.goto(`${ORIGIN}/job/job_1_x`); await page.locator("h1:has-text('Job not found')").waitFor(); await page.screenshot({ path: `${SHOTS}/job-missing.png` });
  await page.goto(`${ORIGIN}/?platform=Netflix&genre=Drama`); await page.locator("#preview .note.bad code").waitFor(); await page.screenshot({ path: `${SHOTS}/preview-error.png` });
  await page.selectOption("#genre", "Western"); await page.locator("#preview .empty:has-text('No movie matches')").waitFor();
  await page.selectOption("#genre", "Crime"); await page.locator("#preview .note.warn").waitFor(); await page.screenshot({ path: `${SHOTS}/preview-few.png` });
  await page.route("**/api/queue/**", (r) => r.abort()); for (const name of ["dashboard", "queue"]) { await page.goto(`${ORIGIN}/${name}`); await page.locator(".note.bad").first().waitFor(); await settled(page); await page.screenshot({ path: `${SHOTS}/${name}-error.png` }); }
});
const helpers = { walk, shoot, open, assert, until, settled, on, focused, focusedIs, badge, api, answer, serveToken, refuseStreams, SOCKET, ORIGIN, SHOTS, SLOW, DESK, PHONE };
const film = makeFilm({ ...helpers, file: arg("film", "") });
await walkProjects(helpers);
await walkClips({ ...helpers, film });
await walkLive({ ...helpers, film, MOCK });
await walkCredits(helpers);
await walkErrors(helpers);
await walkWebhooks({ walk, shoot, open, assert, until, settled, on, focused, focusedIs, api, answer, ORIGIN, SHOTS, receiver: arg("receiver", "") });
await browser.close();
const bad = results.filter(([, r]) => r.startsWith("FAILED")), skipped = results.filter(([, r]) => r.startsWith("skipped"));
console.log(`${results.length - bad.length - skipped.length} walks passed, ${skipped.length} skipped, ${bad.length} failed`);
process.exit(bad.length ? 1 : 0);

// Walks the pages of clips: their list and form, and one job with its time line and its clips (walk.mjs runs it).
// Walks that cut make their film by the stack's own renderer, which draws a project's prompts as cards, and upload it; `--film FILE`
// gives another one. `--slow` has to cover its making and cutting. What no stack shows at will is answered by the walk.
import fs from "node:fs";

/** A short video for clips that only a walk sees. */
const SAMPLE = new URL("../../tests/upgrade/0.2.0/objects/scenes/243baedf98032b548ae8c37b5f550b6fc5fbc0a6c48d39eabbeffd889f2089db.mp4", import.meta.url);

/** The parameters are helpers of walk.mjs. */
export async function walkClips({ walk, shoot, open, assert, until, settled, focused, focusedIs, badge, api, answer, serveToken, refuseStreams, ORIGIN, SHOTS, SLOW, DESK, PHONE, film }) {
  const BASE = "/api/ai-clipping-agent";
  /** The id of the job that only a walk sees. */
  const WALK = "5e1f0c2b-7e9d-4a66-88e1-c07ab2d94f31";
  const made = [];
  const now = new Date().toISOString();
  const start = async (made_, path = "/clips", options) => { const page = await made_(options); await page.goto(ORIGIN + path); await settled(page); return page; };
  const read = (page, id) => api(page, "GET", `${BASE}/jobs/${id}`);
  const drop = (page, id) => page.evaluate((path) => fetch(path, { method: "DELETE", headers: { "content-type": "application/json" }, body: "{}" }).then((answer) => answer.status), `${BASE}/jobs/${id}`);
  const visit = async (page, id) => { await page.goto(`${ORIGIN}/clips/${id}`); await page.locator("#facts dd").first().waitFor(); await settled(page); };
  const card = (page, index) => page.locator(`[id="clip-${index}"]`);
  const span = (page, index) => page.locator(`#line [data-clip="${index}"]`);
  const grip = (page, side) => page.locator(`[data-act="grip-${side}"]`);
  const closeSheet = async (page) => { await page.locator('#sheet [data-act="close"]').click(); await page.locator("#sheet[open]").waitFor({ state: "hidden" }); };
  const idOf = (page) => new URL(page.url()).pathname.split("/").at(-1);

  /** A job that has ended with clips of our own renderers; null if a worker cuts. */
  async function cut(page, more = {}) {
    const job = await api(page, "POST", `${BASE}/jobs`, { videoUrl: await film.upload(page), clipDurations: ["15-30"], ...more }); assert(job.id, "no job was made: " + JSON.stringify(job)); made.push(job.id);
    let last; await until(async () => ["succeeded", "failed"].includes((last = await read(page, job.id)).status), () => `the job is ${last.status} after ${SLOW / 1000} s`, SLOW);
    assert(last.status === "succeeded" && last.output.clips.length, "there are no clips: " + last.errorMessage); return last.cutBy === "renderer" ? last : null;
  }

  /** A job that only the page of a walk sees. */
  const basis = { energy: 0.92, variety: 0.6, activity: 0.81, clean_start: 1, clean_end: 0.8, length: 0.74, scenes: 4 };
  const clip = (index, from, to, over) => ({ index, url: `${ORIGIN}/api/v1/files/clips/clip_walk/${index}-0.mp4?token=${Math.random()}`, startMs: from * 1000, endMs: to * 1000, durationMs: (to - from) * 1000, score: 0.9 - index / 10, scoreBasis: basis, layout: "original", ...over });
  const CLIPS = () => [clip(0, 120, 145), clip(1, 10, 32.5), clip(2, 300, 355), clip(3, 480, 500)];
  const fake = (over = {}) => ({ id: WALK, status: "succeeded", progressPercent: 100, progressStage: "Complete", clipsCompleted: 4, totalClips: 4, errorMessage: null, startedAt: now, completedAt: now, output: { clips: CLIPS(), transcriptUrl: null, planUrl: null }, creditsReserved: 0, creditsCharged: 100, owner: null, createdAt: now, source: "https://media.example/films/talk.mp4", sourceDurationMs: 600_000, cutBy: "renderer", ...over });
  const WORKING = { status: "running", progressPercent: 40, progressStage: "Cutting the clips", clipsCompleted: 1, totalClips: 4, completedAt: null, creditsReserved: 10, creditsCharged: 0 };
  /** Answers for the job, whose cuts and commands are recorded in `sent`. */
  async function serve(page, job, sent = []) {
    const sample = fs.readFileSync(SAMPLE);
    await page.route("**/api/v1/files/clips/**", (route) => route.fulfill({ contentType: "video/mp4", body: sample }));
    await page.route(`**${BASE}/jobs/${WALK}**`, (route) => {
      const request = route.request(); const path = new URL(request.url()).pathname;
      if (request.method() === "GET") return answer(route, job());
      sent.push([request.method(), path.split(`/jobs/${WALK}`)[1], request.postDataJSON()]);
      return request.method() === "DELETE" ? route.fulfill({ status: 204 }) : answer(route, job(), path.includes("/clips/") ? 202 : 200);
    });
    await refuseStreams(page);
    return sent;
  }
  const show = async (page) => { await page.goto(`${ORIGIN}/clips/${WALK}`); await page.locator("#clips article, #clips-state .empty").first().waitFor(); await settled(page); };

  await walk("clips-create", async (made_) => {
    // A film is uploaded by the form and cut; its clips appear while the page is open, play one at a time, and one is cut again.
    const page = await start(made_); page.allow.push("400", "other host"); const file = await film.load(page);
    await page.locator("#new").click(); await page.locator("#clips-form").waitFor(); await page.locator("#estimate:has-text('the minimum')").waitFor();
    await page.locator('[data-act="save"]').click(); await page.locator("#sheet .note.bad").waitFor(); assert(await focused(page, "#f-videoUrl"), "a missing video is not shown at its field: " + (await focusedIs(page)));
    await page.locator('[data-act="add-range"]').click(); const [from, to] = await page.locator(".range-rows input").all(); await from.fill("0:30"); await to.fill("0:20"); await page.locator("#estimate:has-text('must be less than')").waitFor();
    await from.fill("0:00"); await to.fill("10:00"); await page.locator("#estimate:has-text('for 10 min of video')").waitFor(); await page.locator('.range-rows [aria-label="Remove this range"]').click(); await until(() => focused(page, '[data-act="add-range"]'), async () => "the focus is lost after the range: " + (await focusedIs(page))); await page.locator("#estimate:has-text('the minimum')").waitFor();
    await page.locator('#f-source label:has-text("Upload")').click(); assert(!(await page.locator("#f-videoUrl").isVisible()), "the link is still shown"); await page.locator('[data-act="save"]').click(); await page.locator("#field-error").waitFor(); assert(await focused(page, "#f-file"), "a missing file is not shown at its field: " + (await focusedIs(page)));
    await page.locator("#f-file").setInputFiles(file); await page.locator("#estimate:has-text('of video')").waitFor(); await page.locator('#f-clipDurations label:has-text("15 to 30 s")').click(); let posts = 0; page.on("request", (r) => { if (r.method() === "POST" && r.url().endsWith("/ai-clipping-agent/jobs")) posts++; });
    await page.locator('[data-act="save"]').dblclick(); await page.waitForURL(/\/clips\/[0-9a-f-]{36}$/, { timeout: SLOW }); assert(posts === 1, `a double click made ${posts} requests`); const id = idOf(page); made.push(id);
    await page.locator("#facts dd").first().waitFor(); if ((await read(page, id)).cutBy === "worker") return "a clipping worker cuts";
    const stages = new Set(); await until(async () => { for (const word of await page.locator("#stages li.active .grow").allInnerTexts()) stages.add(word); return page.locator("#clips article").count(); }, "there is no clip", SLOW); await page.screenshot({ path: `${SHOTS}/clips-live.png`, fullPage: true });
    await page.locator(".head .pill.completed").waitFor({ timeout: SLOW }); await page.locator("#badge").waitFor({ state: "hidden" }); assert(stages.size, "no stage was seen"); assert((await page.locator("#stages li.done").count()) === 3, "not all stages are done");
    const videos = page.locator("#clips video"); const count = await videos.count(); for (const video of await videos.all()) { await video.scrollIntoViewIfNeeded(); await until(() => video.evaluate((v) => v.readyState >= 1), "a clip is not loaded"); assert(await video.evaluate((v) => v.paused && !v.autoplay), "a clip plays by itself"); }
    await videos.first().evaluate((v) => { v.muted = true; return v.play(); }); await until(() => videos.first().evaluate((v) => v.currentTime > 0), "the clip does not play");
    if (count > 1) { await videos.nth(1).evaluate((v) => { v.muted = true; return v.play(); }); assert(await videos.first().evaluate((v) => v.paused), "two clips play at once"); }
    const before = (await read(page, id)).output.clips.find((one) => one.index === 0); await card(page, 0).locator('[data-act="adjust"]').click(); await until(() => focused(page, '[data-act="grip-start"]'), async () => "the handle is not focused: " + (await focusedIs(page)));
    for (let i = 0; i < 2; i++) await page.keyboard.press("Shift+ArrowRight"); await page.locator('[data-act="cut"][aria-disabled="false"]').click(); await page.locator(".toast:has-text('being cut again')").waitFor();
    let after; await until(async () => (after = (await read(page, id)).output.clips.find((one) => one.index === 0)).url.split("?")[0] !== before.url.split("?")[0], "the clip is not cut again", SLOW); assert(Math.abs(after.startMs - before.startMs - 2000) <= 100, `it starts at ${after.startMs} instead of ${before.startMs + 2000}`);
    await until(async () => (await card(page, 0).locator("video").getAttribute("src")).split("?")[0] === after.url.split("?")[0], "the page shows the old clip", 15000);
    await page.goto(ORIGIN + "/clips"); await page.locator(`#jobs a[href="/clips/${id}"]`).waitFor(); await page.goto(`${ORIGIN}/clips/${id}`); page.allow.push("404"); await page.locator('#actions [data-act="delete"]').click(); await page.locator("#confirm .danger").click(); await page.locator("h1:has-text('Clip job deleted')").waitFor(); await until(() => focused(page, "#failed-load a"), async () => "the focus is lost after the job: " + (await focusedIs(page)));
  });

  await walk("clips-worker", async (made_) => {
    // Where a clipping worker cuts, the page shows its words, and offers no new cut.
    const page = await start(made_); const job = await api(page, "POST", `${BASE}/jobs`, { videoUrl: "https://media.example/talk.mp4", requestedClipCount: 3 }); assert(job.id, "no job was made: " + JSON.stringify(job)); made.push(job.id);
    if (job.cutBy !== "worker") { await drop(page, job.id); return "no clipping worker is set"; }
    await visit(page, job.id); assert(!(await page.locator("#stages").isVisible()), "the stages of our own renderer are shown"); const seen = new Set();
    await until(async () => { seen.add(await page.locator("#stage").innerText()); return page.locator(".head .pill:is(.completed, .failed)").count(); }, "the job does not end", SLOW); assert(seen.size > 2, "stages seen live: " + [...seen]);
    await page.locator("#clips article").first().waitFor(); assert(!(await page.locator('[data-act="adjust"]:visible').count()), "clips of a worker can be adjusted"); await drop(page, job.id);
  });

  await walk("clips-adjust", async (made_) => {
    // A clip is chosen on the time line; its handles are dragged with a mouse, typed and reset; what was refused is shown at its field.
    const page = await made_(); page.allow.push("400"); let recut = null; const job = () => fake({ output: { clips: CLIPS().map((one) => (one.index === 0 && recut ? { ...one, recut } : one)), transcriptUrl: null, planUrl: null } }); const sent = await serve(page, job); await show(page);
    assert((await page.locator("#line button").count()) === 4, "not four ranges"); await span(page, 0).click(); await page.locator("#adjust h3:text-is('Clip 0')").waitFor(); assert((await span(page, 0).getAttribute("aria-pressed")) === "true", "the range is not marked"); assert(await card(page, 0).evaluate((node) => node.classList.contains("chosen")), "the card is not marked");
    const at = async (side) => { const box = await grip(page, side).boundingBox(); return [box.x + box.width / 2, box.y + box.height / 2]; }; const value = (name) => page.inputValue(`#f-${name}`); assert((await value("start")) === "2:00" && (await value("end")) === "2:25", "the times are not those of the clip");
    await grip(page, "end").scrollIntoViewIfNeeded(); const [x, y] = await at("end"); await page.mouse.move(x, y); await page.mouse.down(); await page.mouse.move(x + 60, y, { steps: 6 }); assert((await value("end")) !== "2:25", "the handle does not move"); await page.keyboard.press("Escape"); await page.mouse.up(); assert((await value("end")) === "2:25", "Escape does not put it back: " + (await value("end")));
    await page.mouse.move(x, y); await page.mouse.down(); await page.mouse.move(x + 60, y, { steps: 6 }); await page.mouse.up(); const end = await value("end"); assert(end > "2:25", "the end is at " + end); await page.locator("#adjust:has-text('longer')").waitFor(); await page.screenshot({ path: `${SHOTS}/clips-adjust.png`, fullPage: true });
    await page.locator('[data-act="reset"]').click(); assert((await value("end")) === "2:25", "it is not reset"); await page.fill("#f-start", "soon"); await page.unroute(`**${BASE}/jobs/${WALK}**`); await page.route(`**${BASE}/jobs/${WALK}**`, (route) => (route.request().method() === "GET" ? answer(route, job()) : answer(route, { error: "`start` must be a number of seconds from 0 to 14400", code: "bad_field", field: "start", request_id: "r" }, 400)));
    await page.locator('[data-act="cut"]').click(); await page.locator("#field-error").waitFor(); assert(await focused(page, "#f-start"), "a wrong time is not shown at its field: " + (await focusedIs(page)));
    await page.unroute(`**${BASE}/jobs/${WALK}**`); await serve(page, job, sent); await page.fill("#f-start", "1:58.5"); await page.fill("#f-end", "2:20"); await page.route(`**${BASE}/jobs/${WALK}/clips/0`, (route) => { recut = { startMs: 118_500, endMs: 140_000 }; sent.push(["POST", "/clips/0", route.request().postDataJSON()]); return answer(route, job(), 202); });
    await page.keyboard.press("Enter"); await card(page, 0).locator(".cutting:has-text('1:58.5 to 2:20')").waitFor(); assert(JSON.stringify(sent.at(-1)) === '["POST","/clips/0",{"start":118.5,"end":140}]', "sent: " + JSON.stringify(sent)); await page.locator('[data-act="cut"][aria-disabled="true"]').waitFor(); await page.locator("#line .planned").waitFor({ state: "attached" });
    recut = null; await page.locator("#line .planned").waitFor({ state: "detached", timeout: 15000 }); await until(async () => (await value("start")) === "2:00", "the form keeps the old times");
    await span(page, 2).click(); await page.locator("#adjust h3:text-is('Clip 2')").waitFor(); await page.locator('#adjust [data-act="show-clip"]').click(); await until(() => focused(page, "#clip-2"), async () => "the card is not focused: " + (await focusedIs(page))); await page.locator('#adjust [data-act="close"]').click(); await page.locator("#adjust").waitFor({ state: "hidden" }); await until(() => focused(page, '#line [data-clip="2"]'), async () => "the focus is lost after closing: " + (await focusedIs(page)));
  });

  await walk("clips-keyboard", async (made_) => {
    // Keys move the handles within the source and beside each other; screen readers get their values.
    const page = await made_(); await serve(page, () => fake()); await show(page); const now = (side) => grip(page, side).getAttribute("aria-valuenow");
    await span(page, 3).focus(); await page.keyboard.press("Enter"); await page.locator("#adjust h3:text-is('Clip 3')").waitFor(); await grip(page, "end").focus();
    for (const [key, expected] of [["ArrowRight", "500.1"], ["Shift+ArrowRight", "501.1"], ["PageUp", "506.1"], ["ArrowDown", "506"], ["End", "600"], ["Home", "480.5"]]) { await page.keyboard.press(key); assert((await now("end")) === expected, `${key}: the end is at ${await now("end")} instead of ${expected}`); }
    await grip(page, "start").focus(); await page.keyboard.press("End"); assert((await now("start")) === "480", "the start passes the end: " + (await now("start"))); await page.keyboard.press("Home"); assert((await now("start")) === "0" && (await grip(page, "start").getAttribute("aria-valuetext")) === "0:00", "the start is at " + (await now("start")));
    assert((await page.inputValue("#f-start")) === "0:00", "the field does not follow");
  });

  await walk("clips-touch", async (made_) => {
    // A finger drags a handle, and the page does not scroll.
    const page = await made_({ viewport: PHONE }); await serve(page, () => fake()); await show(page); await span(page, 2).scrollIntoViewIfNeeded(); await span(page, 2).click(); await grip(page, "start").scrollIntoViewIfNeeded();
    const client = await page.context().newCDPSession(page); const touch = (type, points) => client.send("Input.dispatchTouchEvent", { type, touchPoints: points }); const before = await page.evaluate(() => scrollY); const box = await grip(page, "start").boundingBox(); let x = box.x + box.width / 2; const y = box.y + box.height / 2;
    await touch("touchStart", [{ x, y }]); for (let step = 0; step < 8; step++) await touch("touchMove", [{ x: (x += 6), y: y + step * 4 }]); await touch("touchEnd", []);
    await until(async () => Number(await grip(page, "start").getAttribute("aria-valuenow")) > 300, async () => "the start is at " + (await grip(page, "start").getAttribute("aria-valuenow"))); assert((await page.evaluate(() => scrollY)) === before, "the page scrolled");
  });

  await walk("clips-order", async (made_) => {
    // The best clip is first, or the clips are as in the video; the order is kept in the address. The parts of a score are explained.
    const page = await made_(); await serve(page, () => fake()); await show(page); const order = () => page.locator("#clips article").evaluateAll((cards) => cards.map((card) => card.id.slice(5)).join()); assert((await order()) === "0,1,2,3", "by score: " + (await order()));
    await page.locator('#sorting label:has-text("By time")').click(); assert((await order()) === "1,0,2,3", "by time: " + (await order())); assert(page.url().endsWith("?order=timeline"), "the order is not in the address"); await page.reload(); await page.locator("#clips article").first().waitFor(); assert((await order()) === "1,0,2,3", "the order is not kept");
    await card(page, 1).locator("summary").click(); assert((await card(page, 1).locator('[role="meter"]').count()) === 6, "not six parts"); assert((await card(page, 1).locator('[role="meter"][aria-label="Energy"]').getAttribute("aria-valuenow")) === "92", "another energy"); await card(page, 1).locator("p:has-text('Scenes: 4')").waitFor();
    assert((await card(page, 1).locator('[data-act="download"]').getAttribute("href")).includes("/1-0.mp4"), "no download");
    await page.goto(`${ORIGIN}/clips/${WALK}#clip-2`); await page.reload(); await until(() => focused(page, "#clip-2"), async () => "the linked clip is not focused: " + (await focusedIs(page)));
  });

  await walk("clips-states", async (made_) => {
    // Each status says what is there and what can be done; commands ask first, and the focus stays in its place.
    const page = await made_(); page.allow.push("404"); let job = fake({ ...WORKING, status: "queued", progressPercent: 0, progressStage: "Waiting for a renderer", clipsCompleted: 0, totalClips: null, startedAt: null, sourceDurationMs: null, output: { clips: [], transcriptUrl: null, planUrl: null } }); const sent = await serve(page, () => job); await show(page);
    await page.locator(".head .pill.pending:has-text('Queued')").waitFor(); await page.locator("#clips-state:has-text('No clips yet')").waitFor(); await badge(page, "Polling"); assert(!(await page.locator("#line-card").isVisible()), "there is a time line"); await page.locator("#facts dd:has-text('10 reserved')").waitFor();
    job = fake({ ...WORKING, output: { clips: [clip(0, 120, 145)], transcriptUrl: null, planUrl: null } }); await page.locator('#stages li[data-stage="3"].active').waitFor({ timeout: 15000 }); await page.locator("#clips-done:has-text('1 of 4 clips')").waitFor(); assert(!(await page.locator('[data-act="adjust"]:visible').count()), "a clip of a running job can be adjusted"); await page.screenshot({ path: `${SHOTS}/clips-running.png`, fullPage: true });
    await page.locator('#actions [data-act="cancel"]').click(); await page.keyboard.press("Escape"); await until(() => focused(page, '#actions [data-act="cancel"]'), async () => "the focus is lost after Escape: " + (await focusedIs(page))); assert(!sent.length, "it was sent without a confirmation");
    await page.locator('#actions [data-act="cancel"]').click(); job = fake({ ...WORKING, status: "canceled", completedAt: now, creditsReserved: 0, output: job.output }); await page.locator("#confirm .danger").click(); await page.locator(".head .pill.cancelled").waitFor(); await page.locator("#problem .note:has-text('was canceled')").waitFor(); await until(() => focused(page, "#actions *"), async () => "the focus is lost after canceling: " + (await focusedIs(page)));
    job = fake({ ...WORKING, status: "failed", completedAt: now, creditsReserved: 0, errorMessage: "The source has no video", progressStage: "Reading the source", clipsCompleted: 0, output: { clips: [], transcriptUrl: null, planUrl: null } }); await page.reload(); await page.locator("#problem .said:has-text('has no video')").waitFor(); await page.locator('#stages li[data-stage="1"].failed').waitFor(); await page.screenshot({ path: `${SHOTS}/clips-failed.png`, fullPage: true });
    await page.locator('#actions [data-act="retry"]').click(); job = fake({ ...WORKING, output: { clips: [], transcriptUrl: null, planUrl: null } }); await page.locator("#confirm .primary").click(); await page.locator(".head .pill.processing").waitFor(); assert(JSON.stringify(sent.map(([method, path]) => method + path)) === '["POST/cancel","POST/retry"]', JSON.stringify(sent));
    job = fake({ clipsCompleted: 0, totalClips: 0, creditsCharged: 0, errorMessage: "Nothing in the source is worth a clip", output: { clips: [], transcriptUrl: null, planUrl: null } }); await page.reload(); await page.locator("#clips-state:has-text('Nothing in the source')").waitFor(); assert(!(await page.locator("#problem .note").count()), "no clips is shown as a problem"); await page.screenshot({ path: `${SHOTS}/clips-none.png` });
    job = fake({ ignored: ["captions", "keywords"] }); await page.reload(); await page.locator("#ignored .note:has-text('captions, keywords')").waitFor();
    job = fake({ cutBy: "worker", progressStage: "Done", sourceDurationMs: null, output: { clips: [clip(0, 10, 40, { scoreBasis: { hook_strength: 0.8, reason: "A question" }, summary: "How it began", tags: ["start"] }), clip(1, 0, 0, { url: null, startMs: undefined, endMs: undefined, durationMs: 30000, score: null, scoreBasis: undefined })], transcriptUrl: "https://media.example/t.json", planUrl: null } });
    await page.reload(); await page.locator("#clips article").nth(1).waitFor(); assert(!(await page.locator("#stages").isVisible()) && !(await page.locator('[data-act="adjust"]:visible').count()), "a worker's job can be adjusted"); await card(page, 1).locator(".stage:has-text(\"can't be used\")").waitFor(); await card(page, 0).locator("summary").click(); await card(page, 0).locator('[aria-label="Hook strength"]').waitFor({ state: "attached" }); await page.locator('#facts a[href="https://media.example/t.json"]').waitFor();
    await page.locator('#actions [data-act="delete"]').click(); await page.locator("#confirm .danger").click(); await page.locator("h1:has-text('Clip job deleted')").waitFor(); assert(sent.at(-1)[0] === "DELETE", "it was not deleted"); await until(() => focused(page, "#failed-load a"), async () => "the focus is lost after the job: " + (await focusedIs(page)));
  });

  await walk("clips-events", async (made_) => {
    // Events move the progress without a request; a finished clip is requested, and the clip that plays goes on.
    const page = await made_(); let gets = 0; let job = fake({ ...WORKING, output: { clips: [clip(0, 120, 145)], transcriptUrl: null, planUrl: null } }); await serve(page, () => (gets++, job)); let queue = [];
    await serveToken(page);
    const event = (data) => `data: ${JSON.stringify({ jobId: WALK, timestamp: now, ...data })}\n\n`; const state = (over) => ({ status: "running", progressPercent: 40, progressStage: "Cutting the clips", clipsCompleted: 1, totalClips: 4, errorMessage: null, ...over });
    await page.route(`**${BASE}/jobs/${WALK}/stream*`, async (route) => { for (let left = 100; left && !queue.length; left--) await new Promise((resolve) => setTimeout(resolve, 50)); return route.fulfill({ contentType: "text/event-stream", body: `retry: 500\n\n${queue.splice(0).join("") || event({ type: "heartbeat" })}` }).catch(() => {}); });
    queue.push(event({ type: "connected" })); await show(page); await badge(page, "Live: events"); await settled(page); const video = card(page, 0).locator("video"); await video.scrollIntoViewIfNeeded(); await video.evaluate((v) => { v.muted = true; v.loop = true; window.__video = v; return v.play(); });
    const first = gets; queue.push(event({ type: "clips_update", ...state({ progressPercent: 55 }) })); await page.locator("#percent:text-is('55%')").waitFor(); assert(gets === first, "progress alone was requested");
    job = fake({ ...WORKING, progressPercent: 60, clipsCompleted: 2, output: { clips: [clip(0, 120, 145), clip(1, 10, 32.5)], transcriptUrl: null, planUrl: null } }); queue.push(event({ type: "clip_update", index: 1, ...state({ progressPercent: 60, clipsCompleted: 2 }) })); await card(page, 1).waitFor(); assert(await page.evaluate(() => window.__video.isConnected && !window.__video.paused), "the clip that played has stopped");
    job = fake(); queue.push(event({ type: "clips_update", ...state({ status: "succeeded", progressPercent: 100, clipsCompleted: 4 }) })); await page.locator(".head .pill.completed").waitFor(); await card(page, 3).waitFor(); await page.locator("#badge").waitFor({ state: "hidden" });
  });

  await walk("clips-list", async (made_) => {
    // More jobs are loaded on demand, a filter asks the API, and jobs under way are followed without moving what was loaded.
    const page = await made_(); const seen = []; const all = Array.from({ length: 60 }, (_, index) => fake({ id: `walk-${index}`, source: `https://media.example/${index}.mp4`, output: { clips: [], transcriptUrl: null, planUrl: null }, ...(index === 0 ? WORKING : {}), ...(index === 40 ? { status: "failed", errorMessage: "The source has no video" } : {}) }));
    await page.route(`**${BASE}/jobs?*`, (route) => { const query = new URL(route.request().url()).searchParams; const [limit, from, status] = [Number(query.get("limit")), Number(query.get("cursor") ?? 0), query.get("status")]; seen.push([limit, from, status ?? ""]); const found = all.filter((job) => !status || job.status === status); const next = from + limit; return answer(route, { jobs: found.slice(from, next), ...(next < found.length ? { nextCursor: String(next) } : {}) }); });
    await page.goto(ORIGIN + "/clips"); await page.locator("#jobs tr").first().waitFor(); assert(JSON.stringify(seen[0]) === '[25,0,""]', "requests: " + JSON.stringify(seen)); await page.locator("#page:has-text('25 jobs so far')").waitFor();
    await page.locator("#more").click(); await page.locator("#page:has-text('50 jobs so far')").waitFor(); await until(() => focused(page, "#more"), async () => "the focus is lost: " + (await focusedIs(page))); await page.locator("#more").click(); await page.locator("#page:text-is('60 jobs')").waitFor(); await until(() => focused(page, '#jobs a[href="/clips/walk-50"]'), async () => "the focus is lost after the last page: " + (await focusedIs(page)));
    all[0] = { ...all[0], progressPercent: 75 }; all.unshift(fake({ id: "walk-new", source: "uploads/0f1e2d3c4b5a69788796a5b4c3d2e1f0.mp4" })); await page.locator('#jobs tr:has(a[href="/clips/walk-0"]):has-text("75%")').waitFor({ timeout: 15000 }); await page.locator('#jobs tr:first-child a:text-is("Uploaded video")').waitFor(); await until(async () => (await page.locator("#jobs tr").count()) === 61, async () => `${await page.locator("#jobs tr").count()} jobs`);
    await page.locator('.filter[data-status="failed"]').click(); await page.locator('#jobs a[href="/clips/walk-40"]').waitFor(); assert((await page.locator("#jobs tr").count()) === 1 && page.url().endsWith("?status=failed"), "the filter does not hold"); assert(seen.at(-1)[2] === "failed", "the filter was not sent"); await page.locator('.filter[data-status="canceled"]').click(); await page.locator("#state .empty:has-text('No matching jobs')").waitFor();
    all.length = 0; await page.locator('.filter[data-status=""]').click(); await page.locator("#state .empty .btn").click(); await page.locator("#clips-form").waitFor(); await closeSheet(page); await page.screenshot({ path: `${SHOTS}/clips-empty.png` });
  });

  await walk("clips-missing", async (made_) => {
    const page = await made_(); page.allow.push("404", "500"); await page.goto(`${ORIGIN}/clips/${crypto.randomUUID()}`); await page.locator("h1:has-text('Clip job not found')").waitFor(); await page.screenshot({ path: `${SHOTS}/clips-missing.png` });
    await page.route(`**${BASE}/**`, (route) => answer(route, { error: "Something went wrong on our side", code: "internal", request_id: "Kz1ZQjHkIAMEPvA=" }, 500)); for (const path of ["/clips", `/clips/${WALK}`]) { await page.goto(ORIGIN + path); await page.locator(".note.bad code").waitFor(); }
  });

  await walk("shots-clips", async (made_) => {
    const page = await start(made_); const job = await cut(page); if (!job) return "a clipping worker cuts"; await shoot(made_, "clips", "/clips", "#jobs tr");
    // Lazy videos below the window are loaded before the picture is taken.
    const ready = async (page) => { for (const video of await page.locator("#clips video").all()) { await video.scrollIntoViewIfNeeded(); await until(() => video.evaluate((v) => v.readyState >= 2), "a clip is not loaded"); } await card(page, 0).locator("summary").click(); await page.evaluate(() => scrollTo(0, 0)); const { width } = page.viewportSize(); await page.setViewportSize({ width, height: Math.min(2400, await page.evaluate(() => document.documentElement.scrollHeight)) }); };
    await shoot(made_, "clip-job", `/clips/${job.id}`, "#clips article", ready); await shoot(made_, "clip-adjust", `/clips/${job.id}`, "#clips article", async (page) => { await span(page, 0).click(); await grip(page, "start").waitFor(); await page.locator("#line-card").scrollIntoViewIfNeeded(); }); await drop(page, job.id);
  });
  await walk("shots-clips-form", (made_) => shoot(made_, "clips-form", "/clips", "main h1", async (page) => { await settled(page); await page.locator("#new").click(); await page.fill("#f-videoUrl", "https://media.example/talk.mp4"); await page.locator('[data-act="add-range"]').click(); const [from, to] = await page.locator(".range-rows input").all(); await from.fill("1:30"); await to.fill("12:00"); await page.locator("#estimate:has-text('for 10 min 30 s')").waitFor(); }));

  if (!made.length) return;
  // Deletes the jobs that failed walks have left. One that is under way is canceled first.
  const page = await open({ viewport: DESK }); await page.goto(ORIGIN + "/clips"); for (const id of [...made, ...made]) await drop(page, id); await page.context().close();
}

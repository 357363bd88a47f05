// Walks the pages of projects: their list, and one project as a strip of scenes (walk.mjs runs it).
// Each walk makes its own projects through the API and deletes them, so it can run against any stack. Where no video service
// is set, our own renderer draws the prompts as cards, which costs nothing; with a service, `--slow` has to cover its videos.

/** The parameters are helpers of walk.mjs. */
export async function walkProjects({ walk, shoot, open, assert, until, settled, on, focused, focusedIs, badge, api, answer, serveToken, refuseStreams, SOCKET, ORIGIN, SHOTS, SLOW, DESK, PHONE }) {
  const made = [];
  const unique = () => Math.random().toString(36).slice(2, 8);
  const now = new Date().toISOString();

  /** Makes a project with a scene for each prompt; `start` waits until its video is there. */
  async function project(page, prompts, { start = false, ...more } = {}) {
    const body = await api(page, "POST", "/api/v1/projects", { name: `Walk ${unique()}`, scenes: prompts.map((prompt) => ({ prompt, duration: 1 })), ...more });
    assert(body.id, "no project was made: " + JSON.stringify(body));
    made.push(body.id);
    if (!start) return body;
    await api(page, "POST", `/api/v1/projects/${body.id}/start`);
    let last;
    await until(async () => ["completed", "failed"].includes((last = await read(page, body.id)).status), () => `the project is ${last.status} after ${SLOW / 1000} s`, SLOW);
    assert(last.status === "completed", "the project failed: " + last.error);
    return last;
  }
  const read = (page, id) => api(page, "GET", `/api/v1/projects/${id}`);
  const ids = async (page, id) => (await read(page, id)).scenes.map((scene) => scene.id);
  const shownIds = (page) => page.locator("#strip > li").evaluateAll((items) => items.map((item) => item.dataset.scene));
  const tidy = async (page, ids) => { for (const id of ids) await api(page, "DELETE", `/api/v1/projects/${id}`); };
  const start = async (made_, path = "/projects", options) => { const page = await made_(options); await page.goto(ORIGIN + path); await settled(page); return page; };
  const visit = async (page, id) => { await page.goto(`${ORIGIN}/projects/${id}`); await page.locator("#strip article").first().waitFor(); await settled(page); };
  const card = (page, id) => page.locator(`[id="scene-${id}"]`);
  const act = (page, id, name) => card(page, id).locator(`[data-act="${name}"]`);
  const sheet = (page) => page.locator("#sheet[open]");
  const closeSheet = async (page) => { await page.locator('#sheet [data-act="close"]').click(); await sheet(page).waitFor({ state: "hidden" }); };
  const loaded = (image) => image.evaluate((node) => node.complete && node.naturalWidth > 0);
  const pathOf = async (image) => new URL(await image.getAttribute("src")).pathname;
  /** A scene and a project that only the page of a walk sees. */
  const fakeScene = (index, over) => ({ id: `scene_${index}`, project_id: "proj_walk", sceneNumber: String(index), name: null, prompt: `Shot ${index}`, type: "text-to-video", duration: 5, fps: null, model: null, resolution: null, status: "ready", progress: 0, videoUrl: null, thumbnailUrl: null, lastFrameUrl: null, firstFrameUrl: null, notes: "", attempt: 0, take: null, takes: [], dependsOn: index > 1 ? `scene_${index - 1}` : null, dependsOnPrevious: true, stale: false, ...over });
  const fake = (over) => ({ id: "proj_walk", name: "A project of the walk", slug: "walk", type: null, user: null, status: "draft", phase: "draft", progress: 0, finalVideoUrl: null, thumbnailUrl: null, duration: null, budget: null, cost: 0, metadata: {}, createdAt: now, updatedAt: now, startedAt: null, endedAt: null, scenes: [], ...over });
  const estimate = { tasks: { videos: 1, frames: 1, stitches: 1, total: 3 }, seconds: 5, cost: 0.25, currency: "USD", spent: 0, budget: null, withinBudget: true };

  await walk("project-create", async (made_) => {
    // A project is made from prompts, started and watched until its video plays; the frames of its scenes join.
    const page = await start(made_); page.allow.push("400"); const name = `Walk ${unique()}`;
    await page.locator("#new").click(); await page.locator("#project-form").waitFor();
    await page.locator('[data-act="save"]').click(); await page.locator("#sheet .note.bad").waitFor(); assert(await focused(page, "#f-name"), "a missing name is not shown at its field: " + (await focusedIs(page)));
    await page.fill("#f-name", name); await page.fill("#f-budget", "100"); await page.fill("#f-scenes", "A fox runs through the snow\n\n  It stops at a river  \nIt jumps\n"); await page.locator('#scenes-count:text-is("3 scenes")').waitFor();
    await page.fill("#f-duration", "700"); await page.locator('[data-act="save"]').click(); await page.locator("#field-error").waitFor(); assert(await focused(page, "#f-duration"), "a wrong length is not shown at its field: " + (await focusedIs(page))); await page.screenshot({ path: `${SHOTS}/project-form-error.png` });
    await page.fill("#f-duration", "1"); let posts = 0; page.on("request", (r) => { if (r.method() === "POST" && r.url().endsWith("/api/v1/projects")) posts++; });
    await page.locator('[data-act="save"]').dblclick(); await page.waitForURL("**/projects/proj_*"); assert(posts === 1, `a double click made ${posts} requests`);
    const id = new URL(page.url()).pathname.split("/").at(-1); made.push(id);
    await page.locator(`h1:text-is("${name}")`).waitFor(); assert((await page.locator("#strip article").count()) === 3, "not three scenes"); assert((await page.locator(".what").nth(1).innerText()) === "It stops at a river", "the prompt is not trimmed");
    await page.locator("#plan:has-text('Left to do: 3 videos (3 s)')").waitFor(); await page.screenshot({ path: `${SHOTS}/project-draft.png`, fullPage: true });
    await page.locator('#actions [data-act="start"]').click(); await badge(page, SOCKET); await page.locator('#actions [data-act="cancel"]').waitFor(); await page.screenshot({ path: `${SHOTS}/project-live.png`, fullPage: true });
    const seen = new Set(); await until(async () => { for (const word of await page.locator("#strip .pill").allInnerTexts()) seen.add(word); return page.locator("#video video").count(); }, "there is no video", SLOW);
    assert(seen.has("Generating") && seen.has("Verified"), "seen live: " + [...seen]); await page.locator("#badge").waitFor({ state: "hidden" });
    const frames = page.locator("#strip .frame img"); await until(async () => (await frames.count()) === 5, async () => `${await frames.count()} frames`);
    for (const image of await frames.all()) { await image.scrollIntoViewIfNeeded(); await until(() => loaded(image), "a frame is not loaded"); }
    for (const index of [0, 1]) assert((await pathOf(page.locator("#strip article").nth(index).locator("img").last())) === (await pathOf(page.locator("#strip article").nth(index + 1).locator("img").first())), `scene ${index + 2} starts from another frame`);
    const video = page.locator("#video video"); await video.evaluate((v) => { v.muted = true; return v.play(); }); await until(() => video.evaluate((v) => v.currentTime > 0), "the video does not play");
    await page.goto(ORIGIN + "/projects"); await page.locator(`#projects tr:has(a:text-is("${name}")) .pill:has-text("Completed")`).waitFor(); await tidy(page, [id]);
  });

  await walk("project-takes", async (made_) => {
    // A scene is regenerated without the one that depends on it, and an earlier take is chosen; scenes are approved and rejected.
    const page = await start(made_); const { id, scenes } = await project(page, ["A fox runs", "It jumps"], { start: true }); const [one, two] = scenes.map((scene) => scene.id);
    await visit(page, id); const bodies = []; page.on("request", (r) => { if (["POST", "PATCH"].includes(r.method()) && r.url().includes(`/scenes/${one}`)) bodies.push(r.postDataJSON()); });
    await act(page, one, "generate").click(); await page.locator("#confirm .plan:has-text('2 videos')").waitFor(); await page.locator("#confirm input").uncheck(); await page.locator("#confirm .plan:has-text('1 video (')").waitFor(); await page.screenshot({ path: `${SHOTS}/project-regenerate.png` });
    await page.locator("#confirm .primary").click(); await card(page, one).locator("p:has-text('take 2 of 2')").waitFor({ timeout: SLOW }); assert(bodies[0].cascade === false, "the scene that depends on it is regenerated: " + JSON.stringify(bodies));
    await card(page, two).locator(".stale").waitFor(); await page.locator(".head .pill.completed").waitFor({ timeout: SLOW }); await settled(page);
    await act(page, one, "open").click(); await sheet(page).locator('.take:has-text("Take 2"):has-text("In use")').waitFor(); await page.screenshot({ path: `${SHOTS}/project-takes.png` });
    await sheet(page).locator('[data-act="watch-1"]').click(); await sheet(page).locator('video[aria-label^="Take 1"]').waitFor();
    await sheet(page).locator('[data-act="use-1"]').click(); await sheet(page).locator('.take:has-text("Take 1"):has-text("In use")').waitFor(); assert(JSON.stringify(bodies[1]) === '{"take":1}', "more than the take was sent: " + JSON.stringify(bodies[1]));
    await closeSheet(page); await until(() => focused(page, `[id="scene-${one}"] [data-act="open"]`), async () => "the focus is lost after the dialog: " + (await focusedIs(page)));
    await page.locator(".head .pill.completed").waitFor({ timeout: SLOW }); await settled(page);
    await act(page, one, "approve").click(); await card(page, one).locator(".pill:has-text('Approved')").waitFor(); await until(() => focused(page, `[id="scene-${one}"], [id="scene-${one}"] *`), async () => "the focus is lost after approving: " + (await focusedIs(page)));
    await act(page, two, "reject").click(); await page.locator("#confirm .danger").click(); await card(page, two).locator(".pill:has-text('Rejected')").waitFor();
    await page.locator('#actions [data-act="delete"]').click(); await page.locator("#confirm .danger").click(); page.allow.push("404"); await page.locator("h1:has-text('Project deleted')").waitFor(); await until(() => focused(page, "#failed-load a"), async () => "the focus is lost after the project: " + (await focusedIs(page)));
  });

  await walk("project-order", async (made_) => {
    // Scenes are ordered by the keyboard, by the mouse, and by a field of their dialog; Escape puts them back.
    const page = await start(made_); const { id, scenes } = await project(page, ["One", "Two", "Three", "Four"]); const [a, b, c, d] = scenes.map((scene) => scene.id); await visit(page, id);
    const orders = []; page.on("request", (r) => { if (r.method() === "PATCH") orders.push(r.postDataJSON().scenes); });
    const is = (order) => until(async () => JSON.stringify(await ids(page, id)) === JSON.stringify(order) && JSON.stringify(await shownIds(page)) === JSON.stringify(order), async () => `the order is ${await ids(page, id)}, shown ${await shownIds(page)}, expected ${order}`);
    const said = (text) => page.locator(`#say:has-text("${text}")`).waitFor({ state: "attached" });
    await act(page, a, "move").focus(); await page.keyboard.press("Space"); await said("picked up at place 1 of 4"); await page.keyboard.press("ArrowRight"); await page.keyboard.press("ArrowDown"); await said("Place 3 of 4"); await page.screenshot({ path: `${SHOTS}/project-ordering.png`, fullPage: true });
    await page.keyboard.press("Escape"); await said("back at place 1"); assert(!orders.length, "a cancelled move was sent"); await is([a, b, c, d]);
    await page.keyboard.press("Space"); await page.keyboard.press("End"); await page.keyboard.press("Enter"); await is([b, c, d, a]); await until(() => focused(page, `[id="scene-${a}"] [data-act="move"]`), async () => "the focus is lost: " + (await focusedIs(page)));
    const at = async (locator) => { await locator.scrollIntoViewIfNeeded(); const box = await locator.boundingBox(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    await page.mouse.move(...(await at(act(page, a, "move")))); await page.mouse.down(); await page.mouse.move(...(await at(card(page, c))), { steps: 8 }); await page.mouse.move(...(await at(card(page, b))), { steps: 8 }); await page.mouse.up(); await is([a, b, c, d]);
    await page.mouse.move(...(await at(act(page, d, "move")))); await page.mouse.down(); await page.mouse.move(...(await at(card(page, b))), { steps: 8 }); await page.keyboard.press("Escape"); await page.mouse.up(); await is([a, b, c, d]);
    await act(page, b, "open").click(); await page.locator("#scene-form").waitFor(); await page.selectOption("#f-place", "1"); await page.locator('#scene-form [data-act="save"]').click(); await is([b, a, c, d]); await closeSheet(page);
    assert(orders.length === 3, `${orders.length} orders were sent`); await tidy(page, [id]);
  });

  await walk("project-touch", async (made_) => {
    // A finger drags a scene by its handle, and the page does not scroll.
    const page = await start(made_, "/projects", { viewport: PHONE }); const { id, scenes } = await project(page, ["One", "Two", "Three"]); const [a, b, c] = scenes.map((scene) => scene.id); await visit(page, id);
    const client = await page.context().newCDPSession(page); const touch = (type, points) => client.send("Input.dispatchTouchEvent", { type, touchPoints: points });
    await act(page, a, "move").scrollIntoViewIfNeeded(); await page.evaluate(() => scrollBy(0, 200)); const before = await page.evaluate(() => scrollY);
    const [from, to] = [await act(page, a, "move").boundingBox(), await card(page, b).boundingBox()]; const x = from.x + from.width / 2; let y = from.y + from.height / 2;
    await touch("touchStart", [{ x, y }]); for (; y < to.y + to.height / 2; y += 10) await touch("touchMove", [{ x, y }]); await touch("touchEnd", []);
    await until(async () => JSON.stringify(await ids(page, id)) === JSON.stringify([b, a, c]), async () => "the order is " + (await ids(page, id))); assert((await page.evaluate(() => scrollY)) === before, "the page scrolled"); await tidy(page, [id]);
  });

  await walk("project-edit", async (made_) => {
    // Only changes are sent; leaving with changes asks; scenes are added and removed; the project itself is changed.
    const page = await start(made_); page.allow.push("400"); const { id, scenes } = await project(page, ["One", "Two"]); const [a, b] = scenes.map((scene) => scene.id); await visit(page, id);
    const sent = []; page.on("request", (r) => { if (r.method() === "PATCH") sent.push(r.postDataJSON()); });
    await act(page, b, "open").click(); await page.fill("#f-prompt", "Two, at night"); await page.keyboard.press("Escape"); await page.locator("#confirm[open]").waitFor(); await page.keyboard.press("Escape"); assert(await sheet(page).isVisible(), "the changes are lost");
    await page.fill("#f-duration", "soon"); await page.locator('#scene-form [data-act="save"]').click(); await page.locator("#field-error").waitFor(); assert(await focused(page, "#f-duration"), "the focus is not at the bad field: " + (await focusedIs(page))); await page.fill("#f-duration", "1"); sent.length = 0;
    await page.selectOption("#f-dependsOn", ""); await page.locator('#scene-form [data-act="save"]').click(); await page.locator(".toast:has-text('The scene is saved')").waitFor(); assert(JSON.stringify(sent) === '[{"prompt":"Two, at night","dependsOn":null}]', "more than the change was sent: " + JSON.stringify(sent));
    await settled(page); await closeSheet(page); await card(page, b).locator("p:has-text('starts on its own')").waitFor(); assert((await card(page, b).locator(".what").innerText()) === "Two, at night", "the card shows the old prompt");
    await page.locator("#add").click(); await page.fill("#f-scenes", "Three\nFour"); await page.locator('#project-form [data-act="save"]').click(); await until(async () => (await page.locator("#strip article").count()) === 4, "the scenes are not added");
    await act(page, a, "open").click(); await sheet(page).locator('[data-act="remove"]').click(); await page.locator("#confirm .danger").click(); await sheet(page).waitFor({ state: "hidden" }); await until(async () => (await page.locator("#strip article").count()) === 3, "the scene is not removed");
    sent.length = 0; await page.locator('#actions [data-act="edit"]').click(); await page.fill("#f-budget", "2.5"); await page.locator('#project-form [data-act="save"]').click(); await page.locator("#facts:has-text('of $2.50')").waitFor(); assert(JSON.stringify(sent) === '[{"budget":2.5}]', "more than the change was sent: " + JSON.stringify(sent)); await tidy(page, [id]);
  });

  await walk("project-cancel", async (made_) => {
    // A project that runs is cancelled and continued; without a stream, the page polls.
    const page = await start(made_); await refuseStreams(page); const { id } = await project(page, ["One", "Two", "Three"]); await visit(page, id);
    await page.locator('#actions [data-act="start"]').click(); await badge(page, "Polling"); await page.locator('#actions [data-act="cancel"]').click(); await page.keyboard.press("Escape"); await until(() => focused(page, '#actions [data-act="cancel"]'), async () => "the focus is lost after Escape: " + (await focusedIs(page)));
    await page.locator('#actions [data-act="cancel"]').click(); await page.locator("#confirm .danger").click(); await page.locator(".head .pill.cancelled").waitFor(); await page.screenshot({ path: `${SHOTS}/project-cancelled.png` });
    await page.locator('#actions [data-act="start"]').click(); await page.locator("#video video").waitFor({ timeout: SLOW }); await tidy(page, [id]);
  });

  await walk("project-failed", async (made_) => {
    // A project whose third scene failed: the page says why, links to the scene, and offers a retry; the budget is too small.
    const page = await made_(); await refuseStreams(page); const notes = "Video generation failed: out of memory";
    const scenes = [1, 2, 3].map((index) => fakeScene(index, index < 3 ? { status: "verified", attempt: 1, take: 1 } : { status: "rejected", attempt: 3, notes })); let one = fake({ status: "failed", phase: "failed", progress: 60, error: "scene 3 failed 3 times: out of memory", budget: 0.6, cost: 0.5, scenes }); let retried = null;
    await page.route("**/api/v1/projects/proj_walk", (route) => answer(route, one)); await page.route("**/api/v1/projects/proj_walk/estimate", (route) => answer(route, { ...estimate, spent: 0.5, budget: 0.6, withinBudget: false }));
    await page.route("**/api/v1/projects/proj_walk/retry", (route) => { retried = route.request().postDataJSON(); one = { ...one, status: "generating", phase: "running", error: undefined }; return answer(route, one); });
    await page.goto(`${ORIGIN}/projects/proj_walk`); await page.locator("#problem .said:has-text('out of memory')").waitFor(); await page.locator("#plan .note:has-text('$0.10 of $0.60 are left')").waitFor(); await page.locator(`.said-short:has-text("${notes}")`).waitFor(); await page.screenshot({ path: `${SHOTS}/project-failed.png`, fullPage: true });
    await page.locator('#problem a[href="#scene-scene_3"]').click(); await until(() => focused(page, "#scene-scene_3"), async () => "the scene is not focused: " + (await focusedIs(page)));
    await page.locator('#actions [data-act="retry"]').click(); await page.locator(".head .pill.processing").waitFor(); assert(JSON.stringify(retried) === "{}", "the retry names " + JSON.stringify(retried)); await page.locator("#problem .note").waitFor({ state: "detached" });
    await page.goto(`${ORIGIN}/projects/proj_walk#scene-scene_2`); await page.reload(); await until(() => focused(page, "#scene-scene_2"), async () => "the linked scene is not focused: " + (await focusedIs(page)));
  });

  await walk("project-long", async (made_) => {
    // 200 scenes: images are loaded only near the window, a change draws one card, and a key moves a scene to the end.
    const page = await made_(); await refuseStreams(page); let frames = 0; const src = (index) => `${ORIGIN}/api/v1/files/proj_walk/scenes/scene_${index}/1/last.png?token=${Math.random()}`;
    const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
    const scenes = Array.from({ length: 200 }, (_, index) => fakeScene(index + 1, { status: "verified", attempt: 1, take: 1 })); const signed = () => scenes.map((scene, index) => ({ ...scene, lastFrameUrl: src(index + 1), firstFrameUrl: index ? src(index) : null })); let order = null;
    await page.route("**/api/v1/files/**", (route) => (frames++, route.fulfill({ contentType: "image/png", body: pixel }))); await page.route("**/api/v1/projects/proj_walk/estimate", (route) => answer(route, estimate));
    await page.route("**/api/v1/projects/proj_walk", (route) => { if (route.request().method() === "PATCH") { order = route.request().postDataJSON().scenes; scenes.sort((one, other) => order.indexOf(one.id) - order.indexOf(other.id)); } return answer(route, fake({ status: "cancelled", phase: "cancelled", progress: 90, scenes: signed() })); });
    await page.goto(`${ORIGIN}/projects/proj_walk`); await until(async () => (await page.locator("#strip article").count()) === 200, "not 200 scenes"); await settled(page); await page.waitForTimeout(1000); assert(frames < 120, `${frames} of 399 frames were loaded at once`);
    await page.evaluate(() => { window.__drawn = 0; new MutationObserver((changes) => { for (const { addedNodes } of changes) window.__drawn += addedNodes.length; }).observe(document.getElementById("strip"), { childList: true }); });
    const before = frames; scenes[1] = { ...scenes[1], prompt: "Another prompt" }; await page.locator('.what:text-is("Another prompt")').waitFor({ timeout: 30000 }); assert(frames - before <= 2, `a change loaded ${frames - before} frames again`);
    await page.locator('#strip [data-act="move"]').first().focus(); const began = Date.now(); await page.keyboard.press("Space"); await page.keyboard.press("End"); await page.keyboard.press("Space"); await until(() => order?.at(-1) === "scene_1", "the scene is not at the end"); assert(Date.now() - began < 5000, `the move took ${Date.now() - began} ms`);
    await until(async () => (await shownIds(page)).at(-1) === "scene_1", "the strip shows another order"); await page.locator("#add[aria-disabled='true']").waitFor(); await page.screenshot({ path: `${SHOTS}/project-long.png` });
  });

  await walk("project-events", async (made_) => {
    // Events change the page at once: a scene's progress without a request, its status with one.
    const page = await made_(); let gets = 0; await serveToken(page); const scenes = [fakeScene(1, { status: "generating", attempt: 1, progress: 10 }), fakeScene(2)]; const one = () => fake({ status: "generating", phase: "running", progress: 5, scenes });
    const event = (data) => `data: ${JSON.stringify({ project_id: "proj_walk", timestamp: now, ...data })}\n\n`; const update = (progress, status = "generating") => event({ type: "scene_update", scene_id: "scene_1", status, attempt: 1, progress, project_status: "generating", project_progress: progress / 2 }); let queue = [];
    await page.route("**/api/v1/projects/proj_walk", (route) => (gets++, answer(route, one()))); await page.route("**/api/v1/projects/proj_walk/stream*", async (route) => { for (let left = 100; left && !queue.length; left--) await new Promise((resolve) => setTimeout(resolve, 50)); return route.fulfill({ contentType: "text/event-stream", body: `retry: 500\n\n${queue.splice(0).join("") || event({ type: "heartbeat" })}` }).catch(() => {}); });
    await page.goto(`${ORIGIN}/projects/proj_walk`); await page.locator("#strip article").first().waitFor(); await settled(page); const first = gets; queue.push(update(40)); await page.locator('#scene-scene_1 .percent:text-is("40%")').waitFor(); assert((await page.locator("#percent").innerText()) === "20%", "the project's progress stands still"); assert(gets === first, "progress alone was requested");
    Object.assign(scenes[0], { status: "generated", progress: 100 }); queue.push(update(100, "generated")); await page.locator("#scene-scene_1 .pill:has-text('Extracting frame')").waitFor(); await until(() => gets > first, "the new status is not requested");
  });

  await walk("projects-list", async (made_) => {
    // A page has 25 projects; a filter searches pages of 100 until it finds some, and says when it stopped.
    const page = await made_(); const seen = []; const all = Array.from({ length: 900 }, (_, index) => { const { scenes, ...one } = fake({ id: `proj_${index}`, name: `Project ${index}`, status: index === 150 ? "failed" : "draft", phase: index === 150 ? "failed" : "draft" }); return { ...one, sceneCount: 2, sceneStatuses: { ready: 2 } }; });
    await page.route("**/api/v1/projects?*", (route) => { const query = new URL(route.request().url()).searchParams; const [limit, from] = [Number(query.get("limit")), Number(query.get("cursor") ?? 0)]; seen.push([limit, from]); const next = from + limit; return answer(route, { projects: all.slice(from, next), totalDocs: all.length, limit, totalPages: 1, page: 1, hasNextPage: next < all.length, hasPrevPage: from > 0, ...(next < all.length ? { nextCursor: String(next) } : {}) }); });
    await page.goto(ORIGIN + "/projects"); await page.locator("#projects tr").first().waitFor(); assert(JSON.stringify(seen) === "[[25,0]]", "requests: " + JSON.stringify(seen)); await page.locator("#page:has-text('25 of 900 projects')").waitFor();
    await page.locator(on("older")).click(); await page.locator('#projects a:text-is("Project 25")').waitFor(); await page.locator("#newer").click(); await page.locator('#projects a:text-is("Project 0")').waitFor();
    seen.length = 0; await page.locator('.filter[data-status="failed"]').click(); await page.locator('#projects a:text-is("Project 150")').waitFor(); assert(JSON.stringify(seen) === "[[100,0],[100,100]]", "requests: " + JSON.stringify(seen)); assert((await page.locator("#projects tr").count()) === 1, "others are shown"); assert(page.url().endsWith("?status=failed"), "the filter is not in the address");
    await page.locator("#reset").click(); await page.locator('#projects a:text-is("Project 0")').waitFor(); seen.length = 0; await page.fill("#by-text", "project 777"); await page.keyboard.press("Enter"); await page.locator("#state .empty:has-text('Nothing found so far')").waitFor(); assert(seen.length === 5, `${seen.length} pages were read`); await page.locator(on("older")).click(); await page.locator('#projects a:text-is("Project 777")').waitFor();
    await page.unroute("**/api/v1/projects?*"); await page.route("**/api/v1/projects?*", (route) => answer(route, { projects: [], totalDocs: 0, limit: 25, totalPages: 1, page: 1, hasNextPage: false, hasPrevPage: false })); await page.goto(ORIGIN + "/projects"); await page.locator(".empty .btn").click(); await page.locator("#project-form").waitFor(); await closeSheet(page); await page.screenshot({ path: `${SHOTS}/projects-empty.png` });
  });

  await walk("project-missing", async (made_) => {
    const page = await made_(); page.allow.push("404", "500"); await page.goto(`${ORIGIN}/projects/proj_walk_${unique()}`); await page.locator("h1:has-text('Project not found')").waitFor(); await page.screenshot({ path: `${SHOTS}/project-missing.png` });
    await page.route("**/api/v1/projects**", (route) => answer(route, { error: "Something went wrong on our side", code: "internal", request_id: "Kz1ZQjHkIAMEPvA=" }, 500)); for (const path of ["/projects", "/projects/proj_walk"]) { await page.goto(ORIGIN + path); await page.locator(".note.bad code").waitFor(); }
  });

  for (const [name, prompts, more] of [["completed", ["A fox runs through the snow", "It stops at a river and looks at its reflection", "It jumps to the other bank", "The sun comes up over the forest"], { start: true, type: "trailer", budget: 2.5 }], ["draft", ["A fox runs through the snow", "It stops at a river", "It jumps"], { budget: 2.5 }]]) await walk(`shots-project-${name}`, async (made_) => {
    const page = await start(made_); const { id, scenes } = await project(page, prompts, { ...more, name: "The fox and the river" });
    // Lazy images below the window are loaded before the picture is taken.
    const ready = async (page) => { for (const image of await page.locator("#strip .frame img").all()) { await image.scrollIntoViewIfNeeded(); await until(() => loaded(image), "a frame is not loaded"); } await page.evaluate(() => scrollTo(0, 0)); const { width } = page.viewportSize(); await page.setViewportSize({ width, height: Math.min(2400, await page.evaluate(() => document.documentElement.scrollHeight)) }); };
    await shoot(made_, `project-${name}`, `/projects/${id}`, "#strip article", ready);
    if (name === "completed") { await api(page, "POST", `/api/v1/projects/${id}/scenes/${scenes[3].id}/generate`); await until(async () => (await read(page, id)).status === "completed", "the new take is not there", SLOW); await shoot(made_, "project-scene", `/projects/${id}`, "#strip article", async (page) => { await settled(page); await act(page, scenes[3].id, "open").click(); await sheet(page).locator(".take").nth(1).waitFor(); }); }
    await tidy(page, [id]);
  });
  await walk("shots-projects", async (made_) => { const page = await start(made_); const { id } = await project(page, ["One", "Two"]); await shoot(made_, "projects", "/projects", "#projects tr"); await tidy(page, [id]); });
  await walk("shots-project-form", (made_) => shoot(made_, "project-form", "/projects", "main h1", async (page) => { await settled(page); await page.locator("#new").click(); await page.fill("#f-name", "The fox and the river"); await page.fill("#f-scenes", "A fox runs through the snow\nIt stops at a river\nIt jumps"); }));

  if (!made.length) return;
  // Deletes the projects that failed walks have left.
  const page = await open({ viewport: DESK }); await page.goto(ORIGIN + "/projects"); await tidy(page, made); await page.context().close();
}

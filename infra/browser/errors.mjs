// Walks the page of errors: filters, occurrences, dismissal and retry (walk.mjs runs it).
// It reports errors of its own through the API and dismisses them; what would touch others' errors is answered by the walk.

/** The parameters are helpers of walk.mjs. */
export async function walkErrors({ walk, shoot, assert, until, settled, on, focused, focusedIs, badge, api, answer, refuseStreams, ORIGIN, SHOTS }) {
  const unique = () => Math.random().toString(36).slice(2, 8);
  const now = new Date().toISOString();
  /** Reports an error as a page would; reports of one name at one address are one error. */
  const report = (page, name) => api(page, "POST", "/api/v1/errors/log", { error: { message: `It failed: ${name}`, name: "WalkError", stack: "WalkError\n    at walk" }, url: `https://walk.example/${name}`, userAgent: "walk", timestamp: new Date().toISOString() });
  const card = (page, text) => page.locator(`article.raised:has-text("${text}")`);
  /** An error that only the page of this walk sees. */
  const fake = (id, over) => ({ id: `err_1704110400000_000000${id}`, type: "generation", severity: "error", cause: "video_failed", message: `Error ${id}`, context: { project_id: "proj_walk", scene_id: "scene_1", error: "out of memory" }, timestamp: now, dismissible: true, dismissed: false, occurrences: 1, firstSeen: now, lastSeen: now, ...over });
  const retry = { method: "POST", path: "/api/v1/projects/proj_walk/retry", label: "Retry", body: { sceneId: "scene_1" } };
  /** Answers the list and the numbers with these errors. */
  async function serve(page, list) {
    await page.route("**/api/v1/errors?*", (route) => answer(route, { success: true, count: list().length, errors: list() }));
    await page.route("**/api/v1/errors/stats", (route) => answer(route, { success: true, stats: { total: list().length, active: list().length, dismissed: 0, bySeverity: { critical: 0, error: list().length, warning: 0, info: 0 }, byType: {} } }));
  }

  await walk("errors", async (made_) => {
    // A report appears without reloading, counts its occurrences, passes and fails filters, and is dismissed.
    const page = await made_(); const name = `walk-${unique()}`; await page.goto(ORIGIN + "/errors"); await badge(page, "Live: events"); await settled(page);
    assert((await report(page, name)).success, "the report is refused"); await card(page, name).waitFor({ timeout: 15000 }); await report(page, name); await card(page, name).locator("text=2 times").waitFor({ timeout: 15000 });
    await card(page, name).locator("summary").click(); assert(await card(page, name).locator("dd:has-text('at walk')").count(), "the stack is not shown"); await page.screenshot({ path: `${SHOTS}/errors-live.png` });
    await page.locator('.filter[data-severity="warning"]').click(); await settled(page); assert(!(await card(page, name).count()), "an error is among the warnings"); await page.locator('.filter[data-severity="error"]').click(); await card(page, name).waitFor();
    await page.selectOption("#by-type", "generation"); await settled(page); assert(!(await card(page, name).count()), "a system error is among those of generation"); await page.selectOption("#by-type", "system"); await card(page, name).waitFor(); assert(page.url().endsWith("?severity=error&type=system"), "the filter is not in the address: " + page.url());
    await page.reload(); await card(page, name).waitFor(); assert((await page.inputValue("#by-type")) === "system", "the filter is not kept"); await page.locator('.segments label:has-text("Resolved")').click(); await settled(page); assert(!(await card(page, name).count()), "an active error is among the resolved ones"); await page.locator('.segments label:has-text("Active")').click(); await card(page, name).waitFor();
    await card(page, name).locator('[data-act="dismiss"]').click(); await page.locator(".toast:has-text('Error dismissed')").waitFor(); await card(page, name).waitFor({ state: "detached" });
    await page.locator('.filter[data-severity=""]').click(); await report(page, name); await card(page, name).waitFor({ timeout: 15000 }); await card(page, name).locator('[data-act="dismiss"]').click(); await card(page, name).waitFor({ state: "detached" });
  });

  await walk("errors-retry", async (made_) => {
    // The retry makes the call that the error names; one that may cost twice asks first; a fault of our own can't be dismissed.
    const page = await made_(); await refuseStreams(page); const sent = []; const list = [fake(1, { action: retry, occurrences: 3 }), fake(2, { cause: "submission_unclear", message: "It is unclear", action: { ...retry, body: undefined } }), fake(3, { type: "system", cause: "lost_key", severity: "critical", message: "No key opens the secrets", dismissible: false, context: {} })];
    await serve(page, () => list); await page.route("**/api/v1/projects/proj_walk/retry", (route) => (sent.push(route.request().postDataJSON()), answer(route, { id: "proj_walk" })));
    await page.goto(ORIGIN + "/errors"); await card(page, "Error 1").waitFor(); await settled(page); assert(await card(page, "Error 1").locator('a[href="/projects/proj_walk"]').count(), "no link to the project"); assert(await card(page, "Error 1").locator('a[href="/projects/proj_walk#scene-scene_1"]').count(), "no link to the scene"); assert(!(await card(page, "No key").locator('[data-act="dismiss"]').count()), "a fault of our own can be dismissed");
    await card(page, "Error 1").locator('[data-act="retry"]').click(); await page.locator(".toast:has-text('The retry has begun')").waitFor(); await card(page, "It is unclear").locator('[data-act="retry"]').click(); await page.locator("#confirm[open]").waitFor(); await page.keyboard.press("Escape"); assert(sent.length === 1, "it was sent without a confirmation");
    await card(page, "It is unclear").locator('[data-act="retry"]').click(); await page.locator("#confirm .danger").click(); await until(() => sent.length === 2, "the retry is not sent"); assert(JSON.stringify(sent) === '[{"sceneId":"scene_1"},{}]', JSON.stringify(sent));
  });

  await walk("errors-retry-clips", async (made_) => {
    // A failed clip job links to its page, and is retried from here.
    const page = await made_(); await refuseStreams(page); const job = "550e8400-e29b-41d4-a716-446655440000"; const path = `/api/ai-clipping-agent/jobs/${job}/retry`; let sent = 0; let list = [fake(1, { type: "processing", cause: "clips_failed", message: "The clip job failed", context: { job_id: job, attempt: 1, error: "no sound" }, action: { method: "POST", path, label: "Retry" } })];
    await serve(page, () => list); await page.route(`**${path}`, (route) => { sent++; list = []; return answer(route, { id: job, status: "queued" }); });
    await page.goto(ORIGIN + "/errors"); await card(page, "The clip job failed").locator(`a[href="/clips/${job}"]`).waitFor(); await settled(page); await card(page, "The clip job failed").locator('[data-act="retry"]').click(); await page.locator(".toast:has-text('A new attempt has begun')").waitFor(); await card(page, "The clip job failed").waitFor({ state: "detached" }); assert(sent === 1, `${sent} retries were sent`);
  });

  await walk("errors-keyboard", async (made_) => {
    // After each dismissal the focus moves to the next error, from the last one to the one before, from the only one to the heading.
    const page = await made_(); await refuseStreams(page); let list = [fake(1), fake(2), fake(3)]; await serve(page, () => list);
    await page.route("**/api/v1/errors/dismiss", (route) => { const { errorId } = route.request().postDataJSON(); list = list.filter((one) => one.id !== errorId); return answer(route, { success: true, message: "Error dismissed", errorId, dismissedAt: now }); });
    await page.goto(ORIGIN + "/errors"); await card(page, "Error 2").waitFor(); await settled(page);
    for (const [gone, heir] of [["2", 'article[id$="3"] *'], ["3", 'article[id$="1"] *'], ["1", "#errors-title"]]) { await page.locator(`article[id$="${gone}"] [data-act="dismiss"]`).focus(); await page.keyboard.press("Enter"); await page.locator(`article[id$="${gone}"]`).waitFor({ state: "detached" }); await until(() => focused(page, heir), async () => `after error ${gone} the focus is at ${await focusedIs(page)}`); }
    await page.locator("#state .empty:has-text('No errors')").waitFor(); await page.screenshot({ path: `${SHOTS}/errors-empty.png` });
  });

  await walk("errors-all", async (made_) => {
    // Dismissing all asks first; a success leaves by itself; an empty page with a cursor is read on; more pages follow.
    const page = await made_(); await refuseStreams(page); let all = null; const cursors = []; let list = [fake(1), fake(2, { type: "success", severity: "info", cause: "project_completed", message: "The project is done", autoDismissMs: 5000, expiresAt: new Date(Date.now() + 6000).toISOString() })];
    await serve(page, () => list); await page.route("**/api/v1/errors/dismiss", (route) => { all = route.request().postDataJSON(); list = []; return answer(route, { success: true, message: "Dismissed 1 error(s)", count: 1 }); });
    await page.goto(ORIGIN + "/errors"); await card(page, "The project is done").waitFor(); await card(page, "The project is done").waitFor({ state: "detached", timeout: 15000 }); await card(page, "Error 1").waitFor();
    await page.locator(on("dismiss-all")).click(); await page.keyboard.press("Escape"); assert(!all, "it was sent without a confirmation"); await page.locator("#dismiss-all").click(); await page.locator("#confirm .primary").click(); await page.locator(".toast:has-text('Dismissed 1')").waitFor(); assert(JSON.stringify(all) === '{"all":true}', JSON.stringify(all)); await page.locator("#state .empty").waitFor();
    await page.unroute("**/api/v1/errors?*"); await page.route("**/api/v1/errors?*", (route) => { const cursor = new URL(route.request().url()).searchParams.get("cursor") ?? ""; cursors.push(cursor); const [errors, nextCursor] = { "": [[], "b"], b: [[fake(4)], "c"], c: [[fake(5)], undefined] }[cursor]; return answer(route, { success: true, count: errors.length, errors, nextCursor }); });
    await page.goto(ORIGIN + "/errors"); await card(page, "Error 4").waitFor(); assert(cursors.slice(0, 2).join() === ",b", "cursors: " + cursors); await page.locator(on("older")).click(); await card(page, "Error 5").waitFor(); await page.locator(on("newer")).click(); await card(page, "Error 4").waitFor();
  });

  await walk("errors-trouble", async (made_) => {
    const page = await made_(); page.allow.push("500"); await page.route("**/api/v1/errors**", (route) => answer(route, { success: false, message: "Something went wrong on our side", code: "internal", request_id: "Kz1ZQjHkIAMEPvA=" }, 500));
    await page.goto(ORIGIN + "/errors"); await page.locator("#state .note.bad code").waitFor(); await page.screenshot({ path: `${SHOTS}/errors-trouble.png` });
  });

  await walk("errors-calls", async (made_) => {
    // Fewer than 60 calls a minute, with and without a stream.
    for (const refused of [false, true]) { const page = await made_(); if (refused) await refuseStreams(page); await page.goto(ORIGIN + "/errors"); await badge(page, refused ? "Polling" : "Live: events"); await settled(page); let calls = 0; page.on("request", (r) => r.url().includes("/api/") && calls++); await page.waitForTimeout(15000); assert(calls < 15, `${refused ? "polling" : "live"}: ${calls} calls in 15 s`); }
  });

  await walk("shots-errors", (made_) => shoot(async (options) => {
    // The same errors in each picture.
    const page = await made_(options); await refuseStreams(page);
    const list = [fake(1, { severity: "critical", cause: "stitch_failed", message: "The scenes could not be joined", context: { project_id: "proj_1704110400000_5f0c2b7e", error: "the service answered 500 three times" }, action: { ...retry, body: undefined } }), fake(2, { message: "Video generation failed: out of memory", occurrences: 3, action: retry, context: { project_id: "proj_1704110400000_5f0c2b7e", scene_id: "scene_4", task_id: "task_991", error: "worker 7: out of memory after 81 s" } }), fake(3, { type: "webhook", severity: "warning", cause: "unknown_scene", message: "A callback names a scene that does not exist", occurrences: 5, context: { scene_id: "scene_gone", task_id: "task_17" } })];
    await page.route("**/api/v1/errors?*", (route) => answer(route, { success: true, count: 3, errors: list })); await page.route("**/api/v1/errors/stats", (route) => answer(route, { success: true, stats: { total: 3, active: 3, dismissed: 0, bySeverity: { critical: 1, error: 1, warning: 1, info: 0 }, byType: {} } }));
    return page;
  }, "errors", "/errors", "article.raised"));
}

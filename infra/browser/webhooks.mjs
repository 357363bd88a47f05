// Walks the webhook pages: endpoints, their secrets, deliveries, attempts and recoveries (walk.mjs runs it).
// Each walk registers its own endpoint through the API, sends only to it, and deletes it, so it can run against any stack.
// --receiver URL: the receiver of its webhooks; by default a path at the first endpoint of the settings, locally the mock services.

/** The parameters are helpers of walk.mjs; `receiver` may be empty. */
export async function walkWebhooks({ walk, shoot, open, assert, until, settled, on, focused, focusedIs, api, answer, ORIGIN, SHOTS, receiver }) {
  const made = [];
  const unique = () => Math.random().toString(36).slice(2, 8);
  const EVENTS = "webhook.test";

  async function target(page) {
    if (receiver) return `${receiver}${receiver.includes("?") ? "&" : "?"}walk=${unique()}`;
    const { endpoints } = await api(page, "GET", "/api/webhooks/endpoints");
    const known = endpoints.find((one) => one.source === "settings" && one.url && !one.url.includes("***"));
    return new URL(`walk-${unique()}`, known?.url ?? "https://hooks.example.com/").href;
  }
  /** Registers an endpoint for this walk, and sends `tests` test webhooks to it. */
  async function endpoint(page, { description = `Walk ${unique()}`, tests = 0, ...more } = {}) {
    const response = await page.evaluate(async ([body, key]) => (await fetch("/api/webhooks/endpoints", { method: "POST", headers: { "content-type": "application/json", "idempotency-key": key }, body: JSON.stringify(body) })).json(), [{ url: await target(page), description, events: ["endpoint.*"], ...more }, crypto.randomUUID()]);
    assert(response.endpoint?.id, "no endpoint was made: " + JSON.stringify(response));
    made.push(response.endpoint.id);
    const sent = [response.test?.deliveryId];
    for (let i = 0; i < tests; i++) sent.push((await api(page, "POST", `/api/webhooks/endpoints/${response.endpoint.id}/test`)).deliveryId);
    return { ...response.endpoint, sent: sent.filter(Boolean) };
  }
  const cardOf = (page, id) => page.locator(`article[id="${id}"]`);
  const act = (page, id, name) => cardOf(page, id).locator(`[data-act="${name}"]`);
  const sheet = (page) => page.locator("#sheet[open]");
  const closeSheet = async (page) => { await page.locator('#sheet [data-act="close"]').click(); await sheet(page).waitFor({ state: "hidden" }); };
  const start = async (made, path = "/webhooks", options) => { const page = await made(options); await page.goto(ORIGIN + path); await settled(page); return page; };
  const tidy = async (page, ids) => { for (const id of ids) await api(page, "DELETE", `/api/webhooks/endpoints/${id}`); };

  await walk("endpoint", async (made_) => {
    // An endpoint is registered, edited, previewed, rotated, disabled, enabled and deleted through the page.
    const page = await start(made_); page.allow.push("400"); const name = `Walk ${unique()}`, address = await target(page);
    await page.locator("#add").click(); await page.locator("#endpoint-form").waitFor(); await page.screenshot({ path: `${SHOTS}/webhooks-form.png` });
    await page.locator('[data-act="save"]').click(); await page.locator("#field-error").waitFor(); assert(await focused(page, "#f-url"), "a missing URL is not shown at its field");
    await page.fill("#f-url", "not an address"); await page.locator('[data-act="save"]').click();
    await page.locator('#field-error code:text-is("url")').waitFor();
    assert(await focused(page, "#f-url"), "the focus is not at the bad field: " + (await focusedIs(page))); await page.screenshot({ path: `${SHOTS}/webhooks-form-error.png` });
    await page.fill("#f-url", address); await page.fill("#f-description", name);
    await page.uncheck('#f-events input[value="job.*"]'); await page.check('#f-events input[value="endpoint.*"]'); assert(await page.isDisabled('#f-events input[value="endpoint.disabled"]'), "a group does not include its members");
    await page.locator("#f-headers > button").click(); await page.locator('#f-headers [data-part="name"]').fill("X-Team"); await page.locator('#f-headers [data-part="value"]').fill("walk");
    await page.locator("summary:has-text('More options')").click(); await page.check('input[name="v1a"]'); await page.fill("#f-timeoutMs", "5000"); await page.screenshot({ path: `${SHOTS}/webhooks-form-more.png` });
    await page.locator('[data-act="save"]').click(); await page.locator("#sheet .note.completed").waitFor(); await page.screenshot({ path: `${SHOTS}/webhooks-registered.png` });
    await page.locator("#sheet .btn:has-text('Done')").click();
    const card = page.locator(`article:has(h3:text-is("${name}"))`); await card.waitFor(); const id = await card.getAttribute("id"); made.push(id);
    await until(async () => (await focused(page, "#add")), async () => "the focus is lost after the dialog: " + (await focusedIs(page)));

    await act(page, id, "edit").click(); await page.locator("#f-description").waitFor(); assert((await page.inputValue("#f-timeoutMs")) === "5000", "the timeout is not kept"); assert((await page.locator('#f-headers [data-part="value"]').inputValue()) === "", "a header's value is shown");
    let sent = null; page.on("request", (r) => { if (r.method() === "PATCH") sent = r.postDataJSON(); });
    await page.fill("#f-description", name + " 2"); await page.locator('#endpoint-form [data-act="save"]').click(); await sheet(page).waitFor({ state: "hidden" });
    await page.locator(`h3:text-is("${name} 2")`).waitFor(); assert(JSON.stringify(sent) === JSON.stringify({ description: name + " 2" }), "more than the change was sent: " + JSON.stringify(sent));

    await act(page, id, "preview").click(); await page.locator("#sheet pre").waitFor(); assert(JSON.parse(await page.locator("#sheet pre").innerText()), "the body is not JSON"); await page.screenshot({ path: `${SHOTS}/webhooks-preview.png` });
    await page.selectOption("#f-event", EVENTS); await page.locator(`#sheet pre:has-text("${EVENTS}")`).waitFor(); await closeSheet(page);

    await act(page, id, "secret").click(); await page.locator(".secret-item").waitFor(); assert((await page.locator(".secret").first().innerText()).includes("•"), "the secret is shown at once");
    await page.locator('[data-act="reveal"]').first().click(); const old = await page.locator(".secret").first().innerText(); assert(/^whsec_[A-Za-z0-9+/]+=*$/.test(old), "no secret: " + old.slice(0, 9)); assert((await page.locator("#sheet").innerText()).includes("whpk_"), "no public key, with v1a");
    await page.check('input[name="grace"][value="3600"]'); await page.locator('[data-act="rotate"]').click(); await until(async () => (await page.locator(".secret-item").count()) === 2, "the old secret is not kept"); await page.screenshot({ path: `${SHOTS}/webhooks-secret.png` });
    await page.locator('[data-act="reveal"]').first().click(); assert((await page.locator(".secret").first().innerText()) !== old, "the secret is the old one"); await closeSheet(page);

    await act(page, id, "switch").click(); await page.locator("#confirm .primary").click(); await cardOf(page, id).locator(".pill:has-text('Disabled')").waitFor(); await page.screenshot({ path: `${SHOTS}/webhooks-disabled.png` });
    await act(page, id, "switch").click(); await cardOf(page, id).locator(".pill:has-text('Disabled')").waitFor({ state: "detached" });
    await act(page, id, "test").click(); await cardOf(page, id).locator(".last-test a").waitFor();
    await act(page, id, "delete").click(); await page.locator("#confirm .danger").click(); await cardOf(page, id).waitFor({ state: "detached" });
    await until(async () => !(await focused(page, "body")), "the focus is lost after the delete");
  });

  await walk("endpoint-keyboard", async (made_) => {
    // Keyboard only: a new endpoint, a confirmation when Escape would discard changes, and the return of the focus.
    const page = await start(made_); const name = `Walk ${unique()}`, address = await target(page);
    const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    const to = async (selector, key = "Tab") => { for (let i = 0; i < 80; i++) { if (await focused(page, selector)) return; await press(key); } throw new Error(`${key} does not reach ${selector}`); };
    await to("#add"); await press("Enter"); await page.locator("#endpoint-form").waitFor(); await to("#f-url"); await page.keyboard.type(address); await press("Escape");
    await page.locator("#confirm[open]").waitFor(); await press("Escape"); await page.locator("#confirm[open]").waitFor({ state: "hidden" }); assert((await page.inputValue("#f-url")) === address, "what was typed is lost");
    await to("#f-description"); await page.keyboard.type(name); await to('#f-events input[value="job.*"]'); await press("Space"); await to('#f-events input[value="endpoint.disabled"]'); await press("Space"); await to('[data-act="save"]'); await press("Enter");
    await page.locator("#sheet .note.completed").waitFor(); await to("#sheet .btn.primary"); await press("Enter"); await page.locator(".secret-item").waitFor(); await to('[data-act="reveal"]'); await press("Enter"); await page.locator('[data-act="reveal"][aria-pressed="true"]').waitFor();
    assert(await page.evaluate(() => document.querySelector("#sheet").contains(document.activeElement)), "the focus leaves the dialog"); await press("Escape"); await sheet(page).waitFor({ state: "hidden" });
    const card = page.locator(`article:has(h3:text-is("${name}"))`); await card.waitFor(); const id = await card.getAttribute("id"); made.push(id);
    await act(page, id, "edit").focus(); await press("Enter"); await page.locator("#endpoint-form").waitFor(); await press("Escape"); await sheet(page).waitFor({ state: "hidden" });
    await until(() => focused(page, `[id="${id}"] [data-act="edit"]`), async () => "the focus is lost after Escape: " + (await focusedIs(page)));
    await tidy(page, [id]);
  });

  await walk("endpoint-refused", async (made_) => {
    // Another user has changed the endpoint: the change is not overwritten, and the new version can be loaded.
    const page = await start(made_); page.allow.push("412"); const { id } = await endpoint(page); await page.reload(); await act(page, id, "edit").click(); await page.locator("#f-description").waitFor();
    await api(page, "PATCH", `/api/webhooks/endpoints/${id}`, { description: "Theirs" }); await page.fill("#f-description", "Mine"); await page.locator('[data-act="save"]').click(); await page.locator("#sheet .note.bad").waitFor();
    await page.locator("#sheet .btn:has-text('Load it again')").click(); await until(async () => (await page.inputValue("#f-description").catch(() => "")) === "Theirs", "it was not loaded again"); await closeSheet(page); await tidy(page, [id]);
  });

  await walk("deliveries", async (made_) => {
    // The URL contains the filter, and each page starts where the previous one ended.
    const page = await start(made_); const { id, sent } = await endpoint(page, { tests: 4 }); const path = `/webhooks/deliveries?endpoint=${id}&limit=2`;
    await until(async () => (await api(page, "GET", `/api/webhooks/deliveries?endpoint=${id}`)).count >= sent.length, "the tests are not listed", 20000);
    await page.goto(ORIGIN + path); await page.locator("#deliveries tr").first().waitFor(); await settled(page); assert((await page.locator("#deliveries tr").count()) === 2, "not two rows"); assert((await page.inputValue("#by-endpoint")) === id, "the endpoint in the URL is not selected");
    const first = await page.locator("#deliveries a.strong").first().getAttribute("href"); await page.locator(on("older")).click(); await page.locator("#page:has-text('Page 2')").waitFor(); await settled(page);
    assert((await page.locator("#deliveries a.strong").first().getAttribute("href")) !== first, "page 2 is page 1"); await page.locator(on("newer")).click(); await page.locator("#page:has-text('Page 1')").waitFor();
    await page.locator('.filter[data-status="stopped"]').click(); await page.locator("#state .empty").waitFor(); assert(page.url().includes("status=stopped") && page.url().includes(id), "the URL does not contain the filter: " + page.url());
    await page.screenshot({ path: `${SHOTS}/deliveries-none.png` }); await page.reload(); await page.locator('.filter[data-status="stopped"][aria-pressed="true"]').waitFor();
    await page.locator("#reset").click(); await until(() => !page.url().includes("status="), "the filter is kept"); await settled(page);
    await tidy(page, [id]);
  });

  await walk("timeline", async (made_) => {
    // A test webhook is opened from the card: its attempts appear without a reload, and it can be replayed.
    const page = await start(made_); page.allow.push("409"); const { id } = await endpoint(page); await page.reload(); await act(page, id, "test").click(); await cardOf(page, id).locator(".last-test a").click();
    await page.waitForURL("**/webhooks/deliveries/*"); await page.locator("#timeline li").first().waitFor(); await page.locator("h1:has-text('webhook.test')").waitFor(); await page.screenshot({ path: `${SHOTS}/delivery-new.png`, fullPage: true });
    await until(async () => (await page.locator("#timeline h3").count()) >= 1, "no attempt appears", 30000); const before = await page.locator("#timeline h3").count(); await page.screenshot({ path: `${SHOTS}/delivery-tries.png`, fullPage: true });
    assert((await page.locator("#payload pre").innerText()).includes("{"), "no content");
    await until(async () => { await page.locator('[data-act="replay"]').click(); if (await page.locator("#confirm[open]").count()) await page.locator("#confirm .primary").click(); return page.locator(".toast:has-text('again')").count(); }, "it is not replayed", 20000);
    await until(async () => (await page.locator("#timeline h3").count()) > before, "no further attempt appears", 30000);
    assert(await page.locator(`#facts a[href="/webhooks#${id}"]`).count(), "no link to the endpoint"); await page.locator(`#facts a[href="/webhooks#${id}"]`).click(); await page.waitForURL("**/webhooks#*"); await until(() => focused(page, `[id="${id}"]`), "the endpoint's card is not found");
    await tidy(page, [id]);
  });

  await walk("delivery-missing", async (made_) => {
    const page = await made_(); page.allow.push("404"); await page.goto(`${ORIGIN}/webhooks/deliveries/00000000-0000-4000-8000-000000000000`); await page.locator("h1:has-text('Delivery not found')").waitFor(); await page.screenshot({ path: `${SHOTS}/delivery-missing.png` });
  });

  await walk("recover", async (made_) => {
    // A recovery is counted first, then run, only for this walk's endpoint.
    const page = await start(made_); const { id, sent } = await endpoint(page, { tests: 2 });
    await until(async () => (await api(page, "GET", `/api/webhooks/deliveries?endpoint=${id}`)).count >= sent.length, "the tests are not listed", 20000);
    await page.goto(`${ORIGIN}/webhooks/deliveries?endpoint=${id}`); await page.locator("#deliveries tr").first().waitFor(); await settled(page);
    const bodies = []; page.on("request", (r) => { if (r.method() === "POST" && r.url().endsWith("/api/webhooks/recover")) bodies.push([r.postDataJSON(), r.headers()["idempotency-key"]]); });
    await page.locator("#recover").click(); await page.locator("#f-status").waitFor(); assert((await page.inputValue("#sheet #f-endpoint")) === id, "the filter's endpoint is not preselected");
    for (const box of await page.locator('#f-status input').all()) await box.check(); await page.screenshot({ path: `${SHOTS}/recover.png` });
    await page.locator('[data-act="count"]').click(); await page.locator('[data-act="send"]').waitFor({ timeout: 20000 }); const words = await page.locator('[data-act="send"]').innerText(); assert(words === `Replay ${sent.length} deliveries`, words); await page.screenshot({ path: `${SHOTS}/recover-counted.png` });
    await page.locator('[data-act="send"]').click(); await page.locator('#sheet progress, [data-act="done"]').first().waitFor(); await page.screenshot({ path: `${SHOTS}/recover-running.png` }); await page.locator('[data-act="done"]').waitFor({ timeout: 30000 }); await page.screenshot({ path: `${SHOTS}/recover-done.png` });
    assert(bodies.length === 2 && bodies[0][0].dryRun === true && !bodies[1][0].dryRun && bodies[1][1] && bodies[1][0].to, "requests: " + JSON.stringify(bodies));
    await page.locator('[data-act="done"]').click(); await until(() => focused(page, "#recover"), async () => "the focus is lost: " + (await focusedIs(page))); await page.locator("#recoveries .item").first().waitFor(); await tidy(page, [id]);
  });

  await walk("recover-cancel", async (made_) => {
    // A recovery that only the page of this walk sees: it runs until it is cancelled.
    const page = await made_(); const now = new Date().toISOString(); const one = { id: "rec_0123456789abcdef0123456789abcdef", status: "running", dryRun: false, progress: 41, filter: { from: now, to: now, endpoint: null, event: null, status: ["exhausted"] }, examined: 7400, matched: 6900, replayed: 6900, underWay: 0, endpointDisabled: 3, createdAt: now, updatedAt: now, finishedAt: null };
    await page.route("**/api/webhooks/recover", (route) => answer(route, { success: true, count: 1, recoveries: [one], recovery: route.request().postDataJSON()?.dryRun ? { ...one, status: "done", dryRun: true, progress: 100 } : one })); await page.route("**/api/webhooks/recover/*", (route) => answer(route, { success: true, recovery: one }));
    await page.route("**/api/webhooks/recover/*/cancel", (route) => { Object.assign(one, { status: "cancelled", finishedAt: now }); return answer(route, { success: true, recovery: one }); });
    await page.goto(`${ORIGIN}/webhooks/deliveries`); await page.locator("#recoveries progress").waitFor(); await settled(page); await page.screenshot({ path: `${SHOTS}/deliveries-recovering.png`, fullPage: true });
    await page.locator("#recover").click(); await page.locator('[data-act="count"]').click(); await page.locator('[data-act="send"]').click(); await page.locator("#sheet progress").waitFor(); await page.screenshot({ path: `${SHOTS}/recover-progress.png` });
    await page.locator('#sheet [data-act="cancel"]').click(); await page.locator("#sheet .note:has-text('cancelled')").waitFor(); await page.locator('[data-act="done"]').click(); await page.locator("#recoveries .pill:has-text('Cancelled')").waitFor();
  });

  await walk("webhooks-empty", async (made_) => {
    const page = await made_(); await page.route("**/api/webhooks/endpoints?*", (route) => answer(route, { success: true, count: 0, endpoints: [] })); await page.route("**/api/webhooks/deliveries?*", (route) => answer(route, { success: true, count: 0, deliveries: [] }));
    await page.goto(`${ORIGIN}/webhooks`); await page.locator(".empty .btn").click(); await page.locator("#endpoint-form").waitFor(); await closeSheet(page); await page.screenshot({ path: `${SHOTS}/webhooks-empty.png` });
    await page.goto(`${ORIGIN}/webhooks/deliveries`); await page.locator("#state .empty").waitFor(); await settled(page); await page.screenshot({ path: `${SHOTS}/deliveries-empty.png` });
  });

  await walk("webhooks-errors", async (made_) => {
    const page = await made_(); page.allow.push("500"); await page.route("**/api/webhooks/**", (route) => answer(route, { success: false, message: "Something went wrong on our side", code: "internal", request_id: "Kz1ZQjHkIAMEPvA=" }, 500));
    for (const path of ["/webhooks", "/webhooks/deliveries", "/webhooks/deliveries/00000000-0000-4000-8000-000000000000"]) { await page.goto(ORIGIN + path); await page.locator(".note.bad").waitFor(); await page.screenshot({ path: `${SHOTS}/error${path.replaceAll("/", "-").slice(0, 24)}.png` }); }
  });

  await walk("shots-webhooks", async (made_) => {
    const page = await start(made_); const own = (await api(page, "GET", "/api/webhooks/endpoints")).count ? [] : [await endpoint(page)]; await shoot(made_, "webhooks", "/webhooks", "article"); await tidy(page, own.map((one) => one.id));
  });
  await walk("shots-deliveries", (made_) => shoot(made_, "deliveries", "/webhooks/deliveries", "#deliveries tr, #state .empty"));
  await walk("shots-delivery", async (made_) => {
    // The delivery with the most attempts, of an endpoint that still exists.
    const page = await start(made_); const { endpoints } = await api(page, "GET", "/api/webhooks/endpoints"); const { deliveries } = await api(page, "GET", "/api/webhooks/deliveries?limit=100");
    const attempted = deliveries.filter((one) => endpoints.some(({ id }) => id === one.endpointId)).sort((a, b) => b.attempts - a.attempts); if (!attempted.length) return "no delivery";
    await shoot(made_, "delivery", `/webhooks/deliveries/${attempted[0].id}`, "#timeline li:not(.bare)"); const open = deliveries.find((one) => one.status === "pending" && one.attempts); if (open) await shoot(made_, "delivery-pending", `/webhooks/deliveries/${open.id}`, "#timeline .next");
  });
  for (const name of ["form", "secret", "preview", "recover"]) await walk(`shots-sheet-${name}`, async (made_) => {
    const page = await start(made_); const { id } = await endpoint(page, { description: "Partner", signatures: ["v1", "v1a"], events: ["endpoint.*"] });
    await shoot(made_, `sheet-${name}`, name === "recover" ? "/webhooks/deliveries" : "/webhooks", "main h1", async (page) => {
      await settled(page); await page.locator(name === "recover" ? "#recover" : `[id="${id}"] [data-act="${name === "form" ? "edit" : name}"]`).click(); await sheet(page).locator({ form: "#f-events", secret: ".secret-item", preview: "pre", recover: "#f-status" }[name]).first().waitFor();
      if (name === "form") await page.locator("summary:has-text('More options')").click();
    });
    await tidy(page, [id]);
  });

  if (!made.length) return;
  // Deletes the endpoints that failed walks have left.
  const page = await open(); await page.goto(ORIGIN + "/webhooks"); const left = (await api(page, "GET", "/api/webhooks/endpoints")).endpoints ?? []; await tidy(page, made.filter((id) => left.some((one) => one.id === id))); await page.context().close();
}

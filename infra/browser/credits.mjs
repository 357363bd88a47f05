// Walks the page of credits: an account with its entries, and the forms of operators (walk.mjs runs it).
// It adds credits to accounts of its own, whose users do not exist; entries can't be removed.

/** The parameters are helpers of walk.mjs. */
export async function walkCredits({ walk, shoot, assert, until, settled, focused, focusedIs, api, answer, ORIGIN, SHOTS }) {
  const PATH = "/api/ai-clipping-agent/credits";
  const unique = () => `walk-${Math.random().toString(36).slice(2, 8)}`;
  const now = new Date().toISOString();
  const job = "550e8400-e29b-41d4-a716-446655440000";
  const number = (page, name) => page.locator(`.tile:has-text("${name}") .number`).innerText();
  /** An entry and an account that only the page of a walk sees. */
  const entry = (index, over) => ({ id: `e${index}`, type: "usage", amount: -25, balanceAfter: 1000 - 25 * index, description: `Clips of film ${index}`, relatedJobId: job, basis: "probed", createdAt: now, ...over });
  const account = (over) => ({ userId: "ann", balance: 75, reserved: 10, totalEarned: 100, totalSpent: 25, transactions: [entry(1), entry(0, { id: "add", type: "purchase", amount: 100, balanceAfter: 100, description: "Credits purchased", relatedJobId: null, basis: undefined })], ...over });

  await walk("credits", async (made_) => {
    // An operator adds credits to a user, once for a double click, and finds them in the user's account.
    const page = await made_(); page.allow.push("400"); const user = unique(); await page.goto(ORIGIN + "/credits"); await page.locator("#add").waitFor(); await settled(page); await page.locator("#whose:has-text('operators create')").waitFor();
    await page.locator("#add").click(); await page.locator("#credits-form").waitFor(); await page.fill("#f-userId", user); await page.fill("#f-amount", "-5"); await page.locator('[data-act="save"]').click(); await page.locator("#field-error").waitFor(); assert(await focused(page, "#f-amount"), "a wrong amount is not shown at its field: " + (await focusedIs(page)));
    await page.fill("#f-amount", "120"); await page.locator('#f-type label:has-text("Bonus")').click(); await page.fill("#f-description", "For the walk"); let posts = 0; page.on("request", (r) => { if (r.method() === "POST" && r.url().endsWith(PATH)) posts++; });
    await page.locator('[data-act="save"]').dblclick(); await page.locator(`#whose:has-text("${user}")`).waitFor(); assert(posts === 1, `a double click made ${posts} requests`); assert((await number(page, "Balance")) === "120" && (await number(page, "Earned")) === "120" && (await number(page, "Spent")) === "0", "other numbers: " + (await page.locator("#tiles").innerText()));
    await page.locator("#entries tr:has-text('For the walk'):has-text('+120') .pill:has-text('Bonus')").waitFor(); assert(page.url().endsWith(`?userId=${user}`), "the user is not in the address: " + page.url()); await page.screenshot({ path: `${SHOTS}/credits-added.png` });
    await page.reload(); await page.locator("#entries tr").first().waitFor(); await page.locator("#add").waitFor(); assert((await page.inputValue("#by-user")) === user, "the user is not kept"); await api(page, "POST", PATH, { userId: user, amount: 30 }); await page.locator("#entries tr:first-child:has-text('+30'):has-text('150')").waitFor({ timeout: 15000 });
    await page.fill("#by-user", unique()); await page.keyboard.press("Enter"); await page.locator("#state .empty:has-text('No entries yet')").waitFor(); assert((await number(page, "Balance")) === "0", "an empty account has credits");
    await page.fill("#by-user", "operator"); await page.keyboard.press("Enter"); await page.locator("#whose:has-text('operators create')").waitFor(); await page.fill("#by-user", unique()); await page.keyboard.press("Enter"); await page.locator("#whose:has-text('walk-')").waitFor(); await page.locator("#reset").click(); await page.locator("#whose:has-text('operators create')").waitFor();
  });

  await walk("credits-owner", async (made_) => {
    // An owner sees one account and no forms; a charge links to its job and says what it is based on.
    const page = await made_(); await page.route(`**${PATH}?*`, (route) => answer(route, account())); await page.goto(ORIGIN + "/credits"); await page.locator("#entries tr").first().waitFor(); await settled(page); assert(!(await page.locator("#add").isVisible()) && !(await page.locator("#narrow").isVisible()), "an owner has the forms of operators");
    await page.locator('.tile:has-text("65 can be reserved")').waitFor(); await page.locator(`#entries tr:has-text("−25"):has-text("by the length of the video") a[href="/clips/${job}"]`).waitFor();
  });

  await walk("credits-more", async (made_) => {
    // More entries are loaded on demand; new ones appear above, and the rest stays.
    const page = await made_(); const all = Array.from({ length: 120 }, (_, index) => entry(index)); await page.route(`**${PATH}?*`, (route) => { const query = new URL(route.request().url()).searchParams; const [limit, from] = [Number(query.get("limit")), Number(query.get("cursor") ?? 0)]; return answer(route, account({ balance: -5, transactions: all.slice(from, from + limit), ...(from + limit < all.length ? { nextCursor: String(from + limit) } : {}) })); });
    await page.goto(ORIGIN + "/credits"); await page.locator("#page:has-text('50 entries so far')").waitFor(); await page.locator("#more").click(); await page.locator("#page:has-text('100 entries so far')").waitFor(); await until(() => focused(page, "#more"), async () => "the focus is lost: " + (await focusedIs(page))); await page.locator("#more").click(); await page.locator("#page:text-is('120 entries')").waitFor(); await until(() => focused(page, "#entries tr:nth-child(101) a"), async () => "the focus is lost after the last page: " + (await focusedIs(page)));
    all.unshift(entry(500, { description: "A new charge" })); await page.locator("#entries tr:first-child:has-text('A new charge')").waitFor({ timeout: 15000 }); await page.locator("#page:text-is('121 entries')").waitFor(); await page.locator('.tile.failed:has-text("-5")').waitFor();
  });

  await walk("credits-trouble", async (made_) => {
    const page = await made_(); page.allow.push("500"); await page.route(`**${PATH}?*`, (route) => answer(route, { error: "Something went wrong on our side", code: "internal", request_id: "Kz1ZQjHkIAMEPvA=" }, 500));
    await page.goto(ORIGIN + "/credits"); await page.locator("#state .note.bad code").waitFor(); await page.screenshot({ path: `${SHOTS}/credits-trouble.png` });
  });

  const shown = (made_) => async (options) => {
    // The same entries in each picture.
    const page = await made_(options); const entries = [entry(1, { amount: -45, balanceAfter: 555, description: "4 clips" }), entry(2, { id: "refund", type: "refund", amount: 10, balanceAfter: 600, description: "Credits refunded", relatedJobId: null, basis: undefined }), entry(3, { amount: -10, balanceAfter: 590, description: "2 clips", basis: "minimum" }), entry(4, { id: "bonus", type: "bonus", amount: 100, balanceAfter: 600, description: "Bonus credits", relatedJobId: null, basis: undefined }), entry(5, { id: "buy", type: "purchase", amount: 500, balanceAfter: 500, description: "Credits purchased", relatedJobId: null, basis: undefined })];
    await page.route(`**${PATH}?*`, (route) => answer(route, account({ userId: "operator", balance: 555, reserved: 20, totalEarned: 610, totalSpent: 55, transactions: entries }))); return page;
  };
  await walk("shots-credits", (made_) => shoot(shown(made_), "credits", "/credits", "#entries tr"));
  await walk("shots-credits-form", (made_) => shoot(shown(made_), "credits-form", "/credits", "#entries tr", async (page) => { await page.locator("#add").click(); await page.fill("#f-userId", "ann"); await page.fill("#f-amount", "500"); }));
}

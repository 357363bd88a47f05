// Serves the page of credits: the balance of an account with its entries, more of them on demand; operators see all accounts and add credits.
import { failure, get, resting } from "../api.js";
import { $, el, empty, enable, first, keyed, setText, show, skeleton, trouble } from "../dom.js";
import { textOf } from "../form-parts.js";
import { count, plural, shortId, when } from "../format.js";
import { banner } from "../queue-state.js";
import { clipsPath } from "../clips/words.js";
import { addCredits } from "./add.js";
import { OPERATOR, basisWords, entryPill, signed } from "./words.js";

const PAGE = 50;
const EVERY = 10_000;
const form = $("narrow", HTMLFormElement);
/** The owner whose account is shown; blank for the caller's own. */
let userId = new URLSearchParams(location.search).get("userId")?.trim() ?? "";
/** The entries that are shown, newest first. @type {Api.CreditEntry[]} */
let entries = [];
let next = "";
let loaded = false;
/** Whether it is known if the caller is an operator. */
let isKnown = false;
/** @type {AbortController | null} */
let loading = null;

/** Runs one request at a time: a new one replaces the one before. @type {(cursor: string, take: (account: Api.CreditAccount) => void) => Promise<void>} */
async function request(cursor, take) {
  loading?.abort();
  const own = (loading = new AbortController());
  try {
    const account = await get("/api/ai-clipping-agent/credits", { query: { userId, limit: PAGE, cursor }, signal: own.signal });
    take(account);
    banner(null);
  } catch (error) {
    if (own.signal.aborted) return;
    if (loaded) banner(null, error);
    else show($("state"), trouble("The credits could not be loaded", error, failure(error).status === 403 ? undefined : turn));
  } finally {
    if (loading === own) loading = null;
  }
}

/** Shows another account. */
function turn() {
  loaded = false;
  entries = [];
  next = "";
  for (const place of ["tiles", "table", "more"]) $(place).hidden = true;
  setText($("page"), "");
  show($("state"), skeleton(6));
  request("", (account) => {
    [entries, next, loaded] = [account.transactions, account.nextCursor ?? "", true];
    draw(account);
  });
}

function more() {
  enable($("more"), false);
  const before = entries.length;
  request(next, (account) => {
    const known = new Set(entries.map((entry) => entry.id));
    [entries, next] = [[...entries, ...account.transactions.filter((entry) => !known.has(entry.id))], account.nextCursor ?? ""];
    draw(account);
    // The button is gone after the last page.
    if (!next) focusOn(before);
  }).finally(() => enable($("more"), true));
}

/** @param {number} index */
function focusOn(index) {
  const row = $("entries").children[index];
  if (!row) return;
  const link = first(row, "a");
  if (link) return link.focus();
  if (row instanceof HTMLElement) {
    row.tabIndex = -1;
    row.focus();
  }
}

/** Reads the newest entries again: entries never change, so that the others stay. */
function refresh() {
  return request("", (account) => {
    const last = entries.findIndex((entry) => entry.id === account.transactions.at(-1)?.id);
    const tail = last < 0 ? [] : entries.slice(last + 1);
    if (!tail.length) next = account.nextCursor ?? "";
    entries = [...account.transactions, ...tail];
    draw(account);
  });
}

/** @param {Api.CreditAccount} account */
function draw(account) {
  const isOperators = account.userId === OPERATOR;
  // Only operators see this account first: an owner's is named after the owner.
  if (!userId) showForms(isOperators);
  else if (!isKnown) knowCaller();
  setText($("whose"), isOperators ? "The account of the jobs that operators create." : `The account of ${account.userId}.`);
  $("tiles").hidden = false;
  const tiles = [
    { name: "Balance", number: account.balance, tone: account.balance < 0 ? "failed" : "completed", hint: `${count(account.balance - account.reserved)} can be reserved` },
    { name: "Reserved", number: account.reserved, tone: "processing", hint: "For jobs under way" },
    { name: "Earned", number: account.totalEarned, tone: "rendering", hint: "Added in all" },
    { name: "Spent", number: account.totalSpent, tone: "warn", hint: "Charged in all" },
  ];
  keyed($("tiles"), tiles, (tile) => tile.name, ({ name, number, tone, hint }) =>
    el("div", { class: `tile ${tone}` }, el("span", { class: "name" }, name), el("span", { class: "number" }, count(number)), el("span", { class: "muted small" }, hint)),
  );
  keyed($("entries"), entries, (entry) => entry.id, row);
  $("table").hidden = !entries.length;
  show($("state"), !entries.length && empty("No entries yet", "What is added to the account and what clips cost is listed here."));
  $("more").hidden = !next;
  setText($("page"), entries.length ? `${plural(entries.length, "entry", "entries")}${next ? " so far" : ""}` : "");
}

/** @param {Api.CreditEntry} entry */
function row({ type, amount, balanceAfter, description, relatedJobId, basis, createdAt }) {
  const about = basisWords(basis);
  return el(
    "tr",
    {},
    el(
      "td",
      {},
      el("p", { class: "what-for" }, description),
      (relatedJobId || about) && el("p", { class: "muted small" }, relatedJobId && el("a", { href: clipsPath(relatedJobId), title: relatedJobId }, `Clip job ${shortId(relatedJobId)}`), about && `${relatedJobId ? " · " : ""}${about}`),
    ),
    el("td", { "data-label": "Type" }, entryPill(type)),
    el("td", { "data-label": "Credits", class: `number amount labelled ${amount < 0 ? "" : "plus"}` }, signed(amount)),
    el("td", { "data-label": "Balance", class: "number small labelled" }, count(balanceAfter)),
    el("td", { "data-label": "Time", class: "small" }, when(createdAt)),
  );
}

/** @param {boolean} on */
function showForms(on) {
  isKnown = true;
  for (const place of ["narrow", "add"]) $(place).hidden = !on;
}

/** An address that names an account does not say who the caller is. */
async function knowCaller() {
  isKnown = true;
  try {
    showForms((await get("/api/ai-clipping-agent/credits", { query: { limit: 1 } })).userId === OPERATOR);
  } catch {
    // The page works without the forms of operators.
  }
}

/** @param {string} wanted */
function open(wanted) {
  userId = wanted;
  history.replaceState(null, "", userId ? `?userId=${encodeURIComponent(userId)}` : location.pathname);
  $("by-user", HTMLInputElement).value = userId;
  turn();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  open(textOf(new FormData(form), "userId"));
});
$("reset").onclick = () => open("");
$("add").onclick = () => addCredits(userId || OPERATOR, (account) => open(account.userId === OPERATOR ? "" : account.userId));
$("more").onclick = more;
$("by-user", HTMLInputElement).value = userId;
turn();
setInterval(() => loaded && !loading && !document.hidden && !resting() && refresh(), EVERY);

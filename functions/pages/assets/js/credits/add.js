// Serves the page of credits: the form by which an operator adds credits to an account.
import { postOnce } from "../api.js";
import { toast } from "../dom.js";
import { field, number, plainInput, segments, textOf } from "../form-parts.js";
import { plural } from "../format.js";
import { openForm } from "../sheet-form.js";
import { OPERATOR } from "./words.js";

/** Shows the form; `done(account)` follows with the account and its new entry. @type {(userId: string, done: (account: Api.CreditAccount) => void) => void} */
export function addCredits(userId, done) {
  const add = postOnce("/api/ai-clipping-agent/credits");
  /** @type {Api.CreditAccount | null} */
  let account = null;
  openForm({
    id: "credits-form",
    title: "Add credits",
    fields: [
      field("userId", "User", plainInput({ name: "userId", maxLength: 128, value: userId === OPERATOR ? "" : userId, placeholder: "Operators" }), "The subject of the user's token. Leave blank for the jobs that operators create."),
      field("amount", "Credits", plainInput({ name: "amount", inputMode: "numeric", placeholder: "100", required: true })),
      segments("type", "Type", [["purchase", "Purchase"], ["bonus", "Bonus"], ["refund", "Refund"]], "purchase"),
      field("description", "Description", plainInput({ name: "description", maxLength: 200, placeholder: "Credits purchased" }), "A sentence for the user. Leave blank to use the default."),
    ],
    yes: "Add credits",
    failed: "The credits were not added",
    send: async (data) => {
      const text = (/** @type {string} */ name) => textOf(data, name);
      /** @type {Api.NewCredits} */
      const body = { amount: number(text("amount")), type: typeOf(text("type")) };
      if (text("userId")) body.userId = text("userId");
      if (text("description")) body.description = text("description");
      account = await add({ body });
      return [];
    },
    done: () => {
      if (!account) return;
      toast(`${plural(account.transactions[0]?.amount ?? 0, "credit")} added to ${account.userId}`);
      done(account);
    },
  });
}

/** @type {(text: string) => "purchase" | "bonus" | "refund"} */
const typeOf = (text) => (text === "bonus" || text === "refund" ? text : "purchase");

// Serves the webhooks page: the secrets that sign an endpoint's webhooks, and their rotation.
import { get, postOnce } from "./api.js";
import { confirm } from "./dialog.js";
import { copyButton, el, enable, skeleton, trouble } from "./dom.js";
import { title } from "./endpoints.js";
import { when } from "./format.js";
import { openSheet } from "./sheet.js";

const HIDDEN = "whsec_••••••••••••••••••••••••";
const DAY = 86_400;
/** @type {[number, string, string][]} */
const GRACES = [
  [3600, "1 hour", "Older secrets sign for one more hour."],
  [DAY, "24 hours", "Older secrets sign for one more day. Suits most receivers."],
  [7 * DAY, "7 days", "For receivers that a person has to change."],
  [0, "None", "Receivers that still have the old secret refuse every webhook from now on."],
];

/** @param {Api.Endpoint} endpoint */
export async function openSecrets(endpoint) {
  const sheet = openSheet(`Secret: ${title(endpoint)}`);
  const path = { id: endpoint.id };
  const rotate = postOnce("/api/webhooks/endpoints/{id}/secret/rotate");
  const load = async () => {
    sheet.show(skeleton(6));
    try {
      draw((await get("/api/webhooks/endpoints/{id}/secret", { path })).secrets);
    } catch (error) {
      sheet.show(trouble("The secret could not be loaded", error, load));
    }
  };
  /** @type {(secrets: Api.EndpointSecret[], said?: string) => void} */
  const draw = (secrets, said) => {
    const [newest, ...older] = secrets;
    const withKey = endpoint.signatures.includes("v1a");
    sheet.show(
      said && el("p", { class: "note completed", role: "status" }, said),
      newest && secretItem(newest, "Newest", older.length ? ["Signs every webhook. Give this one to your receiver."] : ["Signs every webhook."], withKey),
      older.map((one) => secretItem(one, "Older", ["Also signs every webhook. Expires ", when(one.expiresAt), "."], withKey)),
      rotation(async (graceSeconds) => {
        const answer = await rotate({ path, body: { graceSeconds } });
        draw(answer.secrets, answer.message);
      }),
    );
  };
  await load();
}

/** @type {(secret: Api.EndpointSecret, word: string, until: Page.Child, withKey: boolean) => HTMLElement} */
function secretItem({ secret, publicKey, createdAt }, word, until, withKey) {
  const shown = el("code", { class: "secret grow" }, HIDDEN);
  const reveal = el("button", { type: "button", class: "btn small", "data-act": "reveal", "aria-pressed": "false" }, "Reveal");
  reveal.onclick = () => {
    const hidden = shown.textContent === HIDDEN;
    shown.textContent = hidden ? secret : HIDDEN;
    reveal.textContent = hidden ? "Hide" : "Reveal";
    reveal.setAttribute("aria-pressed", String(hidden));
  };
  return el(
    "section",
    { class: "secret-item", "aria-label": `${word} secret` },
    el("div", { class: "row between tight" }, el("h3", {}, word), el("span", { class: "muted small" }, "Created ", when(createdAt))),
    el("p", { class: "small" }, until),
    el("div", { class: "row nowrap" }, shown, reveal, copyButton(() => secret, "the secret")),
    withKey && publicKey && el("div", {}, el("p", { class: "small muted" }, "Public key, for the v1a signature"), el("div", { class: "row nowrap" }, el("code", { class: "secret grow" }, publicKey), copyButton(() => publicKey, "the public key"))),
  );
}

/** The form that rotates the secret by `send(graceSeconds)`. @param {(graceSeconds: number) => Promise<void>} send */
function rotation(send) {
  const warning = el("p", { class: "note warn", hidden: true }, "Webhooks fail at every receiver that does not have the new secret yet.");
  const problem = el("div");
  const button = el("button", { class: "btn", "data-act": "rotate" }, "Rotate secret");
  const choices = GRACES.map(([seconds, word, hint]) =>
    el("label", { class: "check" }, el("input", { type: "radio", name: "grace", value: String(seconds), checked: seconds === DAY }), el("span", { class: "grow" }, word, el("span", { class: "muted small note-line" }, hint))),
  );
  const form = el(
    "form",
    { class: "form rotation" },
    el("h3", {}, "Rotate"),
    el("p", { class: "hint" }, "A new secret is created at once. During the grace period each webhook is signed with both, so that your receiver can switch without losing one."),
    el("fieldset", { id: "f-graceSeconds" }, el("legend", {}, "Grace period"), choices),
    warning,
    problem,
    el("div", { class: "row end" }, button),
  );
  const grace = () => Number(new FormData(form).get("grace"));
  form.onchange = () => (warning.hidden = grace() !== 0);
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (button.ariaDisabled === "true") return;
    const sure = grace() !== 0 || (await confirm({ title: "Rotate without a grace period?", text: "Receivers that still have the old secret refuse every webhook from now on.", yes: "Rotate at once", danger: true }));
    if (!sure) return;
    enable(button, false);
    problem.replaceChildren();
    try {
      await send(grace());
    } catch (error) {
      problem.replaceChildren(trouble("The secret was not rotated", error));
    }
    enable(button, true);
  };
  return form;
}

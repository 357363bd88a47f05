// Serves the webhooks page: the secrets that sign an endpoint's webhooks, and a new one in place of them.
import { get, postOnce } from "./api.js";
import { confirm } from "./dialog.js";
import { copyButton, el, enable, skeleton, trouble } from "./dom.js";
import { endpointPath, title } from "./endpoints.js";
import { when } from "./format.js";
import { openSheet } from "./sheet.js";

const HIDDEN = "whsec_••••••••••••••••••••••••";
const GRACES = [
  [3600, "1 hour", "Older secrets sign for one more hour."],
  [86_400, "24 hours", "Older secrets sign for one more day. This suits most."],
  [604_800, "7 days", "For receivers that a person has to change."],
  [0, "At once", "Receivers that still have the old secret refuse every webhook from now on."],
];

export async function openSecrets(endpoint) {
  const sheet = openSheet(`Secret: ${title(endpoint)}`);
  const path = endpointPath(endpoint.id, "/secret");
  const rotate = postOnce();
  const load = async () => {
    sheet.show(skeleton(6));
    try {
      draw((await get(path)).secrets);
    } catch (error) {
      sheet.show(trouble("The secret could not be loaded", error, load));
    }
  };
  const draw = (secrets, said) => {
    const [newest, ...older] = secrets;
    const withKey = endpoint.signatures?.includes("v1a");
    sheet.show(
      said && el("p", { class: "note completed", role: "status" }, said),
      newest && secretItem(newest, "Newest", older.length ? ["Signs every webhook. Give this one to your receiver."] : ["Signs every webhook."], withKey),
      older.map((one) => secretItem(one, "Older", ["Signs every webhook too, until it ends ", when(one.expiresAt), "."], withKey)),
      rotation(async (graceSeconds) => {
        const answer = await rotate(`${path}/rotate`, { graceSeconds });
        draw(answer.secrets, answer.message);
      }),
    );
  };
  await load();
}

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
    el("div", { class: "row between tight" }, el("h3", {}, word), el("span", { class: "muted small" }, "Made ", when(createdAt))),
    el("p", { class: "small" }, until),
    el("div", { class: "row nowrap" }, shown, reveal, copyButton(() => secret, "the secret")),
    withKey && publicKey && el("div", {}, el("p", { class: "small muted" }, "Public key, for the v1a signature"), el("div", { class: "row nowrap" }, el("code", { class: "secret grow" }, publicKey), copyButton(() => publicKey, "the public key"))),
  );
}

/** The form that makes a new secret; `send(graceSeconds)` does it. */
function rotation(send) {
  const warning = el("p", { class: "note warn", hidden: true }, "Webhooks fail at every receiver that has not got the new secret yet.");
  const problem = el("div");
  const button = el("button", { class: "btn", "data-act": "rotate" }, "Rotate secret");
  const choice = ([seconds, word, hint]) =>
    el("label", { class: "check" }, el("input", { type: "radio", name: "grace", value: seconds, checked: seconds === 86_400 }), el("span", { class: "grow" }, word, el("span", { class: "muted small note-line" }, hint)));
  const form = el(
    "form",
    { class: "form rotation" },
    el("h3", {}, "Rotate"),
    el("p", { class: "hint" }, "A new secret is made at once, and until the time is over each webhook is signed with both, so that your receiver can change over without losing one."),
    el("fieldset", { id: "f-graceSeconds" }, el("legend", {}, "Older secrets stay valid for"), GRACES.map(choice)),
    warning,
    problem,
    el("div", { class: "row end" }, button),
  );
  const grace = () => Number(new FormData(form).get("grace"));
  form.onchange = () => (warning.hidden = grace() !== 0);
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (button.ariaDisabled === "true") return;
    const sure = grace() !== 0 || (await confirm({ title: "End the old secret at once?", text: "Receivers that still have it refuse every webhook from now on.", yes: "Rotate at once", danger: true }));
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

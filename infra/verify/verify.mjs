// A receiver's own code in Node.js: says for each delivery on standard input whether seed 001's sample, the official
// libraries and our snippet for receivers accept it. One JSON object a line, in and out; ends with its input.
// A delivery is {headers, body_base64, secret}, or with `secrets` (newest first) and `public_keys`: lists of which each
// one alone has to be enough, since a receiver may hold any of them while keys rotate.
import crypto from "node:crypto";
import readline from "node:readline";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
// From infra/verify and from its copy in .local/verify alike.
import { verify as verifySnippet } from "../../docs/receivers/verify.mjs";

// Seed 001, as written there.
function verifyWebhookSignature(payload, signature, secret) {
    const expectedSignature = crypto.createHmac("sha256", secret).update(JSON.stringify(payload)).digest("hex");

    const providedSignature = signature.replace("sha256=", "");

    return crypto.timingSafeEqual(Buffer.from(expectedSignature, "hex"), Buffer.from(providedSignature, "hex"));
}

// The libraries take base64 only; a secret that is text goes to them as the base64 of its bytes.
function librarySecret(secret) {
    return secret.startsWith("whsec_") ? secret : `whsec_${Buffer.from(secret).toString("base64")}`;
}

function verify({ headers, body_base64, secret, secrets = [secret], public_keys: publicKeys }) {
    if (secrets.length === 0) throw new Error("no secrets");
    const body = Buffer.from(body_base64, "base64");
    const signature = headers["x-streamgank-signature"];
    const standard = headers["webhook-signature"];
    const receivers = {
        // Its header is made with the newest secret only.
        seed_sample: signature && (() => verifyWebhookSignature(JSON.parse(body), signature, secrets[0])),
        standardwebhooks: standard && (() => accepts(StandardWebhook)),
        svix: standard && (() => accepts(SvixWebhook)),
        snippet: standard && (() => snippetAccepts("secrets", secrets)),
    };
    if (publicKeys) receivers.snippet_v1a = () => snippetAccepts("publicKeys", publicKeys);
    function accepts(Webhook) {
        for (const each of secrets) new Webhook(librarySecret(each)).verify(body, headers);
        return true;
    }
    function snippetAccepts(kind, keys) {
        const [id, timestamp] = [headers["webhook-id"], headers["webhook-timestamp"]];
        // All of them, then each one.
        for (const held of [keys, ...keys]) verifySnippet({ id, timestamp, signature: standard, body, [kind]: held });
        return true;
    }
    return report(receivers);
}

// A receiver without its header is skipped; `ok` takes at least one that accepts and none that refuses.
function report(receivers) {
    const checks = {};
    const errors = [];
    for (const [name, accepts] of Object.entries(receivers)) {
        try {
            checks[name] = accepts ? accepts() : "skipped";
        } catch (error) {
            checks[name] = false;
            errors.push(`${name}: ${error.message}`);
        }
    }
    const outcomes = Object.values(checks);
    return { ok: outcomes.includes(true) && !outcomes.includes(false), checks, error: errors.join("; ") };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
        answer = verify(JSON.parse(line));
    } catch (error) {
        answer = { ok: false, checks: {}, error: error.message };
    }
    console.log(JSON.stringify(answer));
}

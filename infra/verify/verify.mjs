// A receiver's own code in Node.js: says for each delivery on standard input whether seed 001's sample and the official
// libraries accept it. One JSON object a line, in and out; ends with its input.
import crypto from "node:crypto";
import readline from "node:readline";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

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

function verify({ headers, body_base64, secret }) {
    const body = Buffer.from(body_base64, "base64");
    const signature = headers["x-streamgank-signature"];
    const standard = headers["webhook-signature"];
    const receivers = {
        seed_sample: signature && (() => verifyWebhookSignature(JSON.parse(body), signature, secret)),
        standardwebhooks: standard && (() => accepts(StandardWebhook)),
        svix: standard && (() => accepts(SvixWebhook)),
    };
    function accepts(Webhook) {
        new Webhook(librarySecret(secret)).verify(body, headers);
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

// Verifies deliveries as receivers in Node.js do: with the documented sample, the official libraries, and our code for
// receivers. It reads and writes one JSON object per line, and ends with its input.
// A delivery is {headers, body_base64, secret}, or has lists `secrets` (newest first) and `public_keys`: each element
// alone must be sufficient, since during a rotation a receiver may have any one of them.
import crypto from "node:crypto";
import readline from "node:readline";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
// This path is valid from infra/verify and from its copy in .local/verify.
import { verify as verifySnippet } from "../../docs/receivers/verify.mjs";

// The documented sample, unchanged.
function verifyWebhookSignature(payload, signature, secret) {
    const expectedSignature = crypto.createHmac("sha256", secret).update(JSON.stringify(payload)).digest("hex");

    const providedSignature = signature.replace("sha256=", "");

    return crypto.timingSafeEqual(Buffer.from(expectedSignature, "hex"), Buffer.from(providedSignature, "hex"));
}

// The libraries accept only base64, so other secrets are converted to the base64 of their bytes.
function librarySecret(secret) {
    return secret.startsWith("whsec_") ? secret : `whsec_${Buffer.from(secret).toString("base64")}`;
}

function verify({ headers, body_base64, secret, secrets = [secret], public_keys: publicKeys }) {
    if (secrets.length === 0) throw new Error("no secrets");
    const body = Buffer.from(body_base64, "base64");
    const signature = headers["x-streamgank-signature"];
    const standard = headers["webhook-signature"];
    const receivers = {
        // Only the newest secret makes its header.
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
        // All keys together, then each one alone.
        for (const given of [keys, ...keys]) verifySnippet({ id, timestamp, signature: standard, body, [kind]: given });
        return true;
    }
    return report(receivers);
}

// A check whose header is missing is skipped; `ok` requires at least one that accepts and none that refuses.
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
    let result;
    try {
        result = verify(JSON.parse(line));
    } catch (error) {
        result = { ok: false, checks: {}, error: error.message };
    }
    console.log(JSON.stringify(result));
}

// Holds verify.mjs to vectors.json: one line for each that it judges otherwise. `node check.mjs DIRECTORY` asks the
// official libraries in DIRECTORY/node_modules too, for example those of .local/verify.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Refused, verify } from "./verify.mjs";

const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));
let wrong = 0;

function expect(who, vector, expected, found) {
    if (found === expected) return;
    wrong += 1;
    console.log(`${who}: ${vector.name}: ${found}, not ${expected}`);
}

function ours({ id, timestamp, signature, body_base64, secrets, public_keys: publicKeys, now, tolerance }) {
    const body = Buffer.from(body_base64, "base64");
    try {
        const returned = verify({ id, timestamp, signature, body, secrets, publicKeys, now, tolerance });
        return returned === body ? "accept" : "another body";
    } catch (error) {
        return error instanceof Refused ? error.reason : String(error);
    }
}

for (const vector of vectors) expect("verify.mjs", vector, vector.expect, ours(vector));

// The libraries know `v1`, one secret, and give no reasons.
function library(Webhook, vector) {
    const headers = {};
    for (const name of ["id", "timestamp", "signature"]) headers[`webhook-${name}`] = vector[name] ?? "";
    const body = Buffer.from(vector.body_base64, "base64");
    return vector.secrets.some((secret) => {
        const encoded = secret.startsWith("whsec_") ? secret : `whsec_${Buffer.from(secret).toString("base64")}`;
        try {
            new Webhook(encoded.padEnd(6 + Math.ceil((encoded.length - 6) / 4) * 4, "=")).verify(body, headers);
            return true;
        } catch {
            return false;
        }
    });
}

const [directory] = process.argv.slice(2);
if (directory) {
    const load = createRequire(path.resolve(directory, "package.json"));
    const isShared = (vector) => !vector.ours_only && vector.expect !== "bad_key" && vector.public_keys.length === 0;
    const shared = vectors.filter(isShared);
    for (const name of ["standardwebhooks", "svix"]) {
        const { Webhook } = load(name);
        for (const vector of shared) {
            Date.now = () => vector.now * 1000;
            expect(name, vector, vector.expect === "accept", library(Webhook, vector));
        }
        console.log(`${name}: ${shared.length} vectors`);
    }
}
console.log(`${vectors.length} vectors, ${wrong} judged otherwise`);
process.exitCode = wrong ? 1 : 0;

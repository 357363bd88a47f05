// Says whether a webhook is ours: Standard Webhooks 1.0.0, `v1` (HMAC-SHA256) and `v1a` (ed25519). Node.js 20 or later,
// no packages; made to be copied.
import { createHmac, createPublicKey, timingSafeEqual, verify as verifyEd25519 } from "node:crypto";

// A header may be long; we send sixteen tokens at most.
const MAX_TOKENS = 32;

// `reason`: "missing", "malformed", "too_old", "too_new" or "mismatch", or "bad_key" where this side's keys are wrong.
export class Refused extends Error {
    constructor(reason) {
        super(`webhook refused: ${reason}`);
        this.name = "Refused";
        this.reason = reason;
    }
}

// Returns `body`, or throws `Refused`. `id`, `timestamp` and `signature` are the headers `webhook-id`,
// `webhook-timestamp` and `webhook-signature`; `body` is as it came, before any parsing. One of `secrets` or one of
// `publicKeys` has to fit: give only what you accept. `now` and `tolerance` are in seconds.
export function verify({ id, timestamp, signature, body, secrets = [], publicKeys = [], now, tolerance = 300 }) {
    if (typeof body !== "string" && !(body instanceof Uint8Array)) throw new TypeError("the body has to be raw bytes");
    const hmacKeys = [secrets].flat().map(hmacKey);
    const ed25519Keys = [publicKeys].flat().map(ed25519Key);
    if (hmacKeys.length + ed25519Keys.length === 0) throw new Refused("bad_key");

    if (!id || !timestamp || !signature) throw new Refused("missing");
    if (id.includes(".") || !/^[0-9]{1,15}$/.test(timestamp)) throw new Refused("malformed");
    const age = (now ?? Math.floor(Date.now() / 1000)) - Number(timestamp);
    if (!(age <= tolerance)) throw new Refused("too_old");
    if (!(age >= -tolerance)) throw new Refused("too_new");

    const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), Buffer.from(body)]);
    const macs = hmacKeys.map((key) => createHmac("sha256", key).update(signed).digest());
    for (const token of signature.split(" ").slice(0, MAX_TOKENS)) {
        const [version, ...rest] = token.split(",");
        const given = decoded(rest.join(","));
        if (version === "v1" && given.length === 32 && macs.some((mac) => timingSafeEqual(mac, given))) return body;
        if (version !== "v1a" || given.length !== 64) continue;
        if (ed25519Keys.some((key) => verifyEd25519(null, signed, key, given))) return body;
    }
    throw new Refused("mismatch");
}

// `whsec_` and base64 stand for those bytes, padded or not; any other text for itself.
function hmacKey(secret) {
    if (!secret || secret === "whsec_" || /^wh[ps]k_/.test(secret)) throw new Refused("bad_key");
    const [, encoded] = /^whsec_([A-Za-z0-9+/]+)={0,2}$/.exec(secret) ?? [];
    return encoded && encoded.length % 4 !== 1 ? Buffer.from(encoded, "base64") : Buffer.from(secret);
}

function ed25519Key(text) {
    const bytes = text?.startsWith("whpk_") ? decoded(text.slice(5)) : "";
    if (bytes.length !== 32) throw new Refused("bad_key");
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") }, format: "jwk" });
}

// No bytes where the text is not base64 in its one right form: Node.js passes over what it can't read.
function decoded(text) {
    const bytes = Buffer.from(text, "base64");
    return bytes.toString("base64") === text ? bytes : Buffer.alloc(0);
}

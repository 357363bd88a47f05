// A receiver of webhooks: `WEBHOOK_SECRETS=whsec_… node server.mjs`. Takes WEBHOOK_PUBLIC_KEYS (`whpk_…`) and PORT
// too; both kinds of keys by commas.
import { createServer } from "node:http";
import { Refused, verify } from "./verify.mjs";

const BODY_LIMIT = 1024 * 1024;

const listed = (keys = "") => keys.split(",").filter(Boolean);
const secrets = listed(process.env.WEBHOOK_SECRETS);
const publicKeys = listed(process.env.WEBHOOK_PUBLIC_KEYS);

// Ids that were taken. A real receiver keeps them in its database, in one transaction with what the webhook changes.
const seen = new Set();

function receive(headers, body) {
    const id = headers["webhook-id"];
    try {
        const [timestamp, signature] = [headers["webhook-timestamp"], headers["webhook-signature"]];
        verify({ id, timestamp, signature, body, secrets, publicKeys });
    } catch (error) {
        if (!(error instanceof Refused)) throw error;
        console.log(error.message);
        return error.reason === "bad_key" ? 500 : 401;
    }
    if (seen.has(id)) {
        console.log(id, "again");
        return 204;
    }
    // Only now is the body parsed; what takes long belongs into a queue.
    const { type, event = type, data } = JSON.parse(body); // the StreamGank envelope has `event`
    console.log(id, event, data);
    seen.add(id);
    return 204;
}

async function answer(request) {
    if (request.method !== "POST") return 405;
    const declared = request.headers["content-length"];
    if (declared === undefined) return 411;
    if (Number(declared) > BODY_LIMIT) return 413;
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return receive(request.headers, Buffer.concat(chunks)); // the raw bytes, before any parsing
}

const server = createServer(async (request, response) => {
    const status = await answer(request).catch((error) => (console.error(error), 500));
    const unread = [411, 413].includes(status);
    response.writeHead(status, unread ? { connection: "close" } : {}).end();
});
server.listen(process.env.PORT ?? 8080, "127.0.0.1", () => {
    console.log(`listening on 127.0.0.1:${server.address().port}`);
});

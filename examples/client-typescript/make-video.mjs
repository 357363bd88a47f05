// Makes a video and saves it: `API=… KEY=… node make-video.mjs US netflix Horror`, or with a film of scenes:
// `node make-video.mjs film.json`. `--poll` asks for the job's state instead of following its events.
import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

import { Reelhook } from "./dist/client.js";

const { API, KEY } = process.env;
const client = new Reelhook(API, KEY);
const words = process.argv.slice(2).filter((word) => word !== "--poll");
// A real client stores the key with its order before it sends the request: after a crash it sends the same one again.
const idempotencyKey = randomUUID();

let id;
if (words.length === 1) {
    id = await client.submitVideo(JSON.parse(await readFile(words[0], "utf8")), idempotencyKey);
} else if (words.length === 3) {
    const [country, platform, genre] = words;
    id = await client.submitJob({ country, platform, genre }, idempotencyKey);
} else {
    console.error("usage: node make-video.mjs [--poll] COUNTRY PLATFORM GENRE | FILM.json");
    process.exit(2);
}

console.log(id);
for await (const found of process.argv.includes("--poll") ? client.poll(id) : client.watch(id)) {
    console.log(`${String(found.progress).padStart(3)} % ${found.currentStep}`);
}

const job = await client.job(id);
if (job.status !== "completed") {
    console.error(`${job.status}: ${job.error}`);
    process.exit(1);
}
await writeFile(`${id}.mp4`, Buffer.from(await client.download(job)));
console.log(`saved ${id}.mp4`);

// The official SDK against the mock of Creatomate: `node creatomate.mjs BASE_URL API_KEY` starts a render, waits for
// its end, reads it once more, and prints both responses as JSON.
import { Client, Composition, Text } from "creatomate";

const [base, key] = process.argv.slice(2);
const client = new Client(key);
client.httpClient.defaults.baseURL = base;

const source = new Composition({ elements: [new Text({ text: "Made by the SDK" })] });
const [render] = await client.render({ source, outputFormat: "mp4", width: 640, height: 360 }, 60);
const again = await client.fetchRender(render.id);
console.log(JSON.stringify({ render, again }));

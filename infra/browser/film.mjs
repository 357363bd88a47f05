// A film of four scenes that walks cut. The stack's own renderer makes it once: it draws the prompts of a project as cards.
import fs from "node:fs";

const PROMPTS = ["A fox runs", "A river", "The other bank", "The sun"];

/** `file` is the path of another film; the other parameters are helpers of walk.mjs. */
export function makeFilm({ api, assert, until, SLOW, file }) {
  /** @type {{ name: string, mimeType: string, buffer: Buffer } | undefined} */
  let made;
  let key = "";

  async function draw(page) {
    const { id } = await api(page, "POST", "/api/v1/projects", { name: "A film for clips", scenes: PROMPTS.map((prompt) => ({ prompt, duration: 12, dependsOn: null })) });
    await api(page, "POST", `/api/v1/projects/${id}/start`);
    let last;
    await until(async () => ["completed", "failed"].includes((last = await api(page, "GET", `/api/v1/projects/${id}`)).status), () => `the film is ${last.status} after ${SLOW / 1000} s`, SLOW);
    assert(last.status === "completed", "the film failed: " + last.error);
    const buffer = await (await page.request.get(last.finalVideoUrl)).body();
    await api(page, "DELETE", `/api/v1/projects/${id}`);
    return buffer;
  }

  /** The film as a file for forms. */
  const load = async (page) => (made ??= { name: "film.mp4", mimeType: "video/mp4", buffer: file ? fs.readFileSync(file) : await draw(page) });

  /** The key of an upload of the film. */
  async function upload(page) {
    if (key) return key;
    const { buffer } = await load(page);
    const wanted = await api(page, "POST", "/api/uploads", { contentType: "video/mp4", size: buffer.length });
    const put = await page.request.put(wanted.uploadUrl, { data: buffer, headers: { "content-type": wanted.headers["Content-Type"] } });
    assert(put.ok(), `the upload is answered with ${put.status()}`);
    return (key = wanted.key);
  }

  return { load, upload };
}

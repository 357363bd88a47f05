// Walks the three ways in which pages get changes: by a WebSocket connection, by a stream of events, and by polling
// (walk.mjs runs it). Each walk also counts what came, and how: a page may change its way while it is open.

const JOB = { country: "US", platform: "netflix", genre: "Horror", template: "studio:step_ms=1500" };
const CLIPS = "/api/ai-clipping-agent/jobs";

/** The parameters are helpers of walk.mjs. */
export async function walkLive({ walk, assert, until, badge, api, refuseStreams, film, ORIGIN, SLOW, MOCK }) {
  // The mock has no WebSocket API.
  if (MOCK) return;

  /** Makes something through the API, from a page that follows nothing else. */
  async function make(page, path, body, name = "id") {
    await page.goto(ORIGIN + "/clips");
    const answer = await api(page, "POST", path, body);
    assert(answer[name], "nothing was made: " + JSON.stringify(answer));
    return answer[name];
  }

  /** Opens the page of a job or a project; counts the events that come over WebSocket connections, and the streams. */
  async function watch(page, path, id) {
    const seen = { events: 0, streams: 0 };
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => { if (JSON.parse(String(payload)).data) seen.events++; }));
    page.on("request", (request) => { const { pathname } = new URL(request.url()); if (pathname.includes(id) && pathname.endsWith("/stream")) seen.streams++; });
    await page.goto(`${ORIGIN}${path}/${id}`);
    return seen;
  }

  /** The page follows by a WebSocket connection alone until it shows the end. */
  async function bySocket(page, seen, end) {
    await badge(page, "Live: WebSocket");
    await until(() => seen.events > 1, () => `${seen.events} events came over WebSocket connections, and ${seen.streams} streams were opened`, SLOW);
    await page.locator(end).first().waitFor({ timeout: SLOW });
    assert(!seen.streams, `${seen.streams} streams were opened`);
  }

  await walk("live-socket-job", async (made) => {
    const page = await made(); const id = await make(page, "/api/generate", JOB, "jobId");
    const seen = await watch(page, "/job", id);
    await page.locator("#steps li.active").first().waitFor({ timeout: SLOW });
    await bySocket(page, seen, "#video video");
  });

  await walk("live-socket-project", async (made) => {
    const page = await made(); const id = await make(page, "/api/v1/projects", { name: "A walk by WebSocket", scenes: ["A fox runs", "A river"].map((prompt) => ({ prompt, duration: 1 })) });
    const seen = await watch(page, "/projects", id);
    await page.locator('#actions [data-act="start"]').click();
    await bySocket(page, seen, "#video video");
    await page.goto(ORIGIN + "/clips"); await api(page, "DELETE", `/api/v1/projects/${id}`);
  });

  await walk("live-socket-clips", async (made) => {
    const page = await made(); await page.goto(ORIGIN + "/clips"); const videoUrl = await film.upload(page);
    const id = await make(page, CLIPS, { videoUrl, clipDurations: ["15-30"] });
    const seen = await watch(page, "/clips", id);
    await bySocket(page, seen, ".head .pill.completed");
    await page.goto(ORIGIN + "/clips"); await page.evaluate((path) => fetch(path, { method: "DELETE", headers: { "content-type": "application/json" }, body: "{}" }), `${CLIPS}/${id}`);
  });

  await walk("live-hundred", async (made) => {
    // A hundred viewers in one browser follow five jobs from the beginning: each sees the events of its job in order and once.
    const page = await made(); const jobs = []; for (let n = 0; n < 5; n++) jobs.push(await make(page, "/api/generate", JOB, "jobId"));
    await page.goto(`${ORIGIN}/job/${jobs[0]}`); const { token } = await api(page, "POST", "/api/stream-token", { live: true });
    const seen = await page.evaluate(async ({ jobs, token, slow }) => {
      const address = document.querySelector('meta[name="live-url"]').content;
      const follow = (jobId) => new Promise((resolve, reject) => {
        const events = []; const socket = new WebSocket(`${address}?token=${encodeURIComponent(token)}`);
        setTimeout(() => reject(new Error(`${jobId}: ${events.length} events`)), slow);
        socket.onopen = () => socket.send(JSON.stringify({ action: "subscribe", jobId, cursor: "0" }));
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data); if (!message.cursor || !message.data) return;
          events.push(message.cursor);
          const { type, status } = message.data; if (type === "render_completed" || (type === "job_update" && status === "completed")) { socket.close(); resolve([jobId, events.join(" ")]); }
        };
      });
      return Promise.all(Array.from({ length: 100 }, (_, n) => follow(jobs[n % jobs.length])));
    }, { jobs, token, slow: 2 * SLOW });
    for (const job of jobs) {
      const [first, ...others] = seen.filter(([id]) => id === job).map(([, cursors]) => cursors);
      const versions = first.split(" ").map(Number);
      assert(others.length === 19 && others.every((cursors) => cursors === first), `the viewers of ${job} saw different events`);
      assert(versions.length > 5 && versions.every((version, at) => !at || versions[at - 1] < version), `the events of ${job} came twice or out of order: ${first}`);
    }
  });

  for (const stream of [false, true]) await walk(`live-gap-${stream ? "events" : "socket"}`, async (made) => {
    // What happens after the page has requested a project, and before events follow, is shown too.
    const page = await made(); const name = `A gap ${Math.random()}`; const id = await make(page, "/api/v1/projects", { name: "Before the gap", scenes: [{ prompt: "A fox", duration: 1 }] });
    let open; const opened = new Promise((resolve) => { open = resolve; }); let held = 0;
    if (stream) {
      await page.routeWebSocket(/./, (socket) => socket.close());
      // Where streams are long polls, an answer may take 25 s; this one takes as long as the walk wants.
      const body = `retry: 500\n\nid: 1\n\ndata: ${JSON.stringify({ type: "connected" })}\n\n`;
      await page.route(/\/stream(\?|$)/, async (route) => { if (held++) return; await opened; return route.fulfill({ contentType: "text/event-stream", headers: { "access-control-allow-origin": "*" }, body }); });
    } else await page.routeWebSocket(/./, (socket) => { const server = socket.connectToServer(); socket.onMessage(async (message) => { held++; await opened; server.send(message); }); });
    await page.goto(`${ORIGIN}/projects/${id}`); await page.locator("#title:text-is('Before the gap')").waitFor();
    await until(() => held, "nothing was held"); await badge(page, "Connecting");
    await api(page, "PATCH", `/api/v1/projects/${id}`, { name }); open();
    // Sooner than the page requests the project by itself.
    await page.locator(`#title:text-is("${name}")`).waitFor({ timeout: 8000 }); await badge(page, stream ? "Live: events" : "Live: WebSocket");
    await page.goto(ORIGIN + "/clips"); await api(page, "DELETE", `/api/v1/projects/${id}`);
  });

  await walk("live-events", async (made) => {
    // Without WebSocket connections events are streamed.
    const page = await made(); const id = await make(page, "/api/generate", JOB, "jobId"); let closed = 0;
    await page.routeWebSocket(/./, (socket) => { closed++; return socket.close(); });
    const seen = await watch(page, "/job", id);
    await badge(page, "Live: events"); await page.locator("#video video").waitFor({ timeout: SLOW });
    assert(closed && seen.streams && !seen.events, `${closed} connections were closed, ${seen.streams} streams were opened, and ${seen.events} events came over WebSocket connections`);
  });

  await walk("live-polling", async (made) => {
    // Without both the page polls.
    const page = await made(); const id = await make(page, "/api/generate", JOB, "jobId"); let polls = 0;
    await refuseStreams(page); const seen = await watch(page, "/job", id); await badge(page, "Polling");
    page.on("request", (request) => { if (new URL(request.url()).pathname === `/api/job/${id}`) polls++; });
    await page.locator("#video video").waitFor({ timeout: SLOW });
    assert(polls && !seen.events, `${polls} polls, and ${seen.events} events over WebSocket connections`);
  });
}

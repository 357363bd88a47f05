// A client of Reelhook's API: submits jobs, follows them, downloads their videos. It needs `fetch` and nothing else, so
// it works in Node.js 20 or later, in Deno and in Bun. Not in a page: whoever opens the page could read the key.

export type Status = "pending" | "processing" | "rendering" | "completed" | "failed" | "cancelled";

/** A job for the worker. */
export interface JobRequest {
    country: string;
    platform: string;
    genre: string;
    contentType?: string;
    template?: string;
    metadata?: Record<string, string>;
}

/** A video from scenes. */
export interface VideoRequest {
    scenes: { type: string; duration?: number; transition?: string; content: Record<string, unknown> }[];
    theme?: string;
    quality?: "720p" | "1080p" | "4k";
    music?: { trackId: string; volume?: number };
    generateReels?: boolean;
    title?: string;
    webhookUrl?: string;
    metadata?: Record<string, string>;
}

/** The members of a job that this client uses. The API has more, and later versions may add some. */
export interface Job {
    id: string;
    status: Status;
    progress: number;
    currentStep: string;
    videoUrl: string | null;
    error: string | null;
    metadata: Record<string, string>;
}

/** An event of a job's stream; `type` says what it is about. */
export interface Update {
    type: string;
    status: string;
    progress: number;
    currentStep: string;
}

/** An answer that says no. Programs go by `code`, people read the message, operators look `requestId` up. */
export class ApiError extends Error {
    readonly code: string | undefined;
    readonly requestId: string | undefined;

    constructor(
        readonly status: number,
        body: { code?: string; message?: string; error?: string; request_id?: string },
    ) {
        super(`${status} ${body.code}: ${body.message ?? body.error}`);
        this.name = "ApiError";
        this.code = body.code;
        this.requestId = body.request_id;
    }
}

const FINAL: readonly string[] = ["completed", "failed", "cancelled"] satisfies Status[];
/** Statuses after which the same request may succeed later. */
const TRANSIENT = [429, 500, 502, 503, 504];
const ATTEMPTS = 6;
const LONGEST_BACKOFF_MS = 20_000;
/** A stream sends something at least every 25 seconds, and a request for a video waits as long. */
const SILENCE_MS = 60_000;
const POLL_INTERVAL_MS = 2_000;

interface Call {
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    retried?: readonly number[];
}

export class Reelhook {
    constructor(private readonly url: string, private readonly key: string) {}

    /** Creates a job for the worker and returns its id. The same request with the same key creates it once. */
    submitJob(request: JobRequest, idempotencyKey: string): Promise<string> {
        return this.submit("/api/generate", request, idempotencyKey);
    }

    /** Requests a video from scenes and returns its job's id: when it is ready, or after 25 seconds. */
    submitVideo(request: VideoRequest, idempotencyKey: string): Promise<string> {
        return this.submit("/api/generate-flexible-video", request, idempotencyKey);
    }

    async job(id: string): Promise<Job> {
        return ((await (await this.call(`/api/job/${id}`)).json()) as { job: Job }).job;
    }

    /** Yields the changes of a job until it has ended: as they happen, or by polling if no stream can be opened. */
    async *watch(id: string): AsyncGenerator<Update | Job> {
        try {
            yield* this.follow(id);
        } catch (error) {
            if (!(error instanceof ApiError && error.status >= 500)) throw error;
            yield* this.poll(id); // 503 `too_many_streams`, for example
        }
    }

    /** Server-sent events. A stream that ends early continues after the last event that came. */
    async *follow(id: string): AsyncGenerator<Update> {
        let lastEventId = "";
        let failures = 0;
        for (;;) {
            const headers = lastEventId ? { "Last-Event-ID": lastEventId } : undefined;
            const response = await this.call(`/api/job/${id}/stream`, { headers, retried: [429] });
            if (response.status === 204) return; // the job has ended, and all its events have been read
            try {
                for await (const event of serverSentEvents(response)) {
                    lastEventId = event.id ?? lastEventId;
                    failures = 0;
                    const content = JSON.parse(event.data ?? "{}") as Partial<Update>;
                    if (content.progress === undefined) continue; // a heartbeat, for example
                    const update = content as Update;
                    yield update;
                    if (isLast(update)) return;
                }
            } catch (error) {
                if (error instanceof SyntaxError) throw error;
                failures += 1; // the connection broke, or was silent for too long
            }
            await sleep(backoff(failures));
        }
    }

    /** Asks every 2 s. While the job has not changed, the answer is 304 without a body. */
    async *poll(id: string): AsyncGenerator<Job> {
        let etag: string | null = null;
        for (;;) {
            const headers: Record<string, string> | undefined = etag ? { "If-None-Match": etag } : undefined;
            const response = await this.call(`/api/job/${id}`, { headers });
            if (response.status !== 304) {
                etag = response.headers.get("etag");
                const { job } = (await response.json()) as { job: Job };
                yield job;
                if (FINAL.includes(job.status)) return;
            }
            await sleep(POLL_INTERVAL_MS);
        }
    }

    /** The video of a completed job. */
    async download(job: Job): Promise<ArrayBuffer> {
        if (job.videoUrl === null) throw new Error(`${job.id} has no video`);
        return (await this.call(job.videoUrl)).arrayBuffer();
    }

    private async submit(path: string, request: object, idempotencyKey: string): Promise<string> {
        const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
        const response = await this.call(path, { method: "POST", headers, body: JSON.stringify(request) });
        return ((await response.json()) as { jobId: string }).jobId;
    }

    /** What this client sends may be repeated: GETs, and POSTs with an Idempotency-Key. */
    private async call(path: string, { retried = TRANSIENT, ...call }: Call = {}): Promise<Response> {
        const url = new URL(path, this.url);
        const headers = new Headers(call.headers);
        // Other servers don't get the key: `fetch` drops it, too, where an answer redirects to one.
        if (url.origin === new URL(this.url).origin) headers.set("Authorization", `Bearer ${this.key}`);
        for (let attempt = 1; ; attempt += 1) {
            let wait = 0;
            try {
                const response = await within(SILENCE_MS, fetch(url, { ...call, headers }));
                if (response.ok || response.status === 304) return response;
                if (attempt === ATTEMPTS || !retried.includes(response.status)) {
                    throw new ApiError(response.status, await response.json().catch(() => ({})));
                }
                await response.body?.cancel();
                wait = retryAfter(response.headers.get("retry-after"));
            } catch (error) {
                if (attempt === ATTEMPTS || error instanceof ApiError) throw error;
                // No answer.
            }
            await sleep(Math.max(wait, backoff(attempt)));
        }
    }
}

interface StreamEvent {
    id?: string;
    data?: string;
}

/** The events of a stream; the `data` of several lines is joined. */
async function* serverSentEvents(response: Response): AsyncGenerator<StreamEvent> {
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let event: StreamEvent = {};
    try {
        for (;;) {
            const { value, done } = await within(SILENCE_MS, reader.read());
            if (done) return; // an event without its blank line is incomplete
            const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
            rest = lines.pop() ?? "";
            for (const line of lines.map((line) => line.replace(/\r$/, ""))) {
                if (line === "") {
                    yield event;
                    event = {};
                    continue;
                }
                const [, name, content = ""] = /^(\w*):? ?(.*)$/.exec(line) ?? [];
                if (name === "id") event.id = content;
                if (name === "data") event.data = event.data === undefined ? content : `${event.data}\n${content}`;
            }
        }
    } finally {
        await reader.cancel().catch(() => undefined); // closes the connection where the caller has seen enough
    }
}

/** Whether nothing follows this event. */
function isLast({ type, status }: Update): boolean {
    return type === "render_completed" || type === "render_failed" || (type === "job_update" && FINAL.includes(status));
}

/** Exponential, with jitter: clients that failed together do not come back together. In milliseconds. */
function backoff(failures: number): number {
    return (0.5 + Math.random() / 2) * Math.min(500 * 2 ** failures, LONGEST_BACKOFF_MS);
}

/** The wait that an answer names, as seconds or as a date, in milliseconds. */
function retryAfter(header: string | null): number {
    if (!header) return 0;
    const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
    return Number.isFinite(wait) ? wait : 0;
}

/** Fails where a promise takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing came for ${ms} ms`)), ms);
    });
    try {
        return await Promise.race([promise, silence]);
    } finally {
        clearTimeout(timer);
    }
}

function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

// A journey with the client that openapi-typescript and openapi-fetch make: it submits a job, polls it, reads its result and
// an error. tests/it/clients.rs generates ./generated/openapi.d.ts from the served description, compiles this and runs it.

import createClient from "openapi-fetch";
import type { components, paths } from "./generated/openapi.js";

declare const process: { env: Record<string, string | undefined>; exitCode: number };

type Job = components["schemas"]["Job"];

const DEADLINE_MS = 60_000;
const POLL_MS = 200;

const api = createClient<paths>({ baseUrl: process.env.API ?? "", headers: { "X-API-Key": process.env.KEY ?? "" } });

/** What a live event says: the compiler knows the fields of each kind by its `type`. */
export function told(event: components["schemas"]["JobStreamEvent"]): string {
  switch (event.type) {
    case "connected":
      return event.message;
    case "render_completed":
      return event.videoUrl ?? "";
    case "render_failed":
      return event.error ?? "";
    case "step_update":
      return event.step_name ?? "";
    default:
      return event.type;
  }
}

async function submit(): Promise<string> {
  const body = { country: "US", platform: "netflix", genre: "Horror", template: "studio:step_ms=5" };
  const { data, error } = await api.POST("/api/generate", { body });
  if (!data) throw new Error(`not accepted: ${error?.message}`);
  return data.jobId;
}

async function ended(id: string): Promise<Job> {
  for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; ) {
    const { data, error } = await api.GET("/api/job/{id}", { params: { path: { id } } });
    if (!data) throw new Error(`not found: ${error?.message}`);
    if (data.job.status === "completed" || data.job.status === "failed") return data.job;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error("the job did not end in time");
}

/** The code of the error about a body without its genre. */
async function refusal(): Promise<string> {
  const { data, error, response } = await api.POST("/api/generate", { body: { country: "US", platform: "netflix", genre: "" } });
  if (data || !error) throw new Error("a body without a genre was accepted");
  // API Gateway's own errors have no code.
  return `${response.status} ${"code" in error ? error.code : error.message}`;
}

const job = await ended(await submit());
console.log(JSON.stringify({ status: job.status, videoUrl: job.videoUrl, refusal: await refusal() }));

// Serves the story page: what a story can be about, and where the API answers about it.
import { get, url } from "./api.js";
import { clipsPath, clipsPill } from "./clips/words.js";
import { clipJobOf } from "./errors/words.js";
import { pill } from "./format.js";
import { projectPath, projectPill, sceneName } from "./projects/words.js";
import { ofTakes } from "./story-entries.js";

/**
 * What the API says about it: its status, what outside services made for it, and what they make now.
 * @typedef {{ status: HTMLElement, createdAt: string, made: import("./story-entries.js").Entry[], now: string[] }} Known
 */

/**
 * `subject` is its id in deliveries. Errors are listed by `errors`, and `isAbout` picks those about it; null if the inbox has none about its kind.
 * @typedef {{ subject: string, page: string, list: readonly [string, string], hasLog: boolean, stream: string, tokenBody: Api.StreamTokenRequest,
 *   errors: { query: { project?: string, type?: Api.ErrorType }, isAbout: (error: Api.RaisedError) => boolean } | null, load: () => Promise<Known> }} Kind
 */

// Clients know a clip job by a part of its id.
const CLIP_JOB = /^(?:clip_)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** @param {string} id */
export function kindOf(id) {
  const clipJob = CLIP_JOB.exec(id)?.[1];
  if (clipJob) return clips(clipJob);
  return id.startsWith("proj_") ? project(id) : job(id);
}

/** @param {string} id @returns {Kind} */
function job(id) {
  const path = { id };
  return {
    subject: id,
    page: `/job/${encodeURIComponent(id)}`,
    list: ["/queue", "Queue"],
    hasLog: true,
    stream: url("/api/job/{id}/stream", { path }),
    tokenBody: { jobId: id },
    errors: null,
    load: async () => {
      const { job } = await get("/api/job/{id}", { path });
      const now = job.creatomateId && !job.completedAt && !job.cancelledAt ? [`Render ${job.creatomateId} is under way`] : [];
      return { status: pill(job.status), createdAt: job.createdAt, made: [], now };
    },
  };
}

/** @param {string} id @returns {Kind} */
function project(id) {
  const path = { id };
  return {
    subject: id,
    page: projectPath(id),
    list: ["/projects", "Projects"],
    hasLog: false,
    stream: url("/api/v1/projects/{id}/stream", { path }),
    tokenBody: { projectId: id },
    errors: { query: { project: id }, isAbout: () => true },
    load: async () => {
      const project = await get("/api/v1/projects/{id}", { path });
      const tasks = project.scenes.flatMap((scene) => (scene.taskId ? [`${sceneName(scene)}: task ${scene.taskId} makes its video or its last frame`] : []));
      const now = project.waitingFor ? [...tasks, `It waits for a person: ${project.waitingFor}`] : tasks;
      return { status: projectPill(project.status), createdAt: project.createdAt, made: ofTakes(project), now };
    },
  };
}

/** @param {string} id @returns {Kind} */
function clips(id) {
  const path = { id };
  return {
    subject: `clip_${id}`,
    page: clipsPath(id),
    list: ["/clips", "Clips"],
    hasLog: false,
    stream: url("/api/ai-clipping-agent/jobs/{id}/stream", { path }),
    tokenBody: { clipJobId: id },
    errors: { query: { type: "processing" }, isAbout: (error) => clipJobOf(error) === id },
    load: async () => {
      const { status, createdAt, progressStage, cutBy } = await get("/api/ai-clipping-agent/jobs/{id}", { path });
      const by = cutBy === "worker" ? "a clipping worker" : "the built-in renderer";
      const now = status === "running" ? [`It is cut by ${by}: ${progressStage || "no stage is known"}`] : [];
      return { status: clipsPill(status), createdAt, made: [], now };
    },
  };
}

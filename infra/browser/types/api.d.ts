// Types of the API for the pages' scripts: names for schemas of its description, and what each route takes and answers.
import type { components, paths } from "./openapi";

type Schemas = components["schemas"];

declare global {
  /** A schema that is renamed in the description is one line to change here. */
  namespace Api {
    type Attempt = Schemas["Attempt"];
    type Delivery = Schemas["Delivery"];
    type Deliveries = Schemas["DeliveryList"];
    type DeliveryDetails = Schemas["DeliveryDetails"];
    type DeliveryStatus = Delivery["status"];
    type Endpoint = Schemas["WebhookEndpoint"];
    type EndpointFields = Schemas["EndpointPatch"] & { secret?: string };
    type EndpointRegistered = Schemas["EndpointRegistered"];
    type EndpointSecret = Schemas["EndpointSecret"];
    type EventType = Schemas["EventTypes"]["eventTypes"][number];
    type GenerateRequest = Schemas["GenerateRequest"];
    type Job = Schemas["Job"];
    type JobParameters = Schemas["JobParameters"];
    type JobStatus = Schemas["JobStatus"];
    type JobStreamEvent = Schemas["JobStreamEvent"];
    type LogEntry = Schemas["LogEntry"];
    type MetricChart = MetricSection["widgets"][number];
    type MetricSection = Answer<"GET", "/api/v1/metrics">["sections"][number];
    type MetricSeries = MetricChart["series"][number];
    type Movie = Schemas["Movie"];
    type Preview = Schemas["EndpointPreviews"]["previews"][number];
    type QueueStats = Schemas["QueueStats"];
    type QueueStreamStatus = Schemas["QueueStreamStatus"];
    type Recovery = Schemas["Recovery"];
    type RecoveryRequest = Schemas["RecoveryRequest"];
    type StreamTokenRequest = Schemas["StreamTokenRequest"];
    type WebhookState = Schemas["WebhookStatus"]["webhooks"];

    type Project = Answer<"GET", "/api/v1/projects/{id}">;
    type Scene = Project["scenes"][number];
    type Take = Scene["takes"][number];
    type ListedProject = Answer<"GET", "/api/v1/projects">["projects"][number];
    type ProjectStatus = Project["status"];
    type ProjectStreamEvent = Schemas["ProjectStreamEvent"];
    type SceneStatus = Scene["status"];
    type SceneType = Scene["type"];
    type NewProject = Body<"POST", "/api/v1/projects">;
    type ProjectChange = Body<"PATCH", "/api/v1/projects/{id}">;
    type SceneFields = Body<"PATCH", "/api/v1/projects/{id}/scenes/{scene}">;
    type Estimate = Answer<"POST", "/api/v1/projects/{id}/estimate">;
    type ClipJob = Answer<"GET", "/api/ai-clipping-agent/jobs/{id}">;
    type Clip = ClipJob["output"]["clips"][number];
    type ClipStatus = ClipJob["status"];
    type ClipStreamEvent = Schemas["ClipStreamEvent"];
    type NewClips = Body<"POST", "/api/ai-clipping-agent/jobs">;
    type CreditAccount = Answer<"GET", "/api/ai-clipping-agent/credits">;
    type CreditEntry = CreditAccount["transactions"][number];
    type NewCredits = Body<"POST", "/api/ai-clipping-agent/credits">;
    type RaisedError = Answer<"GET", "/api/v1/errors">["errors"][number];
    type ErrorStreamEvent = Schemas["ErrorStreamEvent"];
    type ErrorType = RaisedError["type"];
    type Severity = RaisedError["severity"];

    type Method = "GET" | "POST" | "PATCH" | "DELETE";
    /** The routes that have this method. */
    type Route<M extends Method> = {
      [R in keyof paths]: paths[R] extends Record<Lowercase<M>, object> ? R : never;
    }[keyof paths];
    type Operation<M extends Method, R extends keyof paths> = paths[R][Lowercase<M>];

    type Json<T> = T extends { content: { "application/json": infer Body } } ? Body : never;
    /** The body of a successful answer. */
    type Answer<M extends Method, R extends Route<M>> =
      Operation<M, R> extends { responses: infer All } ? Json<All[keyof All & (200 | 201 | 202)]> : never;

    /** The body of a request. */
    type Body<M extends Method, R extends Route<M>> =
      Operation<M, R> extends { requestBody?: infer Given } ? Json<NonNullable<Given>> : never;

    type PathOf<O> = O extends { parameters: { path: infer Path } } ? { path: Path } : { path?: undefined };
    type QueryOf<O> = O extends { parameters: { query?: infer Query } }
      ? { query?: { [N in keyof Query]: Query[N] | "" } }
      : { query?: undefined };
    /** The parameters of a route: those in its path, and those of the query, where an empty one is left out. */
    type Parameters<M extends Method, R extends Route<M>> = PathOf<Operation<M, R>> & QueryOf<Operation<M, R>>;

    type BodyOf<O> = O extends { requestBody: infer Body }
      ? { body: Json<Body> }
      : O extends { requestBody?: infer Body } ? { body?: Json<Body> } : { body?: undefined };
    /** How a request is sent, whatever its route. */
    type Sending = { headers?: Record<string, string>; signal?: AbortSignal; timeout?: number };
    type Request<M extends Method, R extends Route<M>> = Parameters<M, R> & BodyOf<Operation<M, R>> & Sending;
    /** The argument may be left out if nothing in it is required. */
    type Given<T> = {} extends T ? [request?: T] : [request: T];

    type Etag = { value: string | null };
    /** A request as it is sent, when its route has been checked. */
    type AnyRequest = Sending & {
      path?: Record<string, string | number>;
      query?: Record<string, string | number | boolean>;
      body?: unknown;
      etag?: Etag;
    };
    type CallOf<M extends Method> = <R extends Route<M>>(
      route: R,
      ...request: Given<Request<M, R>>
    ) => Promise<Answer<M, R>>;
    type GetChanged = <R extends Route<"GET">>(
      etag: Etag,
      route: R,
      ...request: Given<Request<"GET", R>>
    ) => Promise<Answer<"GET", R> | null>;
    type PostOnce = <R extends Route<"POST">>(
      route: R,
    ) => (...request: Given<Request<"POST", R>>) => Promise<Answer<"POST", R>>;
    type Url = <R extends Route<"GET">>(route: R, ...request: Given<Request<"GET", R>>) => string;
  }
}

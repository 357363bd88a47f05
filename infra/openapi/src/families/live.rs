//! Live updates: the streams of jobs, of projects, of clip jobs and of the queue, and their tokens.

use std::borrow::Cow;
use std::marker::PhantomData;

use reelhook_app::views::clips::{ClipJobIdText, ClipStreamEvent};
use reelhook_app::views::scenes::{ProjectIdText, ProjectStreamEvent};
use reelhook_app::views::streamgank::JobStreamEvent;
use reelhook_app::views::wire::JobIdText;
use reelhook_http::jobs::queue::QueueStreamStatus;
use reelhook_http::jobs::stream::{StreamToken, StreamTokenRequest};
use reelhook_http::typed::fields::Text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::operation::{Access, Operation, operation};

/// The operations about live updates.
pub fn operations() -> Vec<Operation> {
    vec![
        stream("GET /api/job/{id}/stream", "streamJob", "Follow a job")
            .about(JOB)
            .path::<JobIdText>("id", "The job")
            .answer_with::<EventStream<JobStreamEvent>>(
                200,
                "Events without a name; their data is a `JobStreamEvent`",
                "text/event-stream",
                &["Set-Cookie"],
            )
            .empty_answer(
                204,
                "The job has ended, and `Last-Event-ID` is its last event: the client stops. If the client sends the \
                 cookie, too, only if no command can continue the job",
                &["Set-Cookie"],
            )
            .codes(&["job_not_found"]),
        stream("GET /api/v1/projects/{id}/stream", "streamProject", "Follow a project")
            .about(PROJECT)
            .path::<ProjectIdText>("id", "The project")
            .answer_with::<EventStream<ProjectStreamEvent>>(
                200,
                "Events without a name; their data is a `ProjectStreamEvent`",
                "text/event-stream",
                &["Set-Cookie"],
            )
            .empty_answer(
                204,
                "The project has ended, and `Last-Event-ID` is its last event: the client stops",
                &["Set-Cookie"],
            )
            .codes(&["project_not_found"]),
        of_clips("GET /ai-clipping-agent/jobs/{id}/stream", "streamClipJob"),
        of_clips("GET /api/ai-clipping-agent/jobs/{id}/stream", "streamClipJobUnderApi"),
        stream("GET /api/queue/status/stream", "streamQueue", "Follow the numbers of the queue")
            .about(QUEUE)
            .answer_with::<EventStream<QueueStreamStatus>>(
            200,
            "Events `status`, at most one a second, whose data is a `QueueStreamStatus`, and events `heartbeat`",
            "text/event-stream",
            &["Set-Cookie"],
        ),
        operation("live", "POST /api/stream-token", "makeStreamToken", "Issue a token for a stream")
            .about(
                "EventSource can't set headers, so the token is a parameter of the stream's query. A client does not \
                 need it if it sends a session's cookie or HTTP Basic by itself.",
            )
            .optional_body::<StreamTokenRequest>()
            .answer::<StreamToken>(200, "The token")
            .codes(&["job_not_found", "project_not_found", "clip_job_not_found"]),
    ]
}

/// The stream of a clip job.
fn of_clips(route: &'static str, id: &'static str) -> Operation {
    stream(route, id, "Follow a clip job")
        .about(CLIPS)
        .path::<ClipJobIdText>("id", "The clip job")
        .answer_with::<EventStream<ClipStreamEvent>>(
            200,
            "Events without a name; their data is a `ClipStreamEvent`",
            "text/event-stream",
            &["Set-Cookie"],
        )
        .empty_answer(
            204,
            "The job has ended, and `Last-Event-ID` is its last event: the client stops",
            &["Set-Cookie"],
        )
        .codes(&["clip_job_not_found"])
}

fn stream(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("live", route, id, summary)
        .access(Access::Stream)
        .header::<Text<128>>(
            "Last-Event-ID",
            "The `id` of the last event that the client received: the stream goes on after it",
        )
        .query_parameter::<Text<128>>(
            "lastEventId",
            "The same for clients that can't set headers; 0 is before all events",
        )
        .cookie::<String>("seen", SEEN)
        .codes(&["too_many_streams"])
}

/// A stream of events with data of one type.
pub struct EventStream<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for EventStream<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("EventStream_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let data = generator.subschema_for::<T>();
        json_schema!({ "type": "string", "contentMediaType": "text/event-stream", "contentSchema": data })
    }
}

/// The stream of a job.
const JOB: &str = "Events that change the state have an `id`; `connected` and `heartbeat` have none. API Gateway \
                   buffers answers, so a request there waits for the first event, or for 25 s, and `retry` says when \
                   the client reconnects. A job that has ended gets its last event, and the stream ends.\n\nThe \
                   cookie `seen` holds the last event that a browser received, for pages that open a new EventSource \
                   each time and send no `Last-Event-ID`: such a page does not get the last event of an ended job \
                   again; its request waits for a retry of the job, at most one a minute. If the job does not exist, \
                   it gets 404 once, and then an answer without events and with a long `retry`.";
/// The stream of a project.
const PROJECT: &str = "Events of scenes and of the project have an `id`; `connected` and `heartbeat` have none. \
                       Waiting, `retry` and the cookie `seen` are as for the stream of a job. A project that has \
                       ended gets its last event, and the stream ends; the next request waits until a command \
                       continues it.";
/// The stream of a clip job.
const CLIPS: &str = "Events of clips and of the job have an `id`; `connected` and `heartbeat` have none. Waiting, `retry` \
                     and the cookie `seen` are as for the stream of a job. A job that has ended gets its last event, and \
                     the stream ends; the next request waits until a command continues it.";
/// The stream of the queue.
const QUEUE: &str = "API Gateway buffers answers, so a request there waits for new numbers, or for 25 s, and `retry` \
                     says when the client reconnects. Without `Last-Event-ID` the cookie `seen` says which numbers \
                     the browser has.";
/// The cookie of streams.
const SEEN: &str = "The last event that the browser received. The stream sets it, for its own path only, `HttpOnly` \
                    and `SameSite=Strict`, for 30 s to 5 minutes";

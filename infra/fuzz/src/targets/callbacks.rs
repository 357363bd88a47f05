//! Callbacks of the external worker, Creatomate, the clipping worker and the services of scenes. Their senders do not retry, so
//! that an authenticated report is read leniently; whatever is stored of it is bounded. Without credentials nothing is read.

use std::sync::OnceLock;

use reelhook_app::Url;
use reelhook_app::clips::reports::files::WorkerFiles;
use reelhook_app::clips::reports::read::read as read_clips;
use reelhook_app::projects::services::report;
use reelhook_domain::clips::event::WorkerReport;
use reelhook_domain::projects::event::TaskReport;
use reelhook_domain::projects::task::Stage;
use reelhook_domain::{ClipJobId, JobId};
use reelhook_http::clips::webhook::sender::ReportKeys;
use reelhook_http::jobs::step::Reporter;
use reelhook_http::problem::Problem;
use reelhook_http::projects::callbacks::sender::CallbackKeys;
use reelhook_http::request::ApiRequest;
use reelhook_http::{clips, jobs, projects};
use reelhook_signing::SigningKeys;
use serde_json::{Map, Value};

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::api::{Operation, api};
use crate::targets::build;
use crate::targets::judge::judged;
use crate::targets::requests::NOON;

/// The paths of callbacks.
const PATHS: [&str; 7] = [
    "/api/webhooks/step-update",
    "/api/webhooks/creatomate",
    "/api/webhooks/ai-clipping",
    "/api/webhooks/clipping",
    "/api/webhooks/video-complete",
    "/api/webhooks/last-frame-complete",
    "/api/webhooks/stitch-complete",
];
/// The stages of projects' tasks.
pub const STAGES: [Stage; 3] = [Stage::Video, Stage::Frame, Stage::Stitch];
/// The longest text that is stored of a report, in bytes.
const TEXT: usize = 16 * 1024;

/// Callbacks: credentials that nobody gave, and bodies from senders that are known.
pub fn of_services(bytes: &[u8]) -> Verdict {
    static OPERATIONS: OnceLock<Vec<&'static Operation>> = OnceLock::new();
    let operations = OPERATIONS.get_or_init(|| api().below(&PATHS));
    let mut input = Input::new(bytes);
    let request = if input.rarely(3) {
        let path = *input.pick(&PATHS);
        let body = named(&mut input).to_string().into_bytes();
        build::posting(path, body, &mut input)
    } else {
        build::request(operations, &mut input)
    };
    check_strangers(&request);
    let trusted = read_report(&request, &Reporter::Trusted);
    let job = JobId::parse("job_1").expect("an id");
    let of_run = read_report(&request, &Reporter::Run(job.clone(), 1));
    assert!(of_run.is_none_or(|known| known == job), "a token is for one job");
    let render = judged(jobs::creatomate::read(&request));
    if let Some((_, callback)) = &render {
        assert!(callback.status.len() <= 64, "a status of {} bytes", callback.status.len());
        is_bounded(callback.error.as_deref());
    }
    let clipped = judged(clips::webhook::route::read(&request, None));
    let reported = clipped.as_ref().and_then(|inbound| read_clips(&files(), &clip_job(), &inbound.body));
    if let Some(report) = &reported {
        check_clips(report);
    }
    let stages = STAGES.map(|stage| judged(projects::callbacks::route::read(&request, stage, None)));
    for inbound in stages.iter().flatten() {
        check_task(inbound.stage, &inbound.body);
    }
    Verdict::of(trusted.is_some() || render.is_some() || reported.is_some() || stages.iter().any(Option::is_some))
}

/// Reads a report of a step; returns its job.
fn read_report(request: &ApiRequest, reporter: &Reporter) -> Option<JobId> {
    let read = match jobs::step::read(request, reporter, NOON) {
        Err(Problem::Request(problem)) if problem.parts().0 == 401 => None,
        read => judged(read),
    }?;
    let update = &read.update;
    assert!(update.number <= 8, "step {}", update.number);
    for text in [&update.key, &update.stage, &update.error, &update.extracted] {
        is_bounded(text.as_deref());
    }
    is_bounded(Some(&update.name));
    assert!(update.duration.is_none_or(f64::is_finite), "a duration of {:?}", update.duration);
    Some(read.job_id)
}

/// Without a signature or a token nothing is read.
fn check_strangers(request: &ApiRequest) {
    let keys = || SigningKeys::parse("a secret that nobody has").expect("a secret");
    let lookup = |_: &str| Some("another secret that nobody has".to_owned());
    assert!(ReportKeys::new(keys(), &lookup).verify(request).is_err(), "a stranger reports on clips");
    for stage in STAGES {
        let known = CallbackKeys::new(keys(), &lookup).verify(request, stage);
        assert!(known.is_err(), "a stranger reports on a project");
    }
    assert!(jobs::callbacks::RunToken::of(request, &keys()).is_err(), "a stranger has a token");
    let render = jobs::creatomate::authenticate(request, &keys(), None);
    assert!(request.token.is_none() || render.is_err(), "a stranger's token is valid");
}

/// Checks what is read of a task's report: of a callback, a poll, or an entry of a list.
pub fn check_task(stage: Stage, body: &Value) {
    let read = report::read(stage, body);
    match &read.report {
        TaskReport::UnderWay(percent) => assert!(*percent <= 100, "{percent} percent"),
        TaskReport::Failed(reason) => is_bounded(Some(reason)),
        TaskReport::Completed(_) | TaskReport::Unknown | TaskReport::Unusable => {}
    }
    is_bounded(read.submission.as_deref());
}

fn check_clips(report: &WorkerReport) {
    assert!(report.progress.is_none_or(|percent| percent <= 100), "{:?} percent", report.progress);
    for count in [report.clips_completed, report.total_clips].into_iter().flatten() {
        assert!(count <= 10_000, "{count} clips");
    }
    is_bounded(report.stage.as_deref());
    is_bounded(report.error.as_deref());
}

fn is_bounded(text: Option<&str>) {
    assert!(text.is_none_or(|text| text.len() <= TEXT), "a text of {} bytes", text.map_or(0, str::len));
}

fn files() -> WorkerFiles {
    let worker = Url::parse("https://genesis.example/").expect("a URL");
    WorkerFiles { worker: Some(worker), bucket: "reelhook-bucket".to_owned() }
}

fn clip_job() -> ClipJobId {
    ClipJobId::parse("550e8400-e29b-41d4-a716-446655440000").expect("an id")
}

/// An object whose members have names that services use, and any values.
pub fn named(input: &mut Input<'_>) -> Value {
    const NAMES: &[&str] = &[
        "id",
        "job_id",
        "external_job_id",
        "task_id",
        "project_id",
        "scene_id",
        "submission",
        "metadata",
        "status",
        "event",
        "error",
        "error_message",
        "message",
        "progress",
        "progress_percent",
        "current_step",
        "step_number",
        "step_name",
        "details",
        "duration",
        "sequence",
        "url",
        "video_url",
        "image_url",
        "last_frame_url",
        "output",
        "result",
        "clips",
        "clip_index",
        "s3_url",
        "start",
        "end",
        "tags",
        "virality_score",
        "total_clips",
        "clips_completed",
        "source_video_duration_seconds",
        "transcript_url",
        "plan_url",
        "tasks",
        "data",
        "items",
        "created_at",
        "retry_after",
    ];
    const STATUSES: &[&str] = &[
        "queued",
        "processing",
        "completed",
        "failed",
        "canceled",
        "job.completed",
        "job.progress",
        "succeeded",
        "started",
        "render_ready",
    ];
    let mut members = Map::new();
    while !input.is_empty() && members.len() < 16 && !input.rarely(10) {
        let name = *input.pick(NAMES);
        let value = match input.below(5) {
            0 => Value::String((*input.pick(STATUSES)).to_owned()),
            1 => input.json(0),
            2 => Value::Array(vec![input.json(1), input.json(1)]),
            3 => {
                let inner = (0..input.below(5)).map(|_| ((*input.pick(NAMES)).to_owned(), input.json(1)));
                Value::Object(inner.collect())
            }
            _ => input.json(2),
        };
        members.insert(name.to_owned(), value);
    }
    Value::Object(members)
}

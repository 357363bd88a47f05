//! One job: reads, commands and reports of concurrent clients, while the launcher starts it and its worker reports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use reelhook_testkit::linear::{Model, Recorder, Turns, assert_linearizable};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Faults, seeds};
use crate::stack::{JsonText, Stack};

/// Clients at once.
const CLIENTS: usize = 5;
/// Calls of each client.
const CALLS: usize = 4;
/// How far reports of clients are ahead of those of the worker: a report older than the last one changes nothing.
const AHEAD: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Cancel,
    Retry,
    Complete,
    Delete,
    /// A report that a step failed, and that a retry would fail again.
    Fail,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The status that the job has.
    Found(String),
    /// The call had its effect, or repeated one.
    Done,
    /// The job takes no such call.
    Refused,
    NotFound,
}

/// Where the job stands. The worker stops after three steps, so nothing but a call ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Pending,
    Processing,
    Completed,
    Failed,
    Cancelled,
    Deleted,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Deleted => "deleted",
        }
    }

    fn is_under_way(self) -> bool {
        matches!(self, Self::Pending | Self::Processing)
    }
}

/// A job that a client may have retried: for some seconds a repeat has the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Job {
    phase: Phase,
    retried: bool,
}

struct OneJob;

impl OneJob {
    /// The job after a call with this answer; none if it can't be the answer.
    fn next(job: Job, call: Call, answer: &Answer) -> Option<Job> {
        let to = |phase: Phase| Some(Job { phase, ..job });
        match (call, answer, job.phase) {
            // A job that waits may have no claim, and then takes no report.
            (Call::Fail, Answer::Refused, phase) if phase != Phase::Processing => Some(job),
            (_, answer, Phase::Deleted) => (*answer == Answer::NotFound).then_some(job),
            (Call::Read, Answer::Found(status), phase) => (*status == phase.name()).then_some(job),
            (Call::Cancel, Answer::Done, phase) if phase.is_under_way() => to(Phase::Cancelled),
            (Call::Cancel, Answer::Done, Phase::Cancelled) => Some(job),
            (Call::Cancel, Answer::Refused, Phase::Completed | Phase::Failed) => Some(job),
            (Call::Retry, Answer::Done, Phase::Failed) => Some(Job { phase: Phase::Pending, retried: true }),
            (Call::Retry, Answer::Done, _) => job.retried.then_some(job),
            (Call::Retry, Answer::Refused, phase) => (phase != Phase::Failed).then_some(job),
            (Call::Complete, Answer::Done, Phase::Processing) => to(Phase::Completed),
            (Call::Complete, Answer::Refused, phase) => (phase != Phase::Processing).then_some(job),
            (Call::Delete, Answer::Done, phase) if !phase.is_under_way() => to(Phase::Deleted),
            (Call::Delete, Answer::Refused, phase) if phase.is_under_way() => Some(job),
            (Call::Fail, Answer::Done, phase) if phase.is_under_way() => to(Phase::Failed),
            _ => None,
        }
    }
}

impl Model for OneJob {
    type State = Job;
    type Call = Call;
    type Answer = Answer;

    fn start(&self) -> Job {
        Job { phase: Phase::Processing, retried: false }
    }

    fn after(&self, job: &Job, call: &Call, answer: Option<&Answer>) -> Vec<Job> {
        match answer {
            Some(answer) => Self::next(*job, *call, answer).into_iter().collect(),
            None => Self::next(*job, *call, &Answer::Done).into_iter().collect(),
        }
    }

    /// A retried job gets a slot, and its worker begins.
    fn by_itself(&self, job: &Job) -> Vec<Job> {
        if job.phase == Phase::Pending { vec![Job { phase: Phase::Processing, ..*job }] } else { Vec::new() }
    }
}

/// Makes a call. None if it may have had its effect or not.
async fn make(faults: &Faults<'_>, id: &str, call: Call) -> Option<Answer> {
    let stack = faults.stack;
    let post = |path: String| stack.request(Method::POST, &path);
    let job = format!("/api/job/{id}");
    let request = match call {
        Call::Read => stack.request(Method::GET, &job),
        Call::Cancel => post(format!("{job}/cancel")),
        Call::Retry => post(format!("{job}/retry")),
        Call::Complete => {
            post(format!("{job}/complete")).json_text(&json!({ "videoUrl": "https://cdn.example/video.mp4" }))
        }
        Call::Delete => stack.request(Method::DELETE, &format!("/api/queue/job/{id}/delete")),
        Call::Fail => post("/api/webhooks/step-update".to_owned()).json_text(&json!({
            "job_id": id, "step_number": 4, "status": "failed", "error": "No movies found", "sequence": sequence(),
        })),
    };
    let (status, answer) = faults.answer(request).await?;
    match (call, status) {
        (Call::Read, 200) => Some(Answer::Found(answer["job"]["status"].as_str().expect("a status").to_owned())),
        (Call::Fail, 200) => {
            let is_applied = answer["success"] == true && answer["duplicate"] == Value::Null;
            Some(if is_applied { Answer::Done } else { Answer::Refused })
        }
        (_, 200) => Some(Answer::Done),
        (_, 404) => Some(Answer::NotFound),
        (_, 400 | 409) => Some(Answer::Refused),
        (_, status) => panic!("{call:?} got {status}: {answer}"),
    }
}

/// The place of a report among those of its run.
fn sequence() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock") + AHEAD;
    u64::try_from(since.as_millis()).expect("a time")
}

/// The calls of a client. Few of them delete the job, so that there is something left to do.
fn calls(turns: &mut Turns) -> Vec<Call> {
    let one = |turns: &mut Turns| match turns.below(12) {
        0..3 => Call::Read,
        3 => Call::Cancel,
        4..7 => Call::Retry,
        7 => Call::Complete,
        8 => Call::Delete,
        _ => Call::Fail,
    };
    (0..CALLS).map(|_| one(turns)).collect()
}

#[tokio::test]
async fn a_job_on_the_stack_is_linearizable() {
    let stack = Stack::open().await;
    let faults = Faults::of(&stack);
    for seed in seeds() {
        let id = stack.submit("step_ms=5&stall=3").await;
        stack.until(&id, "done with step 3", |job| job["progress"] == 36).await;
        let mut turns = Turns::new(seed);
        let planned: Vec<Vec<Call>> = (0..CLIENTS).map(|_| calls(&mut turns)).collect();
        let recorder = Recorder::default();
        faults.begin(seed).await;
        let clients = planned.into_iter().enumerate().map(|(client, calls)| {
            let (recorder, faults, id) = (&recorder, &faults, &id);
            async move {
                for call in calls {
                    recorder.record(client, call, make(faults, id, call)).await;
                }
            }
        });
        join_all(clients).await;
        faults.end().await;
        assert_linearizable(&OneJob, &recorder.history(), &format!("seed {seed}, job {id}"));
        // The worker of a run that is left would hold its slot until it times out.
        make(&faults, &id, Call::Cancel).await;
    }
}

#[test]
fn a_report_that_is_lost_is_found_out() {
    let refused = |phase| OneJob::next(Job { phase, retried: false }, Call::Fail, &Answer::Refused);
    assert_eq!(refused(Phase::Processing), None);
    for phase in [Phase::Pending, Phase::Completed, Phase::Failed, Phase::Cancelled, Phase::Deleted] {
        assert_eq!(refused(phase), Some(Job { phase, retried: false }));
    }
}

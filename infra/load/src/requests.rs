//! The stand-ins of what a function behind the API calls: the Runtime API hands out one sample event again and again, and
//! DynamoDB has the job that it is about.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use reelhook_app::retention::Days;
use reelhook_aws::jobs::item::to_item;
use reelhook_domain::{
    Decision, Event, Job, JobId, JobKind, Metadata, NewJob, Origin, Policy, Priority, Request, StepStatus, StepUpdate,
    Timestamp, create, decide,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::{self, Aws, Call};
use crate::items::stored;
use crate::runtime_api::{self, Handled, Invocations, Plan};
use crate::stand_ins::{listen, serve_routes};

/// The job of the sample events.
const JOB: &str = "job_1704110400000_00000000000000000000000000000001";

/// When the job was created, as its id says.
const CREATED: Timestamp = Timestamp(1_704_110_400_000);

/// The requests of a run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Sample event of the function
    #[arg(long)]
    event: PathBuf,
    /// Requests to measure; they are handed out after `POST /go`
    #[arg(long)]
    requests: u64,
    /// Requests before the measurement
    #[arg(long, default_value_t = 0)]
    warm_up: u64,
}

/// The response to `GET /report`.
#[derive(Debug, Serialize)]
struct Report {
    handled: Handled,
    /// The function's last response.
    answer: Value,
    /// The calls of DynamoDB of the last event.
    calls: Vec<Call>,
}

#[derive(Debug, Clone)]
struct StandIns {
    invocations: Arc<Invocations>,
    aws: Arc<Aws>,
}

/// Serves until the process is killed. Prints one line of JSON with the addresses.
///
/// # Errors
/// When the event can't be read or a port can't be bound.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    let text = std::fs::read(&options.event).with_context(|| format!("read {}", options.event.display()))?;
    let event: Value = serde_json::from_slice(&text).context("parse the event")?;
    // The keys and secrets of the sample events, used only on loopback (CONTRIBUTING.md, Sample events).
    let parameters = [
        ("API_KEYS", "rk_test".to_owned()),
        ("CALLBACK_TOKEN_SECRET", "tok_secret_1".to_owned()),
        ("SESSION_SECRET", "the-secret-of-a-benchmark-on-loopback".to_owned()),
    ];
    let item = stored(&to_item(&running_job()?, "0", Days::MONTH));
    let aws =
        Arc::new(Aws::new(move |key| (key["id"]["S"].as_str() == Some(JOB)).then(|| item.clone()), parameters.into()));
    let begun = aws.clone();
    let event = move |_| {
        begun.begin();
        event.clone()
    };
    let plan = Plan { warm_up: options.warm_up, measured: options.requests };
    let stand_ins = StandIns { invocations: Arc::new(Invocations::new(plan, event)), aws };
    let (runtime, runtime_address) = listen().await?;
    let (cloud, cloud_address) = listen().await?;
    println!("{}", json!({ "runtime_api": runtime_address.to_string(), "aws_url": format!("http://{cloud_address}") }));
    let StandIns { invocations, aws } = stand_ins.clone();
    let counts = aws.clone();
    let report = Router::new().route("/report", get(report)).with_state(stand_ins);
    tokio::try_join!(
        serve_routes(runtime, runtime_api::routes(invocations).merge(report), || {}),
        serve_routes(cloud, aws::routes(aws), move || counts.connected()),
    )?;
    Ok(())
}

async fn report(State(stand_ins): State<StandIns>) -> Json<Report> {
    let StandIns { invocations, aws } = stand_ins;
    Json(Report { handled: invocations.handled(), answer: invocations.answer(), calls: aws.calls() })
}

/// The job of the sample events in its first step.
fn running_job() -> anyhow::Result<Job> {
    let input = json!({
        "country": "FR", "platform": "Netflix", "genre": "Comédie", "contentType": "Série", "template": "auto",
        "pauseAfterExtraction": false,
    });
    let new = NewJob {
        id: JobId::parse(JOB).ok().context("parse the job's id")?,
        kind: JobKind::Workflow,
        request: Request {
            input,
            pause_after_extraction: false,
            callback: None,
            metadata: Metadata::default(),
            priority: Priority::default(),
        },
        plan: None,
        origin: Origin { caller: Some("caller".to_owned()), ..Origin::default() },
        usage: false,
    };
    let policy = Policy::default();
    let update = StepUpdate::plain(1, "Database Extraction", StepStatus::Started, CREATED.millis());
    let started = Event::Started { attempt: 1, worker_id: None, cancel_url: None };
    let events = [Event::Claim, started, Event::Step { attempt: Some(1), update }];
    events.iter().try_fold(create(new, CREATED, &policy), |job, event| match decide(&job, event, CREATED, &policy) {
        Decision::Apply(next) => Ok(*next),
        other => anyhow::bail!("{event:?} changes nothing: {other:?}"),
    })
}

#[cfg(test)]
mod tests {
    use reelhook_aws::jobs::item::from_item;

    use super::*;

    #[test]
    fn the_job_of_the_sample_events_runs_and_its_item_can_be_read() {
        let job = running_job().unwrap();
        let item = to_item(&job, "0", Days::MONTH);
        assert_eq!(from_item("test", &item).unwrap(), job);
        assert_eq!(stored(&item)["id"], json!({ "S": JOB }));
    }
}

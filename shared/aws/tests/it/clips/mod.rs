//! The Clips table, and the rows of clip jobs in the Counters table.

mod attempts;
mod items;
mod lists;
mod rows;
mod stored;

pub use attempts::attempt_tables;

use std::sync::Arc;

use reelhook_aws::clips::table::ClipTable;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_domain::clips::job::JobCredits;
use reelhook_domain::clips::request::{ClipRequest, Source};
use reelhook_domain::clips::run::{Engine, Run, WorkerRun, WorkerState};
use reelhook_domain::pieces::Pieces;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, ClipStatus, Origin, OwnerId, Timestamp, WebUrl};
use reelhook_testkit::{NOON, World};

use crate::replay::{Answer, Call, Calls, dynamodb};

/// The table and its counters; `script` gives the responses.
fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (ClipTable, Calls) {
    let (client, calls) = dynamodb(script);
    (table_of(client, World::default()), calls)
}

fn table_of(client: aws_sdk_dynamodb::Client, world: World) -> ClipTable {
    let counters = CounterTable::new(client.clone(), "Counters");
    ClipTable::new(client, "Clips", counters, Arc::new(world))
}

fn at(n: i64) -> Timestamp {
    Timestamp(NOON.millis() + n)
}

fn url(text: &str) -> WebUrl {
    WebUrl::parse(text).unwrap()
}

fn owner(name: &str) -> OwnerId {
    OwnerId::parse(name).unwrap()
}

/// The id of job number `n`.
fn id(n: u32) -> ClipJobId {
    ClipJobId::parse(&format!("0b0e7a3c-5f0e-4f43-9a53-{n:012x}")).unwrap()
}

fn worker(state: WorkerState) -> Engine {
    Engine::Worker(WorkerRun { number: 1, lost: 0, refusals: 0, deadline: None, heard_at: None, state })
}

/// Job number `n` in its first version, which waits for the worker and has nothing to do.
pub fn job(n: u32) -> ClipJob {
    ClipJob {
        id: id(n),
        version: 1,
        request: ClipRequest::of(Source::File(url("https://client.example/talk.mp4"))),
        origin: Origin::default(),
        created_at: NOON,
        updated_at: NOON,
        started_at: None,
        ended_at: None,
        deleted_at: None,
        status: ClipStatus::Queued,
        error: None,
        run: Run::new(1, worker(WorkerState::Waiting { ready_at: NOON }), ""),
        clips: Vec::new(),
        transcript: None,
        plan: None,
        pieces: Pieces::new(Vec::new(), NOON, &ClipPolicy::default().pieces()),
        credits: JobCredits::default(),
        hinted_at: None,
        due_at: None,
        live_version: 0,
        emitted: Vec::new(),
        outbox: Vec::new(),
    }
}

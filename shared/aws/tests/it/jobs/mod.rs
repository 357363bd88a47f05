//! The Jobs table: conditional writes, items and their indexes, submissions, claims and lists.

mod ended;
mod items;
mod lists;
mod shards;
mod stored;
mod submit;
mod writes;

use std::sync::Arc;

use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_domain::{Event, Job};
use reelhook_testkit::{NOON, World, lived, make_job, policy, run, started};

use crate::replay::{Answer, Call, Calls, dynamodb};

/// The table and its counters; `script` gives the responses.
fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (JobTable, Calls) {
    let (client, calls) = dynamodb(script);
    (table_of(client, World::default()), calls)
}

fn table_of(client: aws_sdk_dynamodb::Client, world: World) -> JobTable {
    let counters = CounterTable::new(client.clone(), "Counters");
    JobTable::new(client, "Jobs", counters, Arc::new(world))
}

fn waiting() -> Job {
    make_job(1, NOON, &policy())
}

/// The next version of the waiting job.
fn claimed() -> Job {
    lived(waiting(), &[Event::Claim], NOON, &policy())
}

fn rendering() -> Job {
    let events = [vec![Event::Claim, started(1)], run(1, Some("render_1"))].concat();
    lived(waiting(), &events, NOON, &policy())
}

//! What people do with jobs while others run: they cancel, retry and delete some, and order some through the job inbox.

use std::time::{Duration, Instant};

use reelhook_domain::{OutboundEvent, Status};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::interval;

use super::calls::Caller;
use super::work::{Plan, SCENARIO, job, repeated, request_of};
use crate::job_inbox::jobs_of;
use crate::scenes::project::text;
use crate::stack::Stack;

/// A job that runs long enough to be cancelled.
const LONG: &str = "step_ms=1000&render_ms=50&repeat=3";
/// A job whose first attempt fails for good.
const FAILING: &str = "step_ms=10&render_ms=50&repeat=3&fail=1&fail_attempts=1&error=No%20movies%20found";
/// How long a person waits for the end of a job before they give a command.
const PATIENCE: Duration = Duration::from_secs(40);
/// The time between two looks at a job.
const POLL: Duration = Duration::from_millis(500);
/// Milliseconds between two commands of each kind.
const CANCELS_MS: u64 = 25_000;
const RETRIES_MS: u64 = 30_000;
const DELETES_MS: u64 = 20_000;
const ORDERS_MS: u64 = 12_000;

/// A job, and whether it took the command.
type Commanded = (String, bool);

/// The jobs of people who give commands.
pub struct Commands {
    /// Cancelled, unless they had ended.
    cancelled: Vec<Commanded>,
    /// Retried, if they failed in time.
    retried: Vec<Commanded>,
    /// Deleted, if they ended in time.
    deleted: Vec<Commanded>,
    /// What the metadata of ordered jobs says: one message each.
    orders: Vec<String>,
}

/// Gives commands until a time.
pub async fn give(caller: &Caller<'_>, end: Instant) -> Commands {
    let plan = &Plan::Until(end);
    let (cancelled, retried, deleted, orders) = tokio::join!(
        repeated(plan, CANCELS_MS, async |number| cancel(caller, number).await),
        repeated(plan, RETRIES_MS, async |number| retry(caller, number).await),
        repeated(plan, DELETES_MS, async |number| delete(caller, number).await),
        repeated(plan, ORDERS_MS, async |number| order(caller, number).await),
    );
    Commands { cancelled, retried, deleted, orders }
}

async fn command(caller: &Caller<'_>, method: Method, path: &str) -> (u16, Value) {
    caller.send(path, || caller.stack.request(method.clone(), path)).await
}

async fn cancel(caller: &Caller<'_>, number: usize) -> Commanded {
    let id = job(caller, &caller.key("cancelled", number), LONG).await;
    let path = format!("/api/job/{id}/cancel");
    let (status, answer) = command(caller, Method::POST, &path).await;
    // It may have ended while the answers were lost.
    assert!(status == 200 || answer["code"] == "cannot_cancel", "{path}: {status} {answer}");
    (id, status == 200)
}

async fn retry(caller: &Caller<'_>, number: usize) -> Commanded {
    let id = job(caller, &caller.key("retried", number), FAILING).await;
    if !comes_to(caller, &id, &["failed"]).await {
        return (id, false);
    }
    let path = format!("/api/job/{id}/retry");
    let (status, answer) = command(caller, Method::POST, &path).await;
    // A call whose answer was lost may have retried it.
    assert!(status == 200 || answer["code"] == "cannot_retry", "{path}: {status} {answer}");
    (id, true)
}

async fn delete(caller: &Caller<'_>, number: usize) -> Commanded {
    let id = job(caller, &caller.key("deleted", number), SCENARIO).await;
    if !comes_to(caller, &id, &["completed", "failed"]).await {
        return (id, false);
    }
    let path = format!("/api/queue/job/{id}/delete");
    let (status, answer) = command(caller, Method::DELETE, &path).await;
    // A call whose answer was lost may have deleted it.
    assert!(status == 200 || answer["code"] == "job_not_found", "{path}: {status} {answer}");
    (id, true)
}

/// Sends the order of a job to the job inbox.
async fn order(caller: &Caller<'_>, number: usize) -> String {
    let order = caller.key("order", number);
    let mut body = request_of(SCENARIO);
    body["metadata"] = json!({ "order": order });
    caller.stack.aws.send("JobInboxUrl", &json!({ "operation": "generate", "body": body })).await;
    order
}

/// Waits for one of these statuses; false if it does not come in time.
async fn comes_to(caller: &Caller<'_>, id: &str, statuses: &[&str]) -> bool {
    let (deadline, mut ticks, path) = (Instant::now() + PATIENCE, interval(POLL), format!("/api/job/{id}"));
    while Instant::now() < deadline {
        ticks.tick().await;
        let (status, answer) = caller.get(&path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        if statuses.iter().any(|wanted| answer["job"]["status"] == *wanted) {
            return true;
        }
    }
    false
}

impl Commands {
    /// The jobs that were ordered, each once.
    pub async fn ordered(&self, stack: &Stack) -> Vec<String> {
        let mut ids = Vec::new();
        for order in &self.orders {
            let jobs = stack
                .eventually(&format!("the job of {order}"), || async {
                    let jobs = jobs_of(stack, order).await;
                    (!jobs.is_empty()).then_some(jobs)
                })
                .await;
            let [job] = jobs.as_slice() else { panic!("one message makes one job: {jobs:#?}") };
            ids.push(text(&job["id"]));
        }
        ids
    }

    /// The jobs that must end as all others do: those that were retried or deleted, or should have been, and those that
    /// ended before they were cancelled.
    pub fn jobs(&self) -> impl Iterator<Item = &String> {
        untaken(&self.cancelled).chain(self.retried.iter().chain(&self.deleted).map(|(id, _)| id))
    }

    /// The jobs that were cancelled.
    pub fn cancelled(&self) -> impl Iterator<Item = &String> {
        taken(&self.cancelled)
    }

    /// The jobs that may fail by their scenario, since nobody retried them in time.
    pub fn failing(&self) -> impl Iterator<Item = &String> {
        untaken(&self.retried)
    }

    /// Asserts that at least one job took each command.
    pub fn assert_taken(&self) {
        let counts = [&self.cancelled, &self.retried, &self.deleted].map(|all| taken(all).count());
        let reason = "jobs were cancelled, retried and deleted";
        assert!(counts.iter().all(|count| *count > 0) && !self.orders.is_empty(), "{counts:?} {reason}");
    }

    /// Asserts that what was answered is so.
    pub async fn assert_done(&self, stack: &Stack) {
        for id in taken(&self.cancelled) {
            let job = stack.stored(id).await;
            assert_eq!(job.status, Status::Cancelled, "{id}");
            assert!(job.was_notified(OutboundEvent::Cancelled), "{id}: {:?}", job.emitted);
        }
        for id in taken(&self.retried) {
            let job = stack.stored(id).await;
            assert!(job.retries.used >= 1, "{id} was retried: {:?}", job.retries);
        }
        for id in taken(&self.deleted) {
            let job = stack.stored(id).await;
            assert!(job.deleted_at.is_some(), "{id} is {:?}", job.status);
            assert!(job.was_notified(OutboundEvent::Deleted), "{id}: {:?}", job.emitted);
            let (status, answer) = stack.get(&format!("/api/job/{id}")).await;
            assert_eq!(status, 404, "{id}: {answer}");
        }
    }
}

/// The jobs that took their command.
fn taken(all: &[Commanded]) -> impl Iterator<Item = &String> {
    all.iter().filter(|(_, is_taken)| *is_taken).map(|(id, _)| id)
}

/// The jobs that did not.
fn untaken(all: &[Commanded]) -> impl Iterator<Item = &String> {
    all.iter().filter(|(_, is_taken)| !is_taken).map(|(id, _)| id)
}

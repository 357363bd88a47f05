//! The cost of one successful job.

use super::rows::{Row, share};
use super::{Case, compare, log_at_rest, quietly};
use crate::stack::Stack;

/// Slow enough that each version is fanned out alone, as with real workers: the most expensive case.
const SCENARIO: &str = "step_ms=300&render_ms=600";
/// Two events of the job that is counted, to two endpoints each.
const WEBHOOKS: f64 = 4.0;
/// A job, and the functions that run for it; `cleanup` is in the cost of an idle month, and `job-status` depends on
/// clients.
const JOB: Case = Case {
    section: "cost",
    of: "job",
    functions: &["generate", "step-webhook", "creatomate-webhook", "worker", "fanout", "dispatcher"],
    api: &["generate", "step-webhook", "creatomate-webhook"],
    requests: ("generate", 1.0),
    render_seconds: 0.0,
    exact: true,
    // A cold start or a sweep may disturb one before another matches.
    attempts: 6,
    notes,
};

#[tokio::test]
async fn a_job_calls_aws_as_often_as_the_docs_say() {
    let stack = Stack::open().await;
    // Warms up all functions.
    run_job(&stack, "step_ms=5").await;
    compare(&stack, &JOB, async || run_job(&stack, SCENARIO).await).await;
}

/// A job from submit to both webhooks, without a sweep by the test.
async fn run_job(stack: &Stack, scenario: &str) {
    let job = stack.submit(scenario).await;
    quietly("a job with both webhooks", async || {
        let mut arrived = stack.job(&job).await["status"] == "completed";
        for hook in ["main", "second"] {
            arrived = arrived && stack.webhooks(hook, &job).await.iter().any(|got| got["event"] == "job.completed");
        }
        arrived
    })
    .await;
    log_at_rest(stack).await;
}

fn notes(rows: &[Row], _: &str) -> String {
    let of_dispatcher = rows.iter().filter(|row| row.function == "dispatcher");
    // Each attempt begins with one.
    let webhook = of_dispatcher.map(|row| row.price).sum::<f64>() / WEBHOOKS;
    let prices = [("{dynamodb}", share(rows, "DynamoDB")), ("{lambda}", share(rows, "Lambda")), ("{webhook}", webhook)];
    let notes = NOTES.replace("{webhooks}", &WEBHOOKS.to_string());
    prices.iter().fold(notes, |notes, (name, price)| notes.replace(name, &format!("{price:.2}")))
}

/// The explanation below the table.
const NOTES: &str = "\
Of this DynamoDB's calls are ${dynamodb} and Lambda's runs ${lambda}.

- The job: a worker that reports the start and the end of each step, slowly enough for each version to be fanned out
  alone; one render; `job.script_completed` and `job.completed` to two endpoints each. `dispatcher`'s rows are for these
  {webhooks} webhooks, ${webhook} for one. By default only `job.completed` is sent, to as many endpoints as there are.
- Counted: each attempt of a call, as the functions log it (`aws_calls=debug`), and of several jobs the most in each row,
  since hints and records may come together or alone. Units follow from the sizes of what was sent, with the entries of
  indexes that came, went or moved; all of a transaction counts twice, the indexes too. Runs are those that the emulator
  reports; each one for a queue is a receive and a delete.
- Assumed: 256 MB for 20 ms a run, and for 250 ms where `worker` and `dispatcher` wait for a response; a query
  reads less than 4 KB; 300 bytes of Lambda's own lines a run, and 330 of the API's access log a request; rows are kept
  for 30 days, with point-in-time recovery; each submission leases its call of the caller's limit (a caller that submits
  often leases several at once), and a worker that sends at most ten reports a minute leases none.
- Left out: what goes on anyway (below), starts of functions with the settings that they read, clients that ask how a job
  is (one run, one request of the API, one read unit and at most one write unit each), traffic.

Written by `REELHOOK_UPDATE_DOCS=1 cargo xtask test --only e2e`; tests/it/cost.rs fails where a job calls more often, or
where the sum is off by a fifth.
";

//! The cost of one successful job, whose worker reports at the API or at the Function URL, and of one of its webhooks.

use super::deployed::{CallbacksBy, deployed};
use super::rows::{Purpose, Row, of, share, total};
use super::{Case, compare, log_at_rest, quietly};
use crate::stack::Stack;

/// Slow enough that each version is fanned out alone, as with real workers: the most expensive case.
pub const SCENARIO: &str = "step_ms=300&render_ms=600";
/// Two events of the job that is counted, to two endpoints each.
const WEBHOOKS: f64 = 4.0;
/// A job, and the functions that run for it; `cleanup` is in the cost of an idle month, and `job-status` depends on
/// clients.
pub const JOB: Case = Case {
    section: "cost",
    of: "job",
    functions: &["generate", "step-webhook", "creatomate-webhook", "worker", "fanout", "dispatcher"],
    api: &["generate", "step-webhook", "creatomate-webhook"],
    requests: ("generate", 1.0),
    render_seconds: 0.0,
    exact: true,
    // A cold start or a sweep may disturb one before another matches.
    attempts: 6,
    more: &[webhook],
    notes,
};

/// The same job, whose worker reports at the Function URL.
const BY_URL: Case = Case {
    section: "cost-url",
    functions: &["generate", "callbacks", "worker", "fanout", "dispatcher"],
    api: &["generate"],
    more: &[],
    notes: notes_on_url,
    ..JOB
};

#[tokio::test]
async fn a_job_calls_aws_as_often_as_the_docs_say() {
    let stack = Stack::open().await;
    deployed(&stack, CallbacksBy::Api, count(&stack, &JOB)).await;
}

#[tokio::test]
async fn a_job_that_is_reported_at_the_function_url_calls_aws_as_often_as_the_docs_say() {
    let stack = Stack::open().await;
    deployed(&stack, CallbacksBy::FunctionUrl, count(&stack, &BY_URL)).await;
}

async fn count(stack: &Stack, case: &Case) {
    // Warms up all functions.
    run_job(stack, "step_ms=5").await;
    compare(stack, case, async || run_job(stack, SCENARIO).await).await;
}

/// A job from submit to both webhooks, without a sweep by the test.
async fn run_job(stack: &Stack, scenario: &str) {
    let job = stack.submit(scenario).await;
    ended(stack, &job).await;
}

/// Waits until a job has ended, both of its last webhooks have arrived, and nothing is left to do.
pub async fn ended(stack: &Stack, job: &str) {
    quietly("a job with both webhooks", async || {
        let mut arrived = stack.stored(job).await.status.is_final();
        for hook in ["main", "second"] {
            arrived = arrived && stack.webhooks(hook, job).await.iter().any(|got| got["event"] == "job.completed");
        }
        arrived
    })
    .await;
    log_at_rest(stack).await;
}

/// The section of one webhook, from the rows of a job with several.
fn webhook(rows: &[Row]) -> (&'static str, String) {
    let mut text = String::from("| function | operation | $ per million webhooks |\n|---|---|---:|\n");
    let rows = of(rows, Purpose::Webhooks);
    for row in &rows {
        let function = if row.function == "all" { "all".to_owned() } else { format!("`{}`", row.function) };
        text += &format!("| {function} | {} | {:.2} |\n", row.operation, row.price / WEBHOOKS);
    }
    let sum = total(&rows) / WEBHOOKS;
    ("cost-webhook", text + &format!("| **together** | | **{sum:.2}** |\n\n{}", NOTES_ON_WEBHOOK))
}

fn notes(rows: &[Row], _: &str) -> String {
    let webhooks = total(&of(rows, Purpose::Webhooks));
    let prices = [
        ("{dynamodb}", share(rows, "DynamoDB")),
        ("{lambda}", share(rows, "Lambda")),
        ("{webhook}", webhooks / WEBHOOKS),
        ("{without}", total(rows) - webhooks),
    ];
    let notes = NOTES.replace("{webhooks}", &WEBHOOKS.to_string());
    prices.iter().fold(notes, |notes, (name, price)| notes.replace(name, &format!("{price:.2}")))
}

fn notes_on_url(_: &[Row], _: &str) -> String {
    NOTES_ON_URL.to_owned()
}

/// The explanation below the table.
const NOTES: &str = "\
Of this DynamoDB's calls are ${dynamodb} and Lambda's runs ${lambda}. The job without its webhooks costs ${without}, and
each of its {webhooks} webhooks [${webhook}](#a-webhook).

- The job: a worker that reports the start and the end of each step, slowly enough for each version to be fanned out
  alone; one render; `job.script_completed` and `job.completed` to two endpoints each. By default only `job.completed` is
  sent, to as many endpoints as there are.
- Counted: one job, the one in the middle of several by its sum; each attempt of a call, as the functions log it
  (`aws_calls=debug`), with the timers of a deployment. Units follow from the sizes of what was sent, with the entries of
  indexes that came, went, moved or changed; all of a transaction counts twice, the indexes too. Runs are those that the
  emulator reports; each one for a queue is a receive and a delete. Rows are stored with their entries in indexes, and
  100 bytes for each of both.
- Assumed: 256 MB for 20 ms a run, and for 250 ms where `worker`, `dispatcher` and the callback of the render's end wait
  for a response; a query reads less than 4 KB; 250 bytes of the API's access log a request, and no lines of Lambda's own
  (`PlatformLogLevel=WARN`); rows are kept for 30 days, with point-in-time recovery; each submission leases its call of
  the caller's limit (a caller that submits often leases several at once), and a worker that sends at most ten reports a
  minute leases none.
- Left out: what goes on anyway (below), starts of functions with the settings that they read, clients that ask how a job
  is (one run, one request of the API, one read unit and at most one write unit each), traffic.

Written by `REELHOOK_UPDATE_DOCS=1 cargo xtask test --only e2e`; tests/it/cost/jobs.rs fails where a job calls more often,
or where the sum is off by a twentieth.
";

/// The explanation below the table of a webhook.
const NOTES_ON_WEBHOOK: &str = "\
From the event to the attempt that its receiver accepts: its share of the event's row, its delivery's row, the hint, and
the attempt. Counted, priced and otherwise assumed as for a job, above; a receiver that answers late, and each further
attempt, make it more. Written together with the table of a job.
";

/// The explanation below the table of a job whose worker reports at the Function URL.
const NOTES_ON_URL: &str = "\
The same job with `CallbacksBy=FunctionUrl`. Counted, priced and otherwise assumed as above. Function URLs have no price of
their own, and no access log; they are in the audit log as at the API.

Written by `REELHOOK_UPDATE_DOCS=1 cargo xtask test --only e2e`; tests/it/cost/jobs.rs fails where a job calls more often,
or where the sum is off by a twentieth.
";

//! The cost of a clip job: of five clips at a worker, and of a film of 80 seconds that our own renderers cut.

use serde_json::{Value, json};

use super::deployed::{CallbacksBy, deployed};
use super::rows::{Row, share};
use super::{Case, compare, log_at_rest, quietly};
use crate::clips::backends::Backends;
use crate::clips::film;
use crate::clips::job::{behave, create, fast, of_page, open, page};
use crate::stack::Stack;

/// The clips that the worker cuts.
const CLIPS: usize = 5;
/// How long the worker takes: it reports often enough not to be polled.
const WORK_MS: u32 = 3000;

const FUNCTIONS: &[&str] = &["clips", "clipping-webhook", "worker", "fanout", "render"];
const API: &[&str] = &["clips", "clipping-webhook"];
/// Its creation.
const REQUESTS: (&str, f64) = ("clips", 1.0);

/// A job that a worker cuts, which reports with a token.
const AT_WORKER: Case = Case {
    section: "cost-clips-worker",
    of: "clip job",
    functions: FUNCTIONS,
    api: API,
    requests: REQUESTS,
    // A second for each copy: of each clip, of the transcript and of the plan.
    render_seconds: 7.0,
    exact: false,
    attempts: 3,
    more: &[],
    notes: notes_on_worker,
};

/// A job that our own renderers cut.
const OWN: Case = Case {
    section: "cost-clips-own",
    of: "clip job",
    functions: FUNCTIONS,
    api: API,
    requests: REQUESTS,
    // 3 s for the copy of the source, 10 s for the plan, 6 s for each of four clips.
    render_seconds: 37.0,
    exact: false,
    attempts: 3,
    more: &[],
    notes: notes_on_own,
};

#[tokio::test]
async fn a_clip_job_at_a_worker_calls_aws_as_often_as_the_docs_say() {
    let stack = open(Backends::Worker).await;
    deployed(&stack, CallbacksBy::Api, async {
        run_at_worker(&stack, 0).await;
        compare(&stack, &AT_WORKER, async || run_at_worker(&stack, WORK_MS).await).await;
    })
    .await;
}

#[tokio::test]
async fn a_clip_job_of_our_own_renderers_calls_aws_as_often_as_the_docs_say() {
    let stack = open(Backends::Own).await;
    let source = film::upload(&stack, &film::film()).await;
    deployed(&stack, CallbacksBy::Api, async {
        run_own(&stack, &source).await;
        compare(&stack, &OWN, async || run_own(&stack, &source).await).await;
    })
    .await;
}

/// A job at the worker from its creation to its end, with all copies.
async fn run_at_worker(stack: &Stack, ms: u32) {
    let page = page();
    behave(stack, &page, fast(json!({ "job": { "ms": ms } }))).await;
    let mut body = of_page(&page);
    body["requestedClipCount"] = json!(CLIPS);
    run(stack, &body).await;
}

/// A job of our own renderers from its creation to its end.
async fn run_own(stack: &Stack, source: &str) {
    run(stack, &json!({ "videoUrl": source, "requestedClipCount": 10, "clipDurations": ["15-30"] })).await;
}

/// A job until nothing is left to do, without a request that asks how it is.
async fn run(stack: &Stack, body: &Value) {
    let id = format!("clip_{}", create(stack, body).await);
    quietly("a job with clips and all copies", async || {
        let item = stack.aws.item("ClipsTable", &[("id", &id)]).await.expect("the job");
        let status = item["status"].as_s().expect("text");
        assert_ne!(status, "failed", "{id}");
        status == "succeeded" && !item.contains_key("due_at")
    })
    .await;
    log_at_rest(stack).await;
}

/// The shares of services of AWS, and the table of tables.
fn shares(rows: &[Row], tables: &str) -> String {
    let [dynamodb, lambda, s3] = ["DynamoDB", "Lambda", "S3"].map(|service| share(rows, service));
    format!(
        "Of this DynamoDB's calls are ${dynamodb:.2}, Lambda's runs ${lambda:.2}, and S3's requests ${s3:.2}.\n\n{tables}\n"
    )
}

fn notes_on_worker(rows: &[Row], tables: &str) -> String {
    shares(rows, tables) + NOTES_ON_WORKER + NOTES
}

fn notes_on_own(rows: &[Row], tables: &str) -> String {
    shares(rows, tables) + NOTES_ON_OWN + NOTES
}

const NOTES_ON_WORKER: &str = "\
- The job: one submission, ten reports with a token (the start, three of progress, one for each of five clips, and the
  end), no poll, and copies of the clips, the transcript and the plan. `clips.*` has no subscriber.
- Assumed: a second of `render` for each copy, with 3,008 MB.
";

const NOTES_ON_OWN: &str = "\
- The job: an upload of 80 s in 320x180, a plan, and four clips of 17 to 23 s. `clips.*` has no subscriber.
- Assumed: 3 s of `render` for the copy of the source, 10 s for the plan, and 6 s for each clip, with 3,008 MB. A source
  in 1080p takes several times as long; this is most of what such a job costs.
";

const NOTES: &str = "\
- Counted, priced and otherwise assumed as for a job, above. The table of tables is of the same job, without the
  leases of calls; an item that is in a transaction counts twice in units. Left out: clients and pages that ask how the
  job is, what the worker costs, traffic, and files ($0.023 per GB and month).

Written by `REELHOOK_UPDATE_DOCS=1 cargo xtask test --only e2e`; tests/it/cost/clips.rs fails where a job makes a fifth
more of some calls, or where the sum is off by a fifth.
";

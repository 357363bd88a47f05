//! A table that throttles: six alarms, whose pages have the same command.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{StreamExt as _, iter};
use reqwest::Method;
use serde_json::json;

use super::alarm::{Page, page, pause, waits_for};
use super::drill;
use crate::callbacks::unreported;
use crate::stack::{JsonText as _, Stack};
use crate::videos::{film, order, until};

/// What rings.
const PAGES: [Page; 5] = [
    page("api-errors", "ApiErrorAlarm"),
    page("api-errors", "VideosWaitUrlErrorAlarm"),
    page("api-errors", "CallbacksUrlErrorAlarm"),
    page("table-throttles", "TableThrottleAlarm"),
    page("sweep-failed", "CleanupErrorAlarm"),
];
/// Requests at once.
const REQUESTS: usize = 16;
/// How much later than the first sweep the second one begins.
const LATER: Duration = Duration::from_secs(1);

/// Sets the maximum of read units a second that the table of jobs takes; -1 removes it.
pub async fn limit(stack: &Stack, most: i64) {
    let body = json!({
        "TableName": stack.aws.output("JobsTable"), "OnDemandThroughput": { "MaxReadRequestUnits": most },
    });
    let target = "DynamoDB_20120810.UpdateTable";
    let (status, answer, _) = stack.aws.call("dynamodb", "POST", "/", Some(target), &body).await;
    assert_eq!(status, 200, "{answer}");
}

/// Callers read a job, of which the table throttles some, until the API has answered one of them with 5xx.
pub async fn refuse_some(stack: &Stack, job: &str) {
    let path = format!("/api/job/{job}");
    limit(stack, 1).await;
    waits_for("an answer with 5xx", || async {
        let answers = join_all((0..REQUESTS).map(|_| stack.request(Method::GET, &path).send())).await;
        answers.into_iter().any(|answer| answer.expect("an answer").status().is_server_error()).then_some(())
    })
    .await;
    limit(stack, -1).await;
}

/// A job that callers read, a video that they read at the Function URL, and a run whose worker reports at the other one.
struct Given {
    job: String,
    video: String,
    run: String,
    token: String,
}

impl Given {
    async fn of(stack: &Stack) -> Self {
        let job = stack.submit("step_ms=5").await;
        let video = order(stack, film(1, 1.0)).await;
        stack.until_status(&job, "completed").await;
        until(stack, &video, "completed").await;
        let (run, base) = unreported(stack).await;
        let token = base.rsplit('/').next().expect("a token").to_owned();
        Self { job, video, run, token }
    }

    /// Makes all these calls, while sweeps read what is due.
    async fn load(&self, stack: &Stack) {
        let path = format!("/api/job/{}", self.job);
        let requests = (0..REQUESTS).map(|_| stack.request(Method::GET, &path).send());
        let url = format!("{}/api/job-status/{}", stack.aws.function_url("VideosWaitUrl"), self.video);
        let at_url = (0..REQUESTS).map(|_| stack.http.get(url.as_str()).header("x-api-key", &stack.key).send());
        let url = format!("{}/w/{}/api/webhooks/step-update", stack.aws.function_url("CallbacksUrl"), self.token);
        let report = json!({ "job_id": self.run, "step_number": 1, "status": "started" });
        let reports = (0..REQUESTS).map(|_| stack.http.post(url.as_str()).json_text(&report).send());
        let calls = iter(requests.chain(at_url).chain(reports));
        let calls = calls.buffer_unordered(REQUESTS).for_each(|_| async {});
        let event = json!({});
        let sweep = || stack.aws.invoke("cleanup", &event);
        let later = async {
            pause(LATER).await;
            sweep().await
        };
        // The answers do not matter here: many are 503, and most sweeps fail.
        tokio::join!(calls, sweep(), later);
    }
}

#[tokio::test]
async fn a_table_that_throttles_is_found_at_the_api_at_urls_in_the_sweep_and_by_the_sdk() {
    let stack = Stack::open().await;
    let given = Given::of(&stack).await;
    drill(&stack, async {
        for page in &PAGES {
            page.is_quiet(&stack).await;
            limit(&stack, 1).await;
            page.rings_while(&stack, || given.load(&stack)).await;
            page.heals(&stack, &[("TABLE", "JobsTable")]).await;
        }
    })
    .await;
    assert_eq!(stack.job(&given.job).await["status"], "completed");
    stack.sweep().await;
}

#[tokio::test]
async fn a_stream_that_is_refused_with_5xx_rings() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    let url = format!("{}/api/job/{job}/stream", stack.aws.stream_url());
    let page = page("api-errors", "JobStreamUrlErrorAlarm");
    drill(&stack, async {
        page.is_quiet(&stack).await;
        limit(&stack, 1).await;
        page.rings_while(&stack, || async {
            let requests =
                (0..REQUESTS).map(|_| stack.http.get(url.as_str()).header("x-api-key", stack.key.as_str()).send());
            // The answers do not matter here: those that are not 503 end with their job.
            iter(requests).buffer_unordered(REQUESTS).for_each(|_| async {}).await;
        })
        .await;
        page.heals(&stack, &[("TABLE", "JobsTable")]).await;
    })
    .await;
    stack.sweep().await;
}

//! A worker that stops reporting, forgets, refuses, loses answers and goes on too long: each job ends as it should, and
//! no source is cut twice.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::backends::Backends;
use super::job::{
    JOBS, PRICE, assert_charged_once, assert_cut_once, at_worker, begin, behave, clips, command, counts, delete,
    entries, fast, job, of_page, open, page, succeeded, until, until_at_worker, until_status,
};
use super::seed::payload;
use super::submission::Submission;
use crate::scenes::inbox::{error, error_about};
use crate::scenes::project::{call, text};
use crate::stack::Stack;

/// Lets the mock worker send the report of a job again, after it has completed it.
async fn report_late(stack: &Stack, worker_id: &Value) {
    let id = worker_id.as_str().expect("an id");
    let url = format!("{}/control/genesis/jobs/{id}/report?finish=true", stack.studio);
    let answer = stack.http.post(url).body("{}").send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap_or_default());
}

#[tokio::test]
async fn a_worker_that_reports_no_more_is_polled_until_the_end() {
    let stack = open(Backends::Worker).await;
    let (id, page) = begin(&stack, fast(json!({ "report": { "silent": true }, "job": { "ms": 3000 } }))).await;
    let job = succeeded(&stack, &id).await;
    assert_eq!((clips(&job).len(), &job["progressPercent"]), (2, &json!(100)), "{job:#}");
    assert_eq!(at_worker(&stack, &page).await[0]["reports"], json!([]), "no report was sent");
    assert_cut_once(&stack, &page).await;
    assert_charged_once(&stack, &id, PRICE).await;
}

#[tokio::test]
async fn a_job_that_the_worker_lost_is_submitted_once_more_under_a_new_id() {
    let stack = open(Backends::Worker).await;
    let settings = fast(json!({ "job": { "forget_first": 1, "ms": 6000 }, "report": { "no_progress": true } }));
    let (id, page) = begin(&stack, settings).await;
    let jobs = until_at_worker(&stack, &page, 2).await;
    let names: BTreeSet<String> = jobs.iter().map(|job| text(&job["external_job_id"])).collect();
    assert!(names.len() == 2 && names.contains(&id), "{names:?}");
    // The old one comes back: its completion is about a submission that is lost.
    report_late(&stack, &jobs[0]["job_id"]).await;
    let now = job(&stack, &id).await;
    assert!(now["status"] != "succeeded" && clips(&now).is_empty(), "{now:#}");
    let done = succeeded(&stack, &id).await;
    assert_eq!(clips(&done).len(), 2, "{done:#}");
    report_late(&stack, &jobs[0]["job_id"]).await;
    assert_eq!(job(&stack, &id).await["completedAt"], done["completedAt"]);
    assert_eq!(at_worker(&stack, &page).await.len(), 2, "it was submitted again");
    assert_charged_once(&stack, &id, PRICE).await;
}

#[tokio::test]
async fn a_job_that_the_worker_forgets_twice_fails_and_a_retry_is_a_new_attempt() {
    let stack = open(Backends::Worker).await;
    let (id, page) = begin(&stack, fast(json!({ "job": { "forget_first": 2 } }))).await;
    let failed = until_status(&stack, &id, "failed").await;
    assert_eq!(failed["errorMessage"], "The worker has lost the job, which was submitted 2 times");
    assert_eq!(entries(&stack, &id).await, Vec::<Value>::new());
    let raised = error_about(&stack, &id, "clips_failed").await;
    let action = json!({ "method": "POST", "path": format!("/api{JOBS}/{id}/retry"), "label": "Retry" });
    assert_eq!(raised["action"], action, "{raised:#}");

    let retried = command(&stack, &id, "retry").await;
    assert_eq!((&retried["status"], &retried["progressPercent"]), (&json!("queued"), &json!(0)), "{retried:#}");
    assert_eq!((&retried["errorMessage"], &retried["creditsReserved"]), (&Value::Null, &json!(10)), "{retried:#}");
    succeeded(&stack, &id).await;
    assert_eq!(counts(&stack, &page).await["by_external_id"].as_object().map(|ids| ids.len()), Some(3));
    assert_charged_once(&stack, &id, PRICE).await;
    stack
        .eventually("the error is resolved", || async {
            error(&stack, &text(&raised["id"])).await["resolvedAt"].is_string().then_some(())
        })
        .await;
    let (status, answer) = stack.post(&format!("{JOBS}/{id}/retry"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("clip_job_succeeded")), "{answer}");
}

#[tokio::test]
async fn a_submission_whose_answer_times_out_makes_one_job() {
    let stack = open(Backends::Worker).await;
    let mut begun = Vec::new();
    for with in ["hang", "close", "error", "gateway", "no_id", "garbage"] {
        let losing = json!({
            "submit": { "lose_percent": 100, "lose_with": with, "times": 1 }, "report": { "silent": true },
        });
        begun.push((with, begin(&stack, fast(losing)).await));
    }
    for (with, (id, page)) in &begun {
        println!("lost with {with}: {id}");
        succeeded(&stack, id).await;
        assert_cut_once(&stack, page).await;
        let counts = counts(&stack, page).await;
        assert_eq!((&counts["submissions"], &counts["lost"]), (&json!(1), &json!(1)), "{with}: {counts:#}");
        assert_charged_once(&stack, id, PRICE).await;
    }
}

#[tokio::test]
async fn a_submission_that_never_arrived_is_sent_again_under_the_same_id() {
    let stack = open(Backends::Worker).await;
    let (id, page) = begin(&stack, fast(json!({ "submit": { "drop_percent": 100, "times": 2 } }))).await;
    succeeded(&stack, &id).await;
    let counts = counts(&stack, &page).await;
    assert_eq!((&counts["dropped"], &counts["submissions"]), (&json!(2), &json!(3)), "{counts:#}");
    assert_eq!(counts["by_external_id"], json!({ id.as_str(): 1 }), "{counts:#}");
    assert_charged_once(&stack, &id, PRICE).await;
}

#[tokio::test]
async fn a_busy_worker_is_asked_again_and_an_invalid_job_is_not() {
    let stack = open(Backends::Worker).await;
    let (busy, of_busy) =
        begin(&stack, fast(json!({ "submit": { "status": 503, "retry_after": 1, "times": 2 } }))).await;
    let invalid = json!({ "submit": { "status": 422, "detail": "the page is private" } });
    let (refused, of_refused) = begin(&stack, fast(invalid)).await;
    let failed = until_status(&stack, &refused, "failed").await;
    assert_eq!(failed["errorMessage"], "The worker refused the job: the page is private");
    assert_eq!((&failed["creditsReserved"], &failed["creditsCharged"]), (&json!(0), &json!(0)));
    succeeded(&stack, &busy).await;
    let counts_of_busy = counts(&stack, &of_busy).await;
    assert_eq!((&counts_of_busy["refused"], &counts_of_busy["cut"]), (&json!(2), &json!(1)), "{counts_of_busy:#}");
    assert_charged_once(&stack, &busy, PRICE).await;
    assert_eq!(counts(&stack, &of_refused).await["submissions"], 1);
    assert_eq!(entries(&stack, &refused).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_canceled_job_is_canceled_at_the_worker_and_absorbs_what_comes_later() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    let canceled = command(&stack, &submission.job, "cancel").await;
    assert_eq!((&canceled["status"], &canceled["creditsReserved"]), (&json!("canceled"), &json!(0)), "{canceled:#}");
    stack
        .eventually("it is canceled at the worker", || async {
            let all = at_worker(&stack, &submission.page).await;
            (all[0]["shown"]["status"] == "cancelled").then_some(())
        })
        .await;
    for late in ["progress", "completed", "failed"] {
        submission.takes(&submission.report(payload(late))).await;
    }
    let now = job(&stack, &submission.job).await;
    assert_eq!((&now["status"], &now["creditsCharged"]), (&json!("canceled"), &json!(0)), "{now:#}");
    assert_eq!(entries(&stack, &submission.job).await, Vec::<Value>::new());
    // Another cancellation changes nothing, and a deleted job is gone.
    command(&stack, &submission.job, "cancel").await;
    delete(&stack, &submission.job).await;
    assert_eq!(stack.get(&format!("{JOBS}/{}", submission.job)).await.0, 404);
    let (status, _) = call(&stack, Method::DELETE, &format!("{JOBS}/{}", submission.job), &json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_job_that_is_deleted_while_it_is_under_way_is_canceled_and_stays() {
    let stack = open(Backends::Worker).await;
    let submission = Submission::of(&stack).await;
    delete(&stack, &submission.job).await;
    let canceled = job(&stack, &submission.job).await;
    assert_eq!((&canceled["status"], &canceled["creditsReserved"]), (&json!("canceled"), &json!(0)), "{canceled:#}");
    delete(&stack, &submission.job).await;
    assert_eq!(stack.get(&format!("{JOBS}/{}", submission.job)).await.0, 404);
}

#[tokio::test]
async fn clips_appear_as_the_worker_reports_them() {
    let stack = open(Backends::Worker).await;
    let (id, _) = begin(&stack, fast(json!({ "job": { "ms": 9000 }, "report": { "clips": true } }))).await;
    let early = until(&stack, &id, "shown with its first clip", |job| !clips(job).is_empty()).await;
    assert_eq!((&early["status"], &early["creditsCharged"]), (&json!("running"), &json!(0)), "{early:#}");
    let done = succeeded(&stack, &id).await;
    let scores: Vec<f64> = clips(&done).iter().filter_map(|clip| clip["score"].as_f64()).collect();
    assert_eq!(scores, [1.0, 0.93]);
    let (status, ordered) = stack.get(&format!("{JOBS}/{id}?order=timeline")).await;
    let starts: Vec<u64> = clips(&ordered).iter().filter_map(|clip| clip["startMs"].as_u64()).collect();
    assert_eq!((status, starts), (200, vec![0, 10_000]));
    assert_charged_once(&stack, &id, PRICE).await;
}

#[tokio::test]
async fn the_same_source_again_is_the_same_job_where_that_is_allowed() {
    let stack = open(Backends::Worker).await;
    let page = page();
    behave(&stack, &page, fast(json!({}))).await;
    let mut body = of_page(&page);
    body["reuse"] = json!(true);
    let (status, first) = stack.post(JOBS, &body).await;
    assert_eq!(status, 201, "{first}");
    let (status, again) = stack.post(JOBS, &body).await;
    assert_eq!((status, &again["id"]), (200, &first["id"]), "{again}");
    let id = text(&first["id"]);
    succeeded(&stack, &id).await;
    let (status, again) = stack.post(JOBS, &body).await;
    assert_eq!((status, &again["id"]), (200, &first["id"]), "{again}");
    assert_cut_once(&stack, &page).await;
    let (status, other) = stack.post(JOBS, &of_page(&page)).await;
    assert_eq!(status, 201, "{other}");
    assert_ne!(other["id"], first["id"]);
    succeeded(&stack, &text(&other["id"])).await;
    assert_charged_once(&stack, &id, PRICE).await;
}

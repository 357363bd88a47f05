//! Credits: reserved when a job is created or probed, charged once when it has clips, and released when it has none.
//! The sum of the entries is the balance at any time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::backends::Backends;
use super::film::{film, upload};
use super::job::{CREDITS, JOBS, behave, command, fast, of_page, open, page, succeeded, until_status};
use super::tokens::Owner;
use crate::scenes::project::text;
use crate::stack::{JsonText, Stack, read};

/// What a job with a range of a minute costs.
const PRICE: i64 = 10;
/// What a job of the film costs: 80 seconds.
const FILM_PRICE: i64 = 13;
/// How long a caller repeats a request that the API is too busy for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// An account as an operator sees it. Its entries add up to its balance.
async fn account(stack: &Stack, user: &str) -> Value {
    let (status, account) = stack.get(&format!("{CREDITS}?userId={user}&limit=200")).await;
    assert_eq!((status, &account["userId"]), (200, &json!(user)), "{account}");
    let number = |of: &Value| of.as_i64().expect("a whole number");
    let entries = account["transactions"].as_array().expect("a list");
    assert_eq!(account.get("nextCursor"), None, "all entries are on one page");
    let mut sum = 0;
    for entry in entries.iter().rev() {
        sum += number(&entry["amount"]);
        assert_eq!(number(&entry["balanceAfter"]), sum, "{account:#}");
    }
    assert_eq!(number(&account["balance"]), sum, "{account:#}");
    let flow = number(&account["totalEarned"]) - number(&account["totalSpent"]);
    assert_eq!(flow, sum, "{account:#}");
    account
}

/// Waits until an account has this balance and these reserved credits.
async fn settled(stack: &Stack, user: &str, (balance, reserved): (i64, i64)) -> Value {
    stack
        .eventually(&format!("{balance} credits of {user}, {reserved} of them reserved"), || async {
            let now = account(stack, user).await;
            (now["balance"] == balance && now["reserved"] == reserved).then_some(now)
        })
        .await
}

/// Adds credits as an operator.
async fn add(stack: &Stack, user: &str, amount: i64) {
    let (status, answer) = stack.post(CREDITS, &json!({ "userId": user, "amount": amount })).await;
    assert_eq!((status, &answer["userId"]), (201, &json!(user)), "{answer}");
}

/// A job with a range of a minute.
fn of_a_minute(page: &str) -> Value {
    let mut body = of_page(page);
    body["ranges"] = json!([{ "start": 30, "end": 90 }]);
    body
}

/// Sends a request until the API is not too busy for it; its key makes one job of all attempts.
async fn submit(stack: &Stack, owner: &Owner, page: &str) -> (u16, Value) {
    let (deadline, mut ticks) = (Instant::now() + BUSY_TIMEOUT, tokio::time::interval(Duration::from_millis(200)));
    loop {
        ticks.tick().await;
        let request = owner.request(stack, Method::POST, JOBS).header("idempotency-key", page);
        let (status, answer) = read(request.json_text(&of_a_minute(page)).send().await.expect("an answer")).await;
        if status != 503 {
            return (status, answer);
        }
        assert!(Instant::now() < deadline, "{answer}");
    }
}

#[tokio::test]
async fn of_50_jobs_at_once_a_balance_for_10_admits_10() {
    let stack = open(Backends::Limited).await;
    let (owner, page) = (Owner::of(&stack, "limited").await, page());
    add(&stack, &owner.id, 10 * PRICE).await;
    let pages: Vec<String> = (0..50).map(|number| format!("{page}-{number}")).collect();
    let answers = join_all(pages.iter().map(|page| submit(&stack, &owner, page))).await;
    let admitted: Vec<&Value> = answers.iter().filter(|(status, _)| *status == 201).map(|(_, job)| job).collect();
    assert_eq!(admitted.len(), 10, "{answers:#?}");
    for (status, answer) in answers.iter().filter(|(status, _)| *status != 201) {
        let expected = (402, &json!("insufficient_credits"), &json!("Insufficient credits"), &json!(PRICE));
        assert_eq!((*status, &answer["code"], &answer["error"], &answer["needed"]), expected, "{answer}");
    }
    for job in &admitted {
        assert_eq!((&job["creditsReserved"], &job["owner"]), (&json!(PRICE), &json!(owner.id)), "{job:#}");
    }
    let done = settled(&stack, &owner.id, (0, 0)).await;
    let entries = done["transactions"].as_array().expect("a list");
    for job in &admitted {
        let about: Vec<&Value> = entries.iter().filter(|entry| entry["relatedJobId"] == job["id"]).collect();
        let [entry] = about.as_slice() else { panic!("one charge: {about:#?}") };
        assert_eq!((&entry["type"], &entry["amount"]), (&json!("usage"), &json!(-PRICE)), "{entry:#}");
        assert_eq!(entry["basis"], "ranges", "{entry:#}");
    }
    assert_eq!(entries.len(), 11, "{entries:#?}");
    // The owner sees the same account, and no other one.
    assert_eq!(owner.get(&stack, &format!("{CREDITS}?limit=200")).await, (200, done));
    assert_eq!(submit(&stack, &owner, &format!("{page}-more")).await.0, 402);
}

#[tokio::test]
async fn a_canceled_job_releases_its_credits_and_a_retry_reserves_them_anew() {
    let stack = open(Backends::Limited).await;
    let (owner, page) = (Owner::of(&stack, "retries").await, page());
    add(&stack, &owner.id, PRICE).await;
    behave(&stack, &page, fast(json!({ "job": { "endless": true } }))).await;
    let (status, job) = submit(&stack, &owner, &page).await;
    assert_eq!(status, 201, "{job}");
    let one = format!("{JOBS}/{}", text(&job["id"]));
    settled(&stack, &owner.id, (PRICE, PRICE)).await;
    let (status, canceled) = owner.post(&stack, &format!("{one}/cancel"), &json!({})).await;
    assert_eq!((status, &canceled["status"]), (200, &json!("canceled")), "{canceled}");
    settled(&stack, &owner.id, (PRICE, 0)).await;

    behave(&stack, &page, fast(json!({}))).await;
    let (status, retried) = owner.post(&stack, &format!("{one}/retry"), &json!({})).await;
    assert_eq!((status, &retried["creditsReserved"]), (200, &json!(PRICE)), "{retried}");
    settled(&stack, &owner.id, (0, 0)).await;
    let (_, done) = owner.get(&stack, &one).await;
    assert_eq!((&done["status"], &done["creditsCharged"]), (&json!("succeeded"), &json!(PRICE)), "{done:#}");

    // Nothing is left for another attempt at another job.
    let other = format!("{page}-fails");
    add(&stack, &owner.id, PRICE).await;
    behave(&stack, &other, fast(json!({ "job": { "fail_first": 9 } }))).await;
    let (status, job) = submit(&stack, &owner, &other).await;
    assert_eq!(status, 201, "{job}");
    settled(&stack, &owner.id, (PRICE, 0)).await;
    let third = format!("{page}-third");
    behave(&stack, &third, fast(json!({ "job": { "endless": true } }))).await;
    let (status, endless) = submit(&stack, &owner, &third).await;
    assert_eq!(status, 201, "{endless}");
    let retry = format!("{JOBS}/{}/retry", text(&job["id"]));
    let (status, refused) = owner.post(&stack, &retry, &json!({})).await;
    let facts = (&refused["code"], &refused["balance"], &refused["needed"]);
    assert_eq!((status, facts), (402, (&json!("insufficient_credits"), &json!(0), &json!(PRICE))), "{refused}");
    command(&stack, &text(&endless["id"]), "cancel").await;
    settled(&stack, &owner.id, (PRICE, 0)).await;
}

#[tokio::test]
async fn a_film_is_cut_only_if_the_account_has_what_it_costs() {
    let stack = open(Backends::OwnLimited).await;
    let (owner, key) = (Owner::of(&stack, "film").await, upload(&stack, &film()).await);
    add(&stack, &owner.id, FILM_PRICE - 1).await;
    // Its length is not known yet.
    let body = json!({ "videoUrl": key, "requestedClipCount": 1, "clipDurations": ["15-30"] });
    let (status, made) = owner.post(&stack, JOBS, &body).await;
    assert_eq!((status, &made["creditsReserved"]), (201, &json!(PRICE)), "{made}");
    let id = text(&made["id"]);
    let failed = until_status(&stack, &id, "failed").await;
    let reason = "Insufficient credits: the clips of this source cost 13, and the account has 12";
    assert_eq!((&failed["errorMessage"], &failed["creditsCharged"]), (&json!(reason), &json!(0)), "{failed:#}");
    settled(&stack, &owner.id, (FILM_PRICE - 1, 0)).await;
    // Now it is known.
    let retry = format!("{JOBS}/{id}/retry");
    let (status, refused) = owner.post(&stack, &retry, &json!({})).await;
    assert_eq!((status, &refused["needed"]), (402, &json!(FILM_PRICE)), "{refused}");
    let mut declared = body.clone();
    declared["durationSeconds"] = json!(80);
    let (status, refused) = owner.post(&stack, JOBS, &declared).await;
    assert_eq!((status, &refused["needed"]), (402, &json!(FILM_PRICE)), "{refused}");
    add(&stack, &owner.id, 1).await;
    let (status, retried) = owner.post(&stack, &retry, &json!({})).await;
    assert_eq!((status, &retried["creditsReserved"]), (200, &json!(FILM_PRICE)), "{retried}");
    let done = succeeded(&stack, &id).await;
    assert_eq!(done["creditsCharged"], json!(FILM_PRICE), "{done:#}");
    settled(&stack, &owner.id, (0, 0)).await;
}

#[tokio::test]
async fn credits_are_added_by_operators_once_for_each_key() {
    let stack = open(Backends::Worker).await;
    let owner = Owner::of(&stack, "bonus").await;
    let body = json!({ "userId": owner.id, "amount": 7, "type": "bonus", "description": "Thank you" });
    let send = async || {
        let request = stack.request(Method::POST, CREDITS).header("idempotency-key", &owner.id).json_text(&body);
        read(request.send().await.expect("an answer")).await
    };
    let answers = [send().await, send().await, send().await];
    for (status, answer) in &answers {
        let entry = &answer["transactions"][0];
        assert_eq!((*status, &answer["balance"], &entry["type"]), (201, &json!(7), &json!("bonus")), "{answer}");
        assert_eq!(entry["id"], answers[0].1["transactions"][0]["id"], "{answer}");
    }
    assert_eq!(account(&stack, &owner.id).await["transactions"].as_array().map(Vec::len), Some(1));
    let (status, answer) = owner.post(&stack, CREDITS, &json!({ "amount": 7 })).await;
    assert_eq!((status, &answer["code"]), (403, &json!("operator_only")), "{answer}");
    let (status, answer) = owner.get(&stack, &format!("{CREDITS}?userId=another")).await;
    assert_eq!((status, &answer["code"]), (403, &json!("operator_only")), "{answer}");
}

#[tokio::test]
async fn an_estimate_is_that_of_the_ranges_or_the_minimum() {
    let stack = open(Backends::Worker).await;
    for (body, expected) in [
        (json!({}), json!({ "credits": 10, "basis": "minimum" })),
        (of_a_minute(&page()), json!({ "credits": 10, "basis": "ranges" })),
        (json!({ "ranges": [{ "start": 0, "end": 150 }] }), json!({ "credits": 25, "basis": "ranges" })),
        (json!({ "durationSeconds": 7200 }), json!({ "credits": 1200, "basis": "declared" })),
    ] {
        let (status, answer) = stack.post(&format!("{JOBS}/estimate"), &body).await;
        assert_eq!((status, answer), (200, expected), "{body}");
    }
    let overlapping = json!({ "ranges": [{ "start": 0, "end": 20.5 }, { "start": 20, "end": 40 }] });
    let (status, answer) = stack.post(&format!("{JOBS}/estimate"), &overlapping).await;
    assert_eq!((status, &answer["field"]), (400, &json!("ranges[1].start")), "{answer}");
}

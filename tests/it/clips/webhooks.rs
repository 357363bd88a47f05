//! Webhooks about clip jobs: each event arrives signed, under one id, with what is there of the job.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::backends::Backends;
use super::film;
use super::job::{begin, behave, clips, create, fast, of_page, open, page, succeeded, until_status};
use crate::scenes::listener::Listener;
use crate::scenes::project::{text, unique};
use crate::stack::Stack;

/// The verified webhooks about a job with these events, each of which arrives this often.
async fn verified(stack: &Stack, listener: &Listener, job: &str, expected: &[(&str, usize)]) -> Vec<Value> {
    let all = stack
        .eventually(&format!("{expected:?} about {job}"), || async {
            let all = listener.about(stack, job).await;
            let ids = |event: &str| {
                let of_event = all.iter().filter(|one| one["body"]["type"] == event && !one["verification"].is_null());
                of_event.map(|one| text(&one["webhook_id"])).collect::<BTreeSet<String>>()
            };
            expected.iter().all(|(event, count)| ids(event).len() == *count).then_some(all)
        })
        .await;
    for one in all.iter().filter(|one| !one["verification"].is_null()) {
        for who in ["standard_webhooks", "node", "python"] {
            assert_eq!(one["verification"][who]["ok"], true, "{who}: {one:#}");
        }
    }
    all
}

/// The data of the first webhook of an event.
fn data<'a>(all: &'a [Value], event: &str) -> &'a Value {
    &all.iter().find(|one| one["body"]["type"] == event).unwrap_or_else(|| panic!("no {event}"))["body"]["data"]
}

#[tokio::test]
async fn each_event_of_a_job_at_the_worker_arrives_signed_under_one_id() {
    let stack = open(Backends::Worker).await;
    let listener = Listener::register(&stack, &["clips.*"]).await;
    listener.hold_secrets(&stack).await;
    let slowly = json!({ "job": { "ms": 6000 }, "report": { "clips": true, "copies": 3 } });
    let (id, _) = begin(&stack, fast(slowly)).await;
    let done = succeeded(&stack, &id).await;
    let expected = [("clips.started", 1), ("clips.completed", 1), ("clips.failed", 0)];
    let all = verified(&stack, &listener, &id, &expected).await;
    let completed = data(&all, "clips.completed");
    assert_eq!(
        (&completed["status"], &completed["progressPercent"]),
        (&json!("succeeded"), &json!(100)),
        "{completed:#}"
    );
    assert_eq!(completed["output"]["clips"].as_array().map(Vec::len), Some(clips(&done).len()));
    // Clips that the worker reports before its end.
    let mut ready: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for one in all.iter().filter(|one| one["body"]["type"] == "clips.clip_ready") {
        let index = one["body"]["data"]["clip"]["index"].as_u64().expect("a place");
        ready.entry(index).or_default().insert(text(&one["webhook_id"]));
    }
    assert!(ready.contains_key(&0) && ready.values().all(|ids| ids.len() == 1), "{ready:?}");

    let page = page();
    behave(&stack, &page, fast(json!({ "job": { "fail_first": 1, "error": "no audio" } }))).await;
    let failing = create(&stack, &of_page(&page)).await;
    until_status(&stack, &failing, "failed").await;
    let all = verified(&stack, &listener, &failing, &[("clips.failed", 1), ("clips.completed", 0)]).await;
    assert_eq!(data(&all, "clips.failed")["errorMessage"], "no audio");
    listener.remove(&stack).await;
}

#[tokio::test]
async fn clips_of_our_own_renderers_have_an_event_each() {
    let stack = open(Backends::Own).await;
    let listener = Listener::register(&stack, &["clips.*"]).await;
    listener.hold_secrets(&stack).await;
    let id = film::begin(&stack, json!({ "requestedClipCount": 10, "clipDurations": ["15-30"] })).await;
    succeeded(&stack, &id).await;
    let all = verified(&stack, &listener, &id, &[("clips.clip_ready", 4), ("clips.completed", 1)]).await;
    let ready = data(&all, "clips.clip_ready");
    let link = ready["clip"]["url"].as_str().expect("a link");
    let file = stack.http.get(link).send().await.expect("an answer");
    assert_eq!((file.status().as_u16(), &ready["totalClips"]), (200, &json!(4)));
    listener.remove(&stack).await;
}

#[tokio::test]
async fn a_job_has_a_receiver_of_its_own_where_it_names_one() {
    let stack = open(Backends::Worker).await;
    let hook = format!("clips-{}", unique());
    let mut body = of_page(&page());
    body["callbackUrl"] = json!(format!("{}/hooks/{hook}", stack.studio));
    body["metadata"] = json!({ "order": "7" });
    let id = create(&stack, &body).await;
    succeeded(&stack, &id).await;
    let found = stack
        .eventually("its receiver gets its end", || async {
            let all = stack.studio(&format!("/hooks/{hook}/received?limit=1000")).await;
            let all = all["received"].as_array().expect("a list").iter();
            all.filter(|one| one["body"].to_string().contains("clips.completed"))
                .find(|one| !one["verification"].is_null())
                .cloned()
        })
        .await;
    assert_eq!(found["verification"]["standard_webhooks"]["ok"], true, "{found:#}");
    let body = found["body"].to_string();
    assert!(body.contains(&id) && body.contains(r#""order":"7""#), "{body}");
}

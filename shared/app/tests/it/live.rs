//! Live updates over WebSocket connections: in order, once, at most once a second, and to those who may see them.

mod leases;
mod limits;
mod pauses;

use async_trait::async_trait;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::live::connections::connect;
use reelhook_app::live::follow::answer;
use reelhook_app::live::ports::{Connection, Connections, LivePorts};
use reelhook_app::live::push::process;
use reelhook_app::outbox::fanout::Viewers;
use reelhook_app::outbox::messages::{LiveMessage, Push};
use reelhook_app::outbox::rows::StoredLive;
use reelhook_app::store::StoreError;
use reelhook_app::watch::LiveStore;
use reelhook_domain::{Event, OwnerId, Subject};
use reelhook_testkit::{MemoryLive, NOON, Stack, lived, make_job, started};
use serde_json::{Value, json};

/// Opens a connection of an owner, or of an operator.
async fn open(live: &MemoryLive, id: &str, owner: Option<&str>) {
    let owner = owner.map(|owner| OwnerId::parse(owner).unwrap());
    let connection = Connection { id: id.to_owned(), owner, only: None, connected_at: live.world.now() };
    connect(&live.ports(), &connection).await.unwrap();
}

async fn send(live: &MemoryLive, id: &str, message: &Value) {
    answer(&live.ports(), id, &message.to_string()).await.unwrap();
}

async fn subscribe(live: &MemoryLive, id: &str, job: &str, cursor: Option<&str>) {
    send(live, id, &json!({ "action": "subscribe", "jobId": job, "cursor": cursor })).await;
}

/// Works on these messages as one batch.
async fn work(live: &MemoryLive, messages: &[LiveMessage]) {
    for result in process(&live.ports(), messages).await {
        result.unwrap();
    }
}

/// Works on the visible messages of the queue.
async fn work_on_queue(live: &MemoryLive) {
    work(live, &live.hints.receive()).await;
}

/// The positions of the events that a connection got.
fn cursors(live: &MemoryLive, id: &str) -> Vec<String> {
    let sent = live.sockets.sent_to(id);
    let events = sent.iter().filter(|message| message["type"] == "job_update");
    events.map(|message| message["cursor"].as_str().unwrap().to_owned()).collect()
}

/// The types of all messages that a connection got.
fn types(live: &MemoryLive, id: &str) -> Vec<String> {
    live.sockets.sent_to(id).iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect()
}

/// A connection `a` of an operator that follows job_1, which has one event.
async fn following() -> MemoryLive {
    let live = MemoryLive::default();
    live.happens("job_1", None, false);
    open(&live, "a", None).await;
    subscribe(&live, "a", "job_1", None).await;
    live
}

#[tokio::test]
async fn fanout_sends_one_push_for_a_batch_and_only_if_there_are_viewers() {
    let stack = Stack::default();
    let job = lived(make_job(1, NOON, &stack.policy), &[Event::Claim, started(1)], NOON, &stack.policy);
    assert_eq!(job.ledger.live_version, job.version);
    stack.fan_out(std::slice::from_ref(&job)).await.unwrap();
    assert!(stack.fanout.pushes().is_empty());
    stack.fanout.note(NOON).await.unwrap();
    stack.fan_out(&[job.clone(), job.clone()]).await.unwrap();
    let push = Push { subject: Subject::Job(job.id), owner: None, terminal: false };
    assert_eq!(stack.fanout.pushes(), [LiveMessage::Push(push)]);
}

#[tokio::test]
async fn opening_a_connection_sends_nothing_and_plans_its_heartbeat() {
    let live = MemoryLive::default();
    open(&live, "a", None).await;
    assert!(live.sockets.sent_to("a").is_empty());
    let beat = LiveMessage::Beat { connection: "a".to_owned() };
    let planned = live.hints.sent();
    assert_eq!((planned.len(), &planned[0].message, planned[0].delay_s), (1, &beat, 480));
}

#[tokio::test]
async fn events_come_in_order_and_once_however_often_they_are_pushed() {
    let live = following().await;
    for _ in 0..3 {
        live.world.advance_s(2);
        let push = live.happens("job_1", None, false);
        work(&live, &[push.clone(), push.clone()]).await;
        work(&live, &[push]).await;
    }
    work_on_queue(&live).await;
    assert_eq!(cursors(&live, "a"), ["2.0", "3.0", "4.0"]);
    let event = &live.sockets.sent_to("a")[1];
    assert_eq!((&event["jobId"], &event["status"]), (&json!("job_1"), &json!("processing")));
    assert_eq!((&event["progressPercent"], &event["progressStage"]), (&json!(1), &json!("Rendering")));
    assert_eq!(event["data"]["job_id"], "job_1");
}

#[tokio::test]
async fn the_end_is_sent_at_once_with_what_was_before_it() {
    let live = following().await;
    work(&live, &[live.happens("job_1", None, false)]).await;
    live.happens("job_1", None, false);
    work(&live, &[live.happens("job_1", None, true)]).await;
    assert!(live.world.waits().is_empty());
    assert_eq!(cursors(&live, "a"), ["2.0", "3.0", "4.0"]);
    assert_eq!(live.sockets.sent_to("a")[3]["status"], "completed");
}

#[tokio::test]
async fn what_happens_while_another_sends_is_sent_by_that_one() {
    let live = following().await;
    let first = live.happens("job_1", None, false);
    live.sockets.stick("a");
    let second = async {
        // The first one has the lease and waits for its viewer.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let end = live.happens("job_1", None, true);
        work(&live, &[end]).await;
        assert!(cursors(&live, "a").is_empty());
        live.sockets.go_on("a");
    };
    tokio::join!(work(&live, std::slice::from_ref(&first)), second);
    assert_eq!(cursors(&live, "a"), ["2.0", "3.0"]);
}

/// The live events of a job whose item keeps the fifth, while fanout has not written those before it.
struct Late<'a>(&'a MemoryLive);

#[async_trait]
impl LiveStore for Late<'_> {
    async fn live_since(&self, of: &Subject, after: u64, limit: i32) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        if after < 4 { Ok(Vec::new()) } else { self.0.live_since(of, after, limit).await }
    }
}

#[tokio::test]
async fn a_position_before_events_that_fanout_has_not_written_is_kept_for_a_day() {
    let live = MemoryLive::default();
    for _ in 0..5 {
        live.happens("job_1", None, false);
    }
    let late = Late(&live);
    for (id, seconds, expected) in
        [("a", 60, vec!["subscribed"]), ("b", 3600, vec!["subscribed"]), ("c", 24 * 3600, vec!["reset", "subscribed"])]
    {
        live.world.advance_s(seconds);
        open(&live, id, None).await;
        let message = json!({ "action": "subscribe", "jobId": "job_1", "cursor": "1.0" });
        let ports = LivePorts { live: &late, ..live.ports() };
        answer(&ports, id, &message.to_string()).await.unwrap();
        assert_eq!(types(&live, id), expected);
    }
    assert_eq!(live.sockets.sent_to("a")[0]["cursor"], "1.0");
}

#[tokio::test]
async fn a_position_is_continued_and_one_that_is_too_old_is_reset() {
    let live = MemoryLive::default();
    for _ in 0..5 {
        live.happens("job_1", None, false);
    }
    for (id, cursor) in [("a", "0"), ("b", "3.0"), ("c", "5.0")] {
        open(&live, id, None).await;
        subscribe(&live, id, "job_1", Some(cursor)).await;
    }
    assert_eq!(cursors(&live, "a"), ["1.0", "2.0", "3.0", "4.0", "5.0"]);
    assert_eq!(cursors(&live, "b"), ["4.0", "5.0"]);
    assert_eq!(types(&live, "c"), ["subscribed"]);
    live.world.advance_s(60);
    live.expire("job_1", 3);
    open(&live, "d", None).await;
    subscribe(&live, "d", "job_1", Some("1.0")).await;
    assert_eq!(types(&live, "d"), ["reset", "subscribed"]);
    assert_eq!(live.sockets.sent_to("d")[1]["cursor"], "5");
    work(&live, &[live.happens("job_1", None, true)]).await;
    assert_eq!(cursors(&live, "d"), ["6.0"]);
    // One without a position gets the end of what has ended.
    open(&live, "e", None).await;
    subscribe(&live, "e", "job_1", None).await;
    assert_eq!(cursors(&live, "e"), ["6.0"]);
}

#[tokio::test]
async fn a_viewer_who_is_cut_off_again_and_again_gets_past_a_missing_event() {
    let live = MemoryLive::default();
    for _ in 0..3 {
        live.happens("job_1", None, false);
    }
    live.expire("job_1", 2);
    for id in ["a", "b", "c", "d"] {
        open(&live, id, None).await;
        subscribe(&live, id, "job_1", Some("1.0")).await;
        assert_eq!(types(&live, id), ["subscribed"]);
        live.sockets.close(id);
        live.world.advance_s(1);
    }
    open(&live, "e", None).await;
    subscribe(&live, "e", "job_1", Some("1.0")).await;
    assert_eq!(types(&live, "e"), ["subscribed"]);
    // The wait began when the row behind the missing ones was written.
    live.world.advance_s(2);
    work_on_queue(&live).await;
    assert_eq!(cursors(&live, "e"), ["3.0"]);
}

#[tokio::test]
async fn a_closed_connection_is_removed_with_what_it_followed() {
    let live = following().await;
    live.sockets.close("a");
    work(&live, &[live.happens("job_1", None, false)]).await;
    assert!(!live.connections.is_open("a"));
    assert_eq!(live.connections.subscriptions(), 0);
}

#[tokio::test]
async fn a_viewer_who_is_stuck_delays_no_other() {
    let live = MemoryLive::default();
    live.happens("job_1", None, false);
    let others: Vec<String> = (0..10).map(|number| format!("b{number}")).collect();
    for id in others.iter().map(String::as_str).chain(["a", "c"]) {
        open(&live, id, None).await;
        subscribe(&live, id, "job_1", None).await;
    }
    live.sockets.close("c");
    live.sockets.stick("a");
    let served = async {
        for _ in 0..10_000 {
            if others.iter().all(|id| cursors(&live, id) == ["2.0"]) {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert!(others.iter().all(|id| cursors(&live, id) == ["2.0"]));
        live.sockets.go_on("a");
    };
    let push = live.happens("job_1", None, false);
    tokio::join!(work(&live, std::slice::from_ref(&push)), served);
    assert_eq!(cursors(&live, "a"), ["2.0"]);
    assert!(!live.connections.is_open("c"));
}

#[tokio::test]
async fn what_could_not_be_sent_is_sent_again_later() {
    let live = following().await;
    live.world.advance_s(2);
    work_on_queue(&live).await;
    live.sockets.fail("a", 1);
    work(&live, &[live.happens("job_1", None, false), live.happens("job_1", None, false)]).await;
    assert!(cursors(&live, "a").is_empty());
    live.world.advance_s(5);
    work_on_queue(&live).await;
    assert_eq!(cursors(&live, "a"), ["2.0", "3.0"]);
}

#[tokio::test]
async fn an_owner_follows_only_what_is_theirs() {
    let live = MemoryLive::default();
    live.happens("job_1", Some("ann"), false);
    live.happens("job_2", None, false);
    open(&live, "ann", Some("ann")).await;
    open(&live, "bob", Some("bob")).await;
    for job in ["job_1", "job_2", "job_3", "a/b"] {
        subscribe(&live, "bob", job, None).await;
    }
    send(&live, "bob", &json!({ "action": "subscribe", "owner": "ann" })).await;
    let answers = live.sockets.sent_to("bob");
    assert_eq!(answers.len(), 5);
    assert!(answers.iter().all(|answer| answer["code"] == "not_found"), "{answers:?}");
    subscribe(&live, "ann", "job_1", None).await;
    work(&live, &[live.happens("job_1", Some("ann"), false)]).await;
    assert_eq!(cursors(&live, "ann"), ["2.0"]);
    // The owner is checked again at each push.
    work(&live, &[live.happens("job_1", Some("bob"), true)]).await;
    assert_eq!(cursors(&live, "ann"), ["2.0"]);
    assert_eq!(live.connections.subscriptions(), 0);
}

#[tokio::test]
async fn a_token_for_one_job_follows_no_other() {
    let live = MemoryLive::default();
    live.happens("job_1", None, false);
    live.happens("job_2", None, false);
    let only = Some(Subject::parse("job_1").unwrap());
    let connection = Connection { id: "a".to_owned(), owner: None, only, connected_at: NOON };
    connect(&live.ports(), &connection).await.unwrap();
    subscribe(&live, "a", "job_2", None).await;
    send(&live, "a", &json!({ "action": "subscribe", "owner": "ann" })).await;
    subscribe(&live, "a", "job_1", None).await;
    assert_eq!(types(&live, "a"), ["error", "error", "subscribed"]);
}

#[tokio::test]
async fn who_follows_an_owner_gets_all_of_theirs_from_then_on() {
    let live = MemoryLive::default();
    live.happens("job_1", Some("ann"), false);
    live.world.advance_s(1);
    for (id, owner) in [("a", Some("ann")), ("b", None)] {
        open(&live, id, owner).await;
        send(&live, id, &json!({ "action": "subscribe", "owner": "ann" })).await;
    }
    live.world.advance_s(2);
    work_on_queue(&live).await;
    live.world.advance_s(1);
    // A job that was there, a new one, and one of somebody else.
    let pushes = [
        live.happens("job_1", Some("ann"), false),
        live.happens("job_2", Some("ann"), true),
        live.happens("job_3", Some("bob"), true),
    ];
    work(&live, &pushes).await;
    for id in ["a", "b"] {
        let sent = live.sockets.sent_to(id);
        let mut events: Vec<(&Value, &Value)> =
            sent.iter().skip(1).map(|message| (&message["jobId"], &message["cursor"])).collect();
        events.sort_by_key(|(job, _)| job.to_string());
        assert_eq!(events, [(&json!("job_1"), &json!("2.0")), (&json!("job_2"), &json!("1.0"))], "{id}");
    }
    // One of them cannot be left out, and with the owner all go.
    send(&live, "a", &json!({ "action": "unsubscribe", "jobId": "job_1" })).await;
    live.world.advance_s(2);
    work(&live, &[live.happens("job_1", Some("ann"), false)]).await;
    assert_eq!(live.sockets.sent_to("a").last().unwrap()["cursor"], "3.0");
    send(&live, "a", &json!({ "action": "unsubscribe", "owner": "ann" })).await;
    send(&live, "b", &json!({ "action": "unsubscribe", "owner": "ann" })).await;
    assert_eq!(live.connections.subscriptions(), 0);
}

#[tokio::test]
async fn who_follows_an_owner_gets_nothing_that_is_another_s_whatever_a_message_says() {
    let live = MemoryLive::default();
    open(&live, "a", Some("ann")).await;
    send(&live, "a", &json!({ "action": "subscribe", "owner": "ann" })).await;
    live.world.advance_s(2);
    work_on_queue(&live).await;
    live.happens("job_1", Some("bob"), true);
    let push = Push { subject: Subject::parse("job_1").unwrap(), owner: OwnerId::parse("ann"), terminal: true };
    work(&live, &[LiveMessage::Push(push)]).await;
    assert_eq!(types(&live, "a"), ["subscribed"]);
    assert_eq!(live.connections.subscriptions(), 1, "that to the owner");
}

#[tokio::test]
async fn a_subscription_to_an_owner_is_confirmed_when_every_event_is_pushed() {
    let live = MemoryLive::default();
    open(&live, "a", Some("ann")).await;
    let subscribe = json!({ "action": "subscribe", "owner": "ann" });
    let unsubscribe = json!({ "action": "unsubscribe", "owner": "ann" });
    send(&live, "a", &subscribe).await;
    assert!(types(&live, "a").is_empty());
    live.world.advance_s(2);
    work_on_queue(&live).await;
    assert_eq!(types(&live, "a"), ["subscribed"]);
    // One that has ended meanwhile is not confirmed, and a later one has a time of its own.
    for _ in 0..2 {
        send(&live, "a", &unsubscribe).await;
        send(&live, "a", &subscribe).await;
        live.world.advance_s(1);
    }
    work_on_queue(&live).await;
    assert_eq!(types(&live, "a"), ["subscribed", "unsubscribed", "unsubscribed"]);
    live.world.advance_s(1);
    work_on_queue(&live).await;
    assert_eq!(types(&live, "a").last().map(String::as_str), Some("subscribed"));
}

#[tokio::test]
async fn a_connection_has_at_most_50_subscriptions() {
    let live = MemoryLive::default();
    open(&live, "a", None).await;
    for number in 0..51 {
        live.happens(&format!("job_{number}"), None, false);
        subscribe(&live, "a", &format!("job_{number}"), None).await;
    }
    let last = live.sockets.sent_to("a").pop().unwrap();
    assert_eq!(last["code"], "too_many_subscriptions");
    // One that it has already may be made again, and one that ends leaves room.
    subscribe(&live, "a", "job_7", None).await;
    send(&live, "a", &json!({ "action": "unsubscribe", "jobId": "job_7" })).await;
    subscribe(&live, "a", "job_50", None).await;
    let sent = types(&live, "a");
    assert_eq!(sent[sent.len() - 3..], ["subscribed", "unsubscribed", "subscribed"]);
}

#[tokio::test]
async fn messages_are_answered_and_unknown_ones_refused() {
    let live = MemoryLive::default();
    open(&live, "a", None).await;
    send(&live, "a", &json!({ "action": "ping" })).await;
    send(&live, "a", &json!({ "action": "dance" })).await;
    answer(&live.ports(), "a", "no JSON").await.unwrap();
    let sent = live.sockets.sent_to("a");
    assert_eq!(sent[0]["type"], "pong");
    assert_eq!([&sent[1]["code"], &sent[2]["code"]], ["unknown_action", "invalid_message"]);
    // A connection that is not known gets no answer.
    send(&live, "b", &json!({ "action": "ping" })).await;
    assert!(live.sockets.sent_to("b").is_empty());
}

#[tokio::test]
async fn a_client_whose_message_fails_is_asked_to_send_it_again() {
    let live = MemoryLive::default();
    open(&live, "a", None).await;
    live.connections.fail(1);
    let subscribe = json!({ "action": "subscribe", "jobId": "job_1" }).to_string();
    assert!(answer(&live.ports(), "a", &subscribe).await.is_err());
    assert_eq!(live.sockets.sent_to("a")[0]["code"], "unavailable");
}

#[tokio::test]
async fn heartbeats_come_until_the_client_is_asked_to_reconnect() {
    let live = MemoryLive::default();
    open(&live, "a", None).await;
    for _ in 0..20 {
        live.world.advance_s(480);
        work_on_queue(&live).await;
    }
    let sent = types(&live, "a");
    assert_eq!(sent.iter().filter(|kind| *kind == "heartbeat").count(), 13);
    assert_eq!(sent.last().map(String::as_str), Some("reconnect"));
    assert_eq!(sent.len(), 14);
    // A closed connection gets no more.
    open(&live, "b", None).await;
    live.connections.remove("b").await.unwrap();
    live.world.advance_s(480);
    work_on_queue(&live).await;
    assert!(live.sockets.sent_to("b").is_empty() && live.hints.waiting().is_empty());
}

//! How many connections are open, and how many messages their clients send.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::live::connections::{Opened, close, connect};
use reelhook_app::live::ports::Connection;
use reelhook_app::store::StoreError;
use reelhook_domain::{OwnerId, Subject};
use reelhook_testkit::MemoryLive;
use serde_json::json;

use super::{open, send, subscribe, types, work_on_queue};

async fn ask(live: &MemoryLive, id: &str, owner: Option<&str>, only: Option<&str>) -> Result<Opened, StoreError> {
    let connection = Connection {
        id: id.to_owned(),
        owner: owner.map(|owner| OwnerId::parse(owner).unwrap()),
        only: only.map(|subject| Subject::parse(subject).unwrap()),
        connected_at: live.world.now(),
    };
    connect(&live.ports(), &connection).await
}

/// Asks for a connection of an owner.
async fn ask_for(live: &MemoryLive, id: &str, owner: &str) -> Opened {
    ask(live, id, Some(owner), None).await.unwrap()
}

#[tokio::test]
async fn an_owner_has_at_most_50_open_connections() {
    let live = MemoryLive::default();
    for number in 0..50 {
        assert_eq!(ask_for(&live, &format!("a{number}"), "ann").await, Opened::Done);
    }
    assert_eq!(ask_for(&live, "b", "ann").await, Opened::TooMany);
    assert_eq!(ask(&live, "b", Some("ann"), Some("job_1")).await.unwrap(), Opened::TooMany);
    assert!(!live.connections.is_open("b"));
    assert_eq!(ask_for(&live, "c", "bob").await, Opened::Done);
    // One that is closed makes room.
    close(&live.ports(), "a7").await.unwrap();
    assert_eq!(ask_for(&live, "d", "ann").await, Opened::Done);
    assert_eq!(ask_for(&live, "e", "ann").await, Opened::TooMany);
    // So does one whose end the gateway did not report, after the next heartbeat.
    live.sockets.close("a8");
    live.world.advance_s(480);
    work_on_queue(&live).await;
    assert_eq!(ask_for(&live, "e", "ann").await, Opened::Done);
    assert_eq!(ask_for(&live, "f", "ann").await, Opened::TooMany);
    // At the latest slots expire.
    live.world.advance_s(130 * 60);
    assert_eq!(ask_for(&live, "f", "ann").await, Opened::Done);
}

#[tokio::test]
async fn operators_have_500_and_their_tokens_for_one_job_50() {
    let live = MemoryLive::default();
    for (only, most) in [(None, 500), (Some("job_1"), 50), (Some("job_2"), 50)] {
        let id = |number: i32| format!("{}{number}", only.unwrap_or_default());
        for number in 0..most {
            assert_eq!(ask(&live, &id(number), None, only).await.unwrap(), Opened::Done, "{only:?}");
        }
        assert_eq!(ask(&live, &id(most), None, only).await.unwrap(), Opened::TooMany, "{only:?}");
    }
}

#[tokio::test]
async fn a_connection_that_could_not_be_stored_takes_no_slot() {
    let live = MemoryLive::default();
    live.hints.faults.busy("send", 50);
    for _ in 0..50 {
        assert!(ask(&live, "a", Some("ann"), None).await.is_err());
    }
    for number in 0..50 {
        assert_eq!(ask_for(&live, &format!("b{number}"), "ann").await, Opened::Done);
    }
}

#[tokio::test]
async fn a_client_that_sends_more_than_120_messages_a_minute_is_disconnected() {
    let live = MemoryLive::default();
    open(&live, "a", None).await;
    let ping = json!({ "action": "ping" });
    for _ in 0..2 {
        for _ in 0..120 {
            send(&live, "a", &ping).await;
        }
        live.world.advance_s(60);
    }
    assert_eq!(types(&live, "a"), ["pong"; 240]);
    for _ in 0..122 {
        send(&live, "a", &ping).await;
    }
    let sent = live.sockets.sent_to("a");
    assert_eq!((sent.len(), &sent[360]["code"]), (361, &json!("too_many_messages")));
    assert!(live.sockets.is_closed("a") && !live.connections.is_open("a"));
}

#[tokio::test]
async fn a_position_far_back_counts_as_several_messages() {
    let live = MemoryLive::default();
    for _ in 0..300 {
        live.happens("job_1", None, false);
    }
    open(&live, "a", None).await;
    // Each counts seven.
    for _ in 0..17 {
        subscribe(&live, "a", "job_1", Some("0")).await;
    }
    assert!(live.connections.is_open("a"));
    subscribe(&live, "a", "job_1", Some("0")).await;
    assert_eq!(live.sockets.sent_to("a").last().unwrap()["code"], "too_many_messages");
    assert!(live.sockets.is_closed("a") && !live.connections.is_open("a"));
    // The longest one counts half of what may be sent.
    for _ in 300..7000 {
        live.happens("job_1", None, false);
    }
    open(&live, "b", None).await;
    subscribe(&live, "b", "job_1", Some("0")).await;
    assert_eq!(types(&live, "b")[0], "subscribed");
    subscribe(&live, "b", "job_1", Some("0")).await;
    assert!(live.sockets.is_closed("b"));
}

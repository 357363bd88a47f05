//! The flag that connections are open: it is written and read seldom, and lapses by itself.

use std::time::Duration;

use reelhook_app::outbox::fanout::Viewers;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::live::viewers::ViewerFlag;
use reelhook_testkit::NOON;
use serde_json::json;

use crate::replay::{Answer, Call, Calls, dynamodb, error, kind, ok};

fn flag(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (ViewerFlag, Calls) {
    let (client, calls) = dynamodb(script);
    (ViewerFlag::new(CounterTable::new(client, "Counters")), calls)
}

fn after(seconds: u64) -> reelhook_domain::Timestamp {
    NOON.after(Duration::from_secs(seconds))
}

#[tokio::test]
async fn connections_are_noted_once_a_minute() {
    let (flag, calls) = flag(|_, _| ok());
    for seconds in [0, 59, 60] {
        flag.note(after(seconds)).await.unwrap();
    }
    let [first, second] = <[_; 2]>::try_from(calls.all()).unwrap();
    assert_eq!((first.operation.as_str(), first.at("/Item/pk/S")), ("PutItem", &json!("live")));
    assert_eq!(first.at("/Item/until/N"), &json!(after(1200).millis().to_string()));
    assert_eq!(second.at("/Item/until/N"), &json!(after(1260).millis().to_string()));
    assert!(first.at("/Item/expires_at/N").is_string());
}

#[tokio::test]
async fn a_note_that_failed_is_made_again() {
    let (flag, calls) = flag(|_, before| if before == 0 { error("AccessDeniedException") } else { ok() });
    assert_eq!(kind(&flag.note(NOON).await.unwrap_err()), "refused");
    flag.note(NOON).await.unwrap();
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn the_flag_is_read_once_a_second_and_lapses() {
    let (flag, calls) = flag(|_, _| (200, json!({ "Item": { "until": { "N": after(10).millis().to_string() } } })));
    for (seconds, any, reads) in [(0, true, 1), (0, true, 1), (1, true, 2), (9, true, 3), (10, false, 4)] {
        assert_eq!(flag.any(after(seconds)).await.unwrap(), any, "{seconds}");
        assert_eq!(calls.all().len(), reads, "{seconds}");
    }
    let (empty, _) = self::flag(|_, _| ok());
    assert!(!empty.any(NOON).await.unwrap());
}

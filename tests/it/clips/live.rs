//! The stream of a clip job: however often a viewer is disconnected, it sees each clip and each change once, in order.

use reelhook_app::views::Dialect;
use reqwest::Method;
use serde_json::{Value, json};

use super::backends::Backends;
use super::job::{JOBS, begin, fast, open};
use crate::scenes::live::Viewer;

/// The end of a clip job.
const END: (&str, &str) = ("clips_update", "succeeded");

#[tokio::test]
async fn a_viewer_that_reconnects_misses_no_clip_and_sees_none_twice() {
    let stack = open(Backends::Worker).await;
    // The worker reports its clips before the end.
    let slowly = json!({ "job": { "ms": 3000 }, "report": { "clips": true } });
    let (id, _) = begin(&stack, fast(slowly)).await;
    let path = format!("{JOBS}/{id}/stream");
    let mut viewer = Viewer::since(Some("0"));
    let connections = viewer.look_until(&stack, &path, END).await;
    assert!(connections > 1, "it was never disconnected");
    assert_eq!(viewer.seen, stack.aws.live_events_of(Dialect::Clips, &format!("clip_{id}")).await);
    let clips: Vec<&Value> =
        viewer.seen.iter().filter(|(_, data)| data["type"] == "clip_update").map(|(_, data)| &data["index"]).collect();
    assert_eq!(clips, [&json!(0), &json!(1)], "{:#?}", viewer.seen);
    let progress: Vec<u64> = viewer.seen.iter().filter_map(|(_, data)| data["progressPercent"].as_u64()).collect();
    assert!(progress.is_sorted(), "{progress:?}");
    assert!(viewer.seen.iter().all(|(_, data)| data["jobId"] == id), "{:#?}", viewer.seen);

    // The paths with and without /api have the same events. A viewer that has seen the end gets 204, a new one the end.
    let last = viewer.seen.last().map(|(cursor, _)| cursor.as_str()).expect("an event");
    for path in [path.clone(), format!("/api{path}")] {
        let over = stack.request(Method::GET, &path).header("last-event-id", last).send().await.expect("an answer");
        assert_eq!(over.status(), 204, "{path}");
        let mut late = Viewer::since(None);
        late.look_until(&stack, &path, END).await;
        assert_eq!(late.seen.last(), viewer.seen.last(), "{path}");
    }
}

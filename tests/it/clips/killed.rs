//! Renderers that are killed in the middle of cutting: no finished clip is lost or cut again, and the job ends.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::backends::Backends;
use super::film::begin;
use super::job::{assert_charged_once, clips, job, open, succeeded};
use crate::aws::kill;
use crate::stack::Stack;
use crate::videos::objects;

/// What the film costs: 80 seconds.
const PRICE: u64 = 13;
/// The clips of the film.
const CLIPS: usize = 4;

/// The times at which the clips of a job that it shows were written, by their keys.
async fn written(stack: &Stack, id: &str, job: &Value) -> BTreeMap<String, String> {
    let prefix = format!("clips/clip_{id}/");
    let keys: Vec<String> = clips(job).iter().map(|clip| format!("{prefix}{}-1.mp4", clip["index"])).collect();
    objects(stack, &prefix).await.into_iter().filter(|(key, _)| keys.contains(key)).collect()
}

#[tokio::test]
async fn a_killed_renderer_loses_no_finished_clip() {
    let stack = open(Backends::Own).await;
    let mut interrupted = 0;
    // Each time so many clips are cut, and others are not.
    for count in 1..CLIPS {
        let id = begin(&stack, json!({ "requestedClipCount": 10, "clipDurations": ["15-30"] })).await;
        let shown = stack
            .eventually(&format!("{count} clips are cut"), || async {
                let now = job(&stack, &id).await;
                assert_ne!(now["status"], "failed", "{now:#}");
                (clips(&now).len() >= count).then_some(now)
            })
            .await;
        let kept = written(&stack, &id, &shown).await;
        assert_eq!(kept.len(), clips(&shown).len(), "{kept:#?}");
        let processes = stack.aws.processes("render");
        // A process may have ended by itself.
        let killed = processes.iter().filter(|pid| kill(**pid)).count();
        let since = Instant::now();
        interrupted += usize::from(killed > 0 && kept.len() < CLIPS);
        let done = succeeded(&stack, &id).await;
        println!(
            "killed {killed} processes with {} of {CLIPS} clips cut; done {:?} later",
            kept.len(),
            since.elapsed()
        );
        assert_eq!((clips(&done).len(), &done["clipsCompleted"]), (CLIPS, &json!(CLIPS)), "{done:#}");
        let after = written(&stack, &id, &done).await;
        assert_eq!(after.len(), CLIPS, "{after:#?}");
        for (key, at) in &kept {
            assert_eq!(after.get(key), Some(at), "{key} was cut again");
        }
        assert_charged_once(&stack, &id, PRICE).await;
    }
    assert!(interrupted > 0, "a renderer was killed in the middle of cutting");
}

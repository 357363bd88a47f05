//! Clip jobs of a recording: what had ended reads as before, and what was under way ends.
//!
//! Recordings of versions before 0.3.0 have none; then there is nothing to check.

use serde_json::json;

use super::{Recording, assert_reads_as};
use crate::clips::job::{clips, command, fast, job, succeeded};
use crate::scenes::project::text;
use crate::stack::Stack;

/// Lets the clipping worker end each job at once, with prepared files.
pub(super) async fn quicken_the_worker(stack: &Stack) {
    stack.control("genesis", fast(json!({}))).await;
}

/// Clip jobs that had ended, and a file.
pub(super) async fn what_had_ended_is_read_as_before(stack: &Stack, recording: &Recording) {
    for name in recording.names("clips") {
        let before = recording.answer(name);
        if before["completedAt"].is_string() {
            assert_reads_as(&job(stack, recording.id(name)).await, before, name);
        }
    }
    if recording.has("clips_succeeded") {
        let link = text(&clips(recording.answer("clips_succeeded"))[0]["url"]);
        let clip = stack.http.get(link).send().await.expect("an answer");
        assert_eq!((clip.status().as_u16(), &clip.headers()["content-type"]), (200, &"video/mp4".parse().unwrap()));
    }
}

/// The worker knows none of the recorded jobs, as after a restart: one that it had begun is submitted under a new number,
/// and one that was not submitted is. A failed one can be retried.
pub(super) async fn everything_ends(stack: &Stack, recording: &Recording) {
    if !recording.has("clips_succeeded") {
        return;
    }
    command(stack, recording.id("clips_failed"), "retry").await;
    for name in ["clips_running", "clips_unseen", "clips_failed"] {
        let ended = succeeded(stack, recording.id(name)).await;
        assert_eq!(clips(&ended).len(), 2, "{name}: {ended:#}");
    }
}

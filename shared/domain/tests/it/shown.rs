//! The captions of a job: every text, and the step that StreamGank's pages parse from it.

use reelhook_app::views::captions::step_shown;
use reelhook_domain::*;

use crate::story::*;
use StepStatus::{Completed, RenderReady, Started};

const RENDERING: &str = "All 7 steps completed - Video rendering with Creatomate";

#[track_caller]
fn check(story: Story, text: &str, step: Option<u8>) {
    assert_eq!((story.job.run.caption.as_str(), step_shown(&story.job.run.caption)), (text, step));
}

fn once(max_retries: u32) -> Story {
    Story::with(Policy { max_retries, ..policy() }, false).then(Event::Claim)
}

#[test]
fn a_waiting_job_names_no_step() {
    check(Story::waiting(), "Waiting in queue", None);
    check(Story::claimed(), "Waiting in queue", None);
    check(Story::claimed().then(deferred(1, None)), "Waiting in queue", None);
    check(Story::claimed().then(started(1)), "Processing", None);
    check(Story::waiting().then(Event::Cancel), "Job cancelled by user", None);
    check(Story::rendering().then(Event::Cancel), "Job cancelled by user", None);
    let failed = Story::processing().then(run_failed(1, "insufficient credits"));
    check(failed.then(Event::Retry), "Waiting in queue", None);
}

#[test]
fn each_step_is_named_when_it_starts_and_ends() {
    check(Story::claimed().then(step(0, Started, 100)), "Workflow - started", None);
    for number in 1..=7 {
        let name = plain(number, Started, 0).name;
        for (status, word) in [(Started, "started"), (Completed, "completed"), (RenderReady, "completed")] {
            let story = Story::claimed().then(step(number, status, 100));
            check(story, &format!("{name} - {word}"), Some(number));
        }
    }
    check(Story::processing().then(step(8, Started, 180)), "All 7 steps completed", None);
}

#[test]
fn a_worker_s_own_step_names_match_no_other_step() {
    let named = |number, name: &str| {
        let update = StepUpdate { name: name.to_owned(), ..plain(number, Started, 140) };
        Story::processing().then(Event::Step { attempt: Some(1), update })
    };
    check(named(3, "Posters and clips"), "Posters and clips - started", Some(3));
    check(named(6, "Scrolling"), "Scrolling - started", Some(6));
    check(named(3, "Movie clips"), "Asset Preparation - started", Some(3));
    check(named(4, "Generating avatars"), "HeyGen Video Creation - started", Some(4));
    check(named(5, "HeyGen creates the video"), "HeyGen Processing - started", Some(5));
    check(named(7, "Rendering movies"), "Creatomate Assembly - started", Some(7));
}

#[test]
fn a_rendering_job_is_at_the_last_step() {
    use RenderStatus::{Other, Planned, Rendering, Succeeded, Transcribing, Waiting};
    check(Story::rendering(), RENDERING, Some(7));
    let ready = Story::processing().then(Report::of(7, RenderReady, 175).render("render_1").by(1));
    check(ready.clone(), RENDERING, Some(7));
    check(ready.then(Report::of(7, Completed, 176).render("render_1").by(1)), RENDERING, Some(7));
    for (said, text) in [
        (Planned, "Render planned"),
        (Waiting, "Waiting for a render machine"),
        (Transcribing, "Rendering: transcribing audio"),
        (Rendering, "Rendering video"),
        (Other("compressing".to_owned()), "Render status: compressing"),
        (Other("generating".to_owned()), "Rendering video"),
    ] {
        check(Story::submitted().then(reported(with_status(said), false)), text, Some(7));
    }
    let without_url = Story::submitted().then(reported(with_status(Succeeded), false));
    check(without_url, "Render succeeded without a URL", Some(7));
    check(Story::render_timed_out().then(Event::Monitor), "Checking the render", Some(7));

    let drawn = Story::composing().then(composed(1));
    check(drawn.clone(), "Rendering frames: 0/90", Some(7));
    let joined = drawn.then(claim_piece()).then(done(2)).then(claim_piece()).then(done(3));
    check(joined, "Assembling the final video", Some(7));
}

#[test]
fn a_scheduled_retry_shows_its_number_reason_and_delay() {
    let fails = |error: &str| Story::processing().then(Report::of(5, StepStatus::Failed, 155).error(error).by(1));
    check(fails("connection reset"), "Scheduled for retry (attempt 2/2) - Network issue (retry in 60s)", None);
    check(fails("not enough movies"), "Scheduled for retry (attempt 2/2) - Content issue (retry in 120s)", None);
    check(
        fails("browser crashed"),
        "Scheduled for retry (attempt 2/2) - Screenshot or browser issue (retry in 45s)",
        None,
    );
    check(fails("API error"), "Scheduled for retry (attempt 2/2) - External service issue (retry in 60s)", None);
    check(fails("process killed"), "Scheduled for retry (attempt 2/2) - Process was stopped (retry in 30s)", None);
    check(fails("429 Too Many Requests"), "Scheduled for retry (attempt 2/2) - Rate limit (retry in 240s)", None);
    let second = once(3).then(run_failed(1, "boom"));
    check(second.clone(), "Scheduled for retry (attempt 2/4) - Unknown error (retry in 30s)", None);
    let mut third = second;
    third.wait(30).apply(Event::Claim);
    check(third.then(run_failed(2, "boom")), "Scheduled for retry (attempt 3/4) - Unknown error (retry in 60s)", None);
}

#[test]
fn a_failed_job_names_the_step_at_which_it_failed() {
    let fails =
        |number, error: &str| Story::processing().then(Report::of(number, StepStatus::Failed, 155).error(error).by(1));
    let credits = fails(4, "Insufficient credits");
    check(credits, "FAILED: Step 4 (HeyGen Video Creation): Insufficient credits", Some(4));
    check(fails(5, "No movies found"), "FAILED: Step 5 (HeyGen Processing): No ...", Some(5));
    check(fails(2, "invalid API key"), "FAILED: Step 2 (Script Generation): invalid API key", Some(2));
    let workflow = Report::of(8, Completed, 180).error("out of memory").workflow_failed();
    let text = "FAILED: Step 3 (Asset Preparation): out of memory";
    check(Story::processing().then(workflow.clone().by(1)), text, Some(3));
    check(Story::claimed().then(workflow.by(1)), "FAILED: out of memory", None);
    let mut late = Story::processing();
    late.sweep();
    check(late, "FAILED: Step 3 (Asset Preparation): Job timed out after 30 minutes", Some(3));
    let render = Story::rendering().then(checked(failed(), 1));
    check(render, "FAILED: Step 7 (Creatomate Assembly): source image is gone", Some(7));
    check(once(0).then(run_failed(1, "boom")), "FAILED: boom", None);
    check(
        once(0).then(step(6, StepStatus::Failed, 160)),
        "FAILED: Step 6 (Scroll Video Generation): Step 6 failed: Scroll Video Generation",
        Some(6),
    );
    let piece = Event::PieceFailed { attempt: 1, claim: 2, error: "Scene 1: no poster".to_owned(), permanent: true };
    let drawn = Story::composing().then(composed(1)).then(claim_piece()).then(piece);
    check(drawn, "FAILED: Step 7 (Creatomate Assembly): Scene 1: no ...", Some(7));
}

#[test]
fn a_completed_job_has_the_reason_of_its_end() {
    check(Story::completed(), "Video generation completed!", None);
    check(Story::processing().then(complete()), "Video generation completed!", None);
    let paused = Story::with(policy(), true).then(Event::Claim).then(step(1, Completed, 115));
    check(paused, "Movie extraction completed, paused as asked", Some(1));
    let nothing = Story::processing().then(step(8, Completed, 180));
    check(nothing, "No video URL or Creatomate ID returned", Some(7));
    let mut incomplete = Story::submitted();
    incomplete.sweep();
    check(incomplete, "Workflow incomplete, a render was started", Some(7));
    check(Story::render_timed_out(), "Render did not finish in time", Some(7));
}

#[test]
fn a_video_of_scenes_has_no_steps_and_its_own_captions() {
    let shown = |story: Story| story.job.run.caption;
    assert_eq!(shown(Story::video().then(Event::Cancel)), "Cancelled");
    assert_eq!(shown(Story::drawing().then(piece_failed(1, true))), "Failed");
    assert_eq!(shown(Story::filmed()), "Video generated successfully");
}

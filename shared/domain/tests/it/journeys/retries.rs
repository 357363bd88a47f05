//! Failed runs: retried failures, their delays, and the captions meanwhile.

use reelhook_domain::*;

use crate::story::*;

fn with_retries(max_retries: u32) -> Story {
    Story::with(Policy { max_retries, ..policy() }, false)
}

/// Fails every run until the job ends: the delays before each retry, in seconds, and the events of the end.
fn delays(max_retries: u32, error: &str) -> (Vec<u32>, Vec<OutboundEvent>) {
    let mut story = with_retries(max_retries);
    let mut delays = Vec::new();
    loop {
        story.apply(Event::Claim);
        story.apply(started(story.job.run.attempt));
        story.apply(run_failed(story.job.run.attempt, error));
        if story.job.status == Status::Failed {
            assert_eq!(story.job.run.error.as_deref(), Some(error));
            return (delays, story.notified());
        }
        let delay = (story.job.run.retry_after.expect("an automatic retry has its time").0 - story.now.0) / 1000;
        assert_eq!(story.hints(), [delay.min(900) as u32]);
        delays.push(delay as u32);
        story.wait(delay as u64);
    }
}

#[test]
fn each_class_of_failure_has_its_delays_and_its_end() {
    let check = |error: &str, expected: &[u32], end: OutboundEvent| {
        assert_eq!(delays(4, error), (expected.to_vec(), vec![end]), "{error}");
    };
    use OutboundEvent::{Failed, FailedNoRetry};
    check("Insufficient credits", &[], FailedNoRetry);
    check("invalid API key", &[], FailedNoRetry);
    check("Out of memory", &[], FailedNoRetry);
    check("Critical workflow error", &[], FailedNoRetry);
    check("No movies found", &[], FailedNoRetry);
    check("Not enough movies: 2 of 3", &[120], Failed);
    check("429 Too Many Requests", &[240, 480], Failed);
    check("network unreachable", &[60, 120, 240, 480], Failed);
    check("browser crashed", &[45, 90, 180, 360], Failed);
    check("HeyGen API error", &[60, 120, 240, 480], Failed);
    check("process killed", &[30, 30, 30, 30], Failed);
    check("boom", &[30, 60, 120, 240], Failed);
}

#[test]
fn one_retry_is_the_default() {
    let mut story = Story::processing().then(run_failed(1, "boom"));
    story.wait(30).apply(Event::Claim);
    story.apply(started(2));
    story.apply(run_failed(2, "boom"));
    assert_eq!((story.job.status, story.job.retries.used), (Status::Failed, 1));
    assert_eq!(
        (story.notified(), no_retry(&story.job).map(|no_retry| no_retry.reason).as_ref()),
        (vec![OutboundEvent::Failed], None)
    );
}

#[test]
fn a_retry_that_waits_is_pending_and_never_failed() {
    let mut story = Story::submitted();
    story.apply(Report::of(7, StepStatus::Failed, 178).error("connection reset").by(1));
    let job = &story.job;
    assert_eq!((job.status, job.run.retry_after), (Status::Pending, Some(Timestamp(story.now.0 + 60_000))));
    assert_eq!((job.run.attempt, job.retries.used), (2, 1));
    assert_eq!((story.notified(), story.freed()), (vec![], vec!["1.1".to_owned()]), "no failure is notified");
    assert_eq!((job.run.times.failed_at, job.run.error.as_ref()), (None, None));
    let counted = job.outbox.iter().any(|effect| matches!(effect, Effect::Count { .. }));
    assert!(!counted);

    story.wait(59);
    assert_eq!(story.ignored(Event::Claim), Ignored::NotReady);
    story.wait(1).apply(Event::Claim);
    assert_eq!(story.job.run.start.claim.as_ref().map(|claim| claim.slot.as_str()), Some("job_1_a.2.2"));
    story.apply(started(2));
    assert_eq!((story.job.status, story.job.run.retry_after), (Status::Processing, None));
}

#[test]
fn a_new_attempt_is_a_new_run() {
    let mut story = Story::rendering().then(checked(failed(), 1));
    story.wait(60).apply(Event::Retry);
    let job = &story.job;
    assert_eq!((job.run.progress, steps_of(job).current, job.run.caption.as_str()), (0, 0, "Waiting in queue"));
    assert!(steps_of(job).records.is_empty() && steps_of(job).seen.is_empty() && steps_of(job).last_sequence.is_none());
    assert!(
        job.render_id().is_none() && polls_of(job).is_none() && job.run.video_url.is_none() && job.run.error.is_none()
    );
    assert!(
        job.run.times.started_at.is_none()
            && job.run.times.failed_at.is_none()
            && worker_of(job).id.is_none()
            && !worker_of(job).done
    );
    assert_eq!(job.created_at, NOON);
    // The new run's reports are accepted, although their sequences are repeated.
    story.apply(Event::Claim);
    story.apply(Report::of(0, StepStatus::Started, 100).by(2));
}

#[test]
fn a_permanent_failure_has_a_reason_and_a_solution() {
    let job = Story::processing().then(run_failed(1, "No movies found for Horror")).job;
    assert_eq!(notified(&job), [OutboundEvent::FailedNoRetry]);
    assert_eq!(job.run.error.as_deref(), Some("No movies found for Horror"));
    assert!(
        no_retry(&job).map(|no_retry| no_retry.reason).is_some()
            && no_retry(&job).map(|no_retry| no_retry.solution).is_some()
            && job.run.retry_after.is_none()
    );
}

#[test]
fn every_way_to_report_a_failure_fails_the_run() {
    let reports = [
        Report::of(5, StepStatus::Failed, 155).error("no movies found"),
        Report::of(8, StepStatus::Completed, 180).error("no movies found").workflow_failed(),
    ];
    for report in reports {
        let job = Story::processing().then(report.by(1)).job;
        assert_eq!((job.status, job.run.error.as_deref()), (Status::Failed, Some("no movies found")));
    }
    let unexplained = with_retries(0).then(Event::Claim).then(step(5, StepStatus::Failed, 155));
    assert_eq!(unexplained.job.run.error.as_deref(), Some("Step 5 failed: HeyGen Processing"));
}

#[test]
fn a_long_error_is_cut_to_4_kib_between_characters() {
    let error = "é".repeat(5000);
    let job = with_retries(0).then(run_failed(1, &error)).job;
    assert_eq!(job.run.error.map(|error| error.len()), Some(4096));
    let odd = format!("x{error}");
    let job = with_retries(0).then(run_failed(1, &odd)).job;
    assert_eq!(job.run.error.map(|error| error.len()), Some(4095));
}

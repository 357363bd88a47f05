//! Submissions to the worker: claims, refusals, lost answers, polls, and submissions that the worker forgets.

use std::time::Duration;

use reelhook_domain::clips::event::{Event, LookedUp, ReportKind};
use reelhook_domain::clips::queries::ClipWork;
use reelhook_domain::clips::reasons::Ignored;
use reelhook_domain::clips::run::WorkerState;
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::*;

use super::story::*;

fn refused(number: u32, wait_s: Option<u64>, permanent: bool) -> Event {
    let wait = wait_s.map(Duration::from_secs);
    Event::SubmissionRefused { number, error: "busy".to_owned(), wait, permanent }
}

fn looked_up(found: LookedUp) -> Event {
    Event::LookedUp { number: 1, found }
}

#[test]
fn a_new_job_waits_for_the_worker_and_hints_at_it() {
    let story = Story::waiting();
    assert_eq!((story.job.version, story.job.status, story.job.run.attempt), (1, ClipStatus::Queued, 1));
    assert_eq!(story.effects(), [ClipEffect::Work { delay_s: 0 }]);
    assert_eq!(story.job.work(START), Some((1, ClipWork::Submit)));
    assert_eq!(story.job.external_id().as_deref(), Some(UUID));
    assert_eq!(story.job.due_at, Some(START.after(story.policy.hint_grace)));
    assert_eq!((story.notified(), story.shown(), story.pieces()), (vec![], vec![], vec![]));
    assert!(story.job.has_reservation());
    assert_eq!(story.job.credits.reserved, RESERVED);
}

#[test]
fn an_accepted_submission_is_polled_after_a_minute_without_a_report() {
    let mut story = Story::waiting();
    story.apply(Event::ClaimSubmission);
    assert_eq!((story.effects(), story.work()), (vec![], None));
    assert_eq!(story.ignored(Event::ClaimSubmission), Ignored::NothingToDo);
    story.apply(Event::Submitted { number: 1, id: worker_id(1) });
    assert_eq!(story.notified(), [(OutboundEvent::ClipsStarted, None)]);
    let index = ClipEffect::Index { number: 1, worker_id: Some(worker_id(1)) };
    assert_eq!(story.effects(), [index, ClipEffect::Work { delay_s: 60 }]);
    assert_eq!(story.job.status, ClipStatus::Queued);
    assert_eq!(story.ignored(Event::Submitted { number: 1, id: worker_id(1) }), Ignored::Repeated);
    assert_eq!(story.ignored(Event::Submitted { number: 2, id: worker_id(2) }), Ignored::Stale);
    assert_eq!(story.wait(59).work(), None);
    assert_eq!(story.wait(1).work(), Some((1, ClipWork::Poll(worker_id(1)))));
}

#[test]
fn polls_become_rarer_until_the_worker_reports_by_itself() {
    let mut story = Story::submitted();
    story.wait(60);
    for wait in [15_000, 22_500, 33_750, 50_625, 60_000, 60_000] {
        story.apply(polled(1, running(5)));
        let WorkerState::Submitted { next_at, .. } = story.run().state else { panic!("{:?}", story.run()) };
        assert_eq!(next_at, Timestamp(story.now.0 + wait));
        story.now = next_at;
    }
    story.report(running(6));
    story.wait(60);
    assert_eq!(story.work(), Some((1, ClipWork::Poll(worker_id(1)))));
    story.apply(polled(1, running(7)));
    assert_eq!(story.wait(15).work(), Some((1, ClipWork::Poll(worker_id(1)))));
}

#[test]
fn a_refused_submission_is_sent_again_after_growing_waits() {
    let mut story = Story::waiting();
    for (asked, waited) in [(None, 5), (None, 10), (Some(60), 60), (Some(1), 40)] {
        story.apply(Event::ClaimSubmission);
        story.apply(refused(1, asked, false));
        assert_eq!(story.ignored(refused(1, None, false)), Ignored::Repeated);
        story.wait(waited - 1);
        assert_eq!((story.work(), story.ignored(Event::ClaimSubmission)), (None, Ignored::NothingToDo));
        story.wait(1);
        assert_eq!(story.work(), Some((1, ClipWork::Submit)));
    }
    assert!(story.job.is_unwanted(2) && !story.job.is_unwanted(1));
}

#[test]
fn a_job_that_is_always_refused_fails() {
    let mut story = Story::waiting();
    story.apply(Event::ClaimSubmission);
    story.apply(refused(1, None, true));
    assert_eq!(story.job.status, ClipStatus::Failed);
    assert_eq!(story.job.error.as_deref(), Some("The worker refused the job: busy"));
    assert_eq!(story.notified(), [(OutboundEvent::ClipsFailed, None)]);
    assert_eq!(story.raised(), [Cause::ClipsFailed]);
    assert_eq!(story.credits(), [released(1)]);
    assert_eq!(story.effects(), [], "the worker has nothing to cancel");

    let mut story = Story::waiting();
    for refusals in 1..=story.policy.refusals {
        assert_eq!(story.job.status, ClipStatus::Queued, "{refusals}");
        story.apply(Event::ClaimSubmission);
        story.apply(refused(1, None, false));
        story.wait(300);
    }
    assert_eq!(story.job.error.as_deref(), Some("The worker refused the job 20 times: busy"));
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let mut story = Story::unclear();
    assert_eq!(story.ignored(Event::SubmissionLost { number: 1 }), Ignored::Repeated);
    assert_eq!(story.ignored(Event::ClaimSubmission), Ignored::NothingToDo);
    assert_eq!(story.ignored(looked_up(LookedUp::Missing)), Ignored::NothingToDo, "too early");
    story.wait(15);
    assert_eq!(story.work(), Some((1, ClipWork::LookUp)));
    story.apply(looked_up(LookedUp::Unanswered));
    story.wait(15);
    story.apply(looked_up(LookedUp::Missing));
    assert_eq!(story.ignored(looked_up(LookedUp::Missing)), Ignored::NothingToDo, "a second launcher");
    story.wait(23);
    let mut found = story.clone();
    story.apply(looked_up(LookedUp::Missing));
    assert_eq!(story.work(), Some((1, ClipWork::Submit)), "it was never there");

    found.apply(looked_up(LookedUp::Found(worker_id(1))));
    assert_eq!((found.run().id(), found.run().number), (Some(&worker_id(1)), 1));
    assert_eq!(found.notified(), [(OutboundEvent::ClipsStarted, None)]);
    assert_eq!(found.ignored(looked_up(LookedUp::Missing)), Ignored::Repeated);
}

#[test]
fn a_launcher_that_is_lost_loses_the_answer() {
    let mut story = Story::waiting();
    story.apply(Event::ClaimSubmission);
    assert_eq!(story.job.due_at, Some(START.after(story.policy.submit_lease)));
    story.sweep();
    assert!(matches!(story.run().state, WorkerState::Unclear { lookups: 0, .. }));
}

#[test]
fn a_report_shows_that_the_worker_has_a_submission_whose_answer_is_lost_or_late() {
    for mut story in [Story::unclear(), {
        let mut story = Story::waiting();
        story.apply(Event::ClaimSubmission);
        story
    }] {
        story.apply(webhook(1, running(20)));
        assert_eq!(story.run().id(), Some(&worker_id(1)));
        assert_eq!((story.job.status, story.job.run.progress), (ClipStatus::Running, 20));
        assert_eq!(story.notified(), [(OutboundEvent::ClipsStarted, None)]);
        assert_eq!(story.ignored(Event::Submitted { number: 1, id: worker_id(1) }), Ignored::Repeated);
    }
    // Without the worker's id the look-ups go on, and one of them finds it.
    let mut story = Story::unclear();
    story.wait(15).apply(looked_up(LookedUp::Missing));
    let report = Box::new(running(20));
    story.apply(Event::Reported { number: 1, id: None, report, polled: false });
    assert!(matches!(story.run().state, WorkerState::Unclear { lookups: 0, .. }));
    story.apply(looked_up(LookedUp::Found(worker_id(1))));
    assert_eq!(story.notified(), [], "it has started before");
}

#[test]
fn a_submission_that_was_never_sent_has_no_reports() {
    let story = Story::waiting();
    assert_eq!(story.ignored(webhook(1, running(20))), Ignored::Stale);
    assert_eq!(story.ignored(Event::Submitted { number: 1, id: worker_id(1) }), Ignored::Stale);
    let own = Story::own();
    assert_eq!(own.ignored(webhook(1, running(20))), Ignored::Stale);
    assert_eq!(own.ignored(Event::ClaimSubmission), Ignored::NothingToDo);
}

#[test]
fn a_worker_that_forgets_a_submission_gets_it_once_more_under_a_new_number() {
    let poll_failed = |number: u32, missing: bool| Event::PollFailed { number, missing };
    let mut story = Story::submitted();
    story.report(running(40));
    assert_eq!(story.ignored(poll_failed(1, true)), Ignored::NothingToDo, "too early");
    story.wait(60).apply(poll_failed(1, true));
    assert_eq!(story.ignored(poll_failed(1, true)), Ignored::NothingToDo, "a second launcher");
    story.wait(15).apply(poll_failed(1, false));
    assert!(!story.is_waiting());
    story.wait(60).apply(poll_failed(1, true));
    assert!(story.is_waiting());
    assert_eq!((story.run().number, story.run().lost, story.job.run.progress), (2, 1, 40));
    let index = ClipEffect::Index { number: 2, worker_id: None };
    assert_eq!(story.effects()[0], index);
    assert_ne!(story.job.external_id().as_deref(), Some(UUID));
    assert_eq!(story.ignored(webhook(1, completed(1))), Ignored::Stale, "the old number's late completion");

    story.submit();
    assert_eq!(story.notified(), [], "the attempt has started before");
    story.wait(60).apply(polled(2, running(10)));
    assert_eq!(story.job.run.progress, 40);
    for _ in 0..2 {
        assert_eq!(story.job.status, ClipStatus::Running);
        story.wait(60).apply(poll_failed(2, true));
    }
    assert_eq!(story.job.status, ClipStatus::Failed);
    let error = "The worker has lost the job, which was submitted 2 times";
    assert_eq!(story.job.error.as_deref(), Some(error));
    assert_eq!((story.effects(), story.credits()), (vec![], vec![released(1)]));
}

#[test]
fn an_answered_poll_shows_that_the_worker_still_has_the_submission() {
    let missing = Event::PollFailed { number: 1, missing: true };
    let mut story = Story::submitted();
    for _ in 0..5 {
        story.wait(60).apply(missing.clone());
        story.wait(60).apply(polled(1, report(ReportKind::Queued)));
    }
    assert_eq!((story.run().number, story.job.status), (1, ClipStatus::Queued));
}

#[test]
fn a_job_without_reports_ends_by_polling_and_one_that_never_ends_by_the_deadline() {
    let mut story = Story::submitted();
    while story.job.status == ClipStatus::Queued {
        story.sweep();
        if let Some(event) = story.asked() {
            story.apply(event);
        }
    }
    assert_eq!((story.job.status, story.ready()), (ClipStatus::Succeeded, vec![true, true]));

    let mut queued = Story::submitted();
    let deadline = queued.run().deadline.unwrap();
    assert_eq!(deadline, START.after(queued.policy.queued));
    queued.now = deadline;
    queued.apply(Event::Tick);
    assert_eq!(queued.job.error.as_deref(), Some("The worker did not begin the job within 1440 min"));

    let mut story = Story::submitted();
    story.report(running(5));
    assert_eq!(story.run().deadline, Some(START.after(story.policy.deadline)));
    story.now = START.after(story.policy.deadline);
    story.apply(Event::Tick);
    assert_eq!(story.job.status, ClipStatus::Failed);
    assert_eq!(story.job.error.as_deref(), Some("The worker did not end the job within 480 min"));
    assert_eq!(story.effects(), [ClipEffect::CancelWork { number: 1 }]);
    assert_eq!((story.credits(), story.job.due_at), (vec![released(1)], None));
    assert_eq!(story.ignored(webhook(1, completed(3))), Ignored::Ended);
    assert!(story.job.is_unwanted(1));

    let mut never = Story::unclear();
    never.now = deadline;
    never.apply(Event::Tick);
    let error = "The answer to the submission was lost, and nothing came within 1440 min";
    assert_eq!(never.job.error.as_deref(), Some(error));
}

#[test]
fn the_time_in_the_queue_of_the_worker_does_not_count_as_running() {
    let mut story = Story::submitted();
    story.wait(7 * 3600).apply(Event::Tick);
    assert_eq!(story.job.status, ClipStatus::Queued);
    story.report(running(5));
    let deadline = story.now.after(story.policy.deadline);
    story.wait(3 * 3600).apply(Event::Tick);
    story.report(running(90));
    assert_eq!((story.job.status, story.run().deadline), (ClipStatus::Running, Some(deadline)), "it begins once");
    story.report(completed(2));
    assert_eq!((story.job.status, story.ready()), (ClipStatus::Succeeded, vec![true, true]));
}

#[test]
fn a_lost_hint_is_sent_again() {
    let mut story = Story::waiting();
    story.sweep();
    assert_eq!(story.effects(), [ClipEffect::Work { delay_s: 0 }]);
    assert_eq!(story.job.due_at, Some(story.now.after(story.policy.hint_grace)));
    assert_eq!(story.ignored(Event::Tick), Ignored::NothingToDo);
}

#[test]
fn a_submission_is_found_by_each_id_that_the_worker_has_for_it() {
    let mut story = Story::submitted();
    for seconds in [60, 60] {
        story.wait(seconds).apply(Event::PollFailed { number: 1, missing: true });
    }
    story.submit();
    let second = story.job.external_id().unwrap();
    assert_eq!(story.job.submission_with_id(UUID), Some(1));
    assert_eq!(story.job.submission_with_id(&second), Some(2));
    assert_eq!(story.job.submission_with_id("w-2"), Some(2));
    assert_eq!(story.job.submission_with_id("w-1"), None);
    assert_eq!(Story::own().job.submission_with_id(UUID), None);
}

#[test]
fn a_cancellation_that_the_worker_does_not_confirm_is_sent_again() {
    let again = |number: u32| Event::CancelUnconfirmed { number };
    let mut story = Story::submitted();
    assert_eq!(story.ignored(again(1)), Ignored::Stale, "the job needs it");
    story.apply(Event::Cancel);
    story.apply(again(1));
    assert_eq!((story.effects(), story.job.status), (vec![ClipEffect::CancelWork { number: 1 }], ClipStatus::Canceled));
    story.apply(Event::Retry { reserved: RESERVED });
    assert_eq!(story.ignored(again(2)), Ignored::Stale);
    story.apply(again(1));
    assert!(story.effects().contains(&ClipEffect::CancelWork { number: 1 }));
    // The first one cancels.
    story.apply(Event::Delete);
    story.apply(Event::Delete);
    story.apply(again(2));
    assert_eq!((story.effects(), story.job.due_at), (vec![ClipEffect::CancelWork { number: 2 }], None));
    assert!(story.job.is_deleted() && story.credits().is_empty());
}

//! The invariants of a job before an event, the event, and the job after it.

use reelhook_app::views::captions::step_shown;
use reelhook_domain::*;

use crate::story::*;

/// Only commands, and a confirmed success after a render timeout, leave or amend a final state.
pub fn invariant_a_final_state_absorbs_every_callback(before: &Job, event: &Event, after: &Job) {
    if !before.status.is_final() {
        return;
    }
    let awaits_video =
        before.status == Status::Completed && before.run.render_timed_out() && before.run.video_url.is_none();
    match event {
        Event::Cancel
        | Event::Retry
        | Event::Complete { .. }
        | Event::Monitor
        | Event::LogArchived
        | Event::DeleteVideo
        | Event::Delete => {}
        Event::RenderChecked {
            state: Some(RenderState { status: RenderStatus::Succeeded, url: Some(url), .. }),
            ..
        } if awaits_video => {
            assert_eq!((after.status, after.run.video_url.as_deref()), (Status::Completed, Some(url.as_written())));
            assert!(!after.run.render_timed_out());
            assert_eq!(notified(after), [OutboundEvent::Completed]);
        }
        // A success is reported but not confirmed yet: only the polling of the confirmation changes.
        Event::RenderReported { .. } | Event::RenderChecked { .. } | Event::Tick if awaits_video => {
            let asks = |effect: &Effect| match effect {
                Effect::Job(JobEffect::CheckRender { check, .. }) => *check == 0,
                other => matches!(other, Effect::Log { .. } | Effect::CountLog { .. } | Effect::PackHistory),
            };
            assert!(after.outbox.iter().all(asks), "a success that is not confirmed yet does {:?}", after.outbox);
            let bare = |job: &Job| {
                let mut job = job.clone();
                (job.version, job.updated_at, job.due_at) = (0, Timestamp::EPOCH, None);
                (job.ledger.log, job.ledger.counted) = (LogTally::default(), LogTally::default());
                job.history = None;
                if let Engine::External(external) = &mut job.run.engine {
                    external.render.iter_mut().for_each(|render| render.polls = None);
                }
                job.outbox.clear();
                job
            };
            assert_eq!(bare(after), bare(before));
        }
        callback => panic!("{callback:?} changes a {} job to {}", before.status.name(), after.status.name()),
    }
}

pub fn invariant_progress_never_falls_within_an_attempt(before: &Job, after: &Job) {
    assert!(after.run.progress <= 100);
    if before.run.attempt == after.run.attempt {
        assert!(
            before.run.progress <= after.run.progress,
            "progress falls from {} to {}",
            before.run.progress,
            after.run.progress
        );
    } else {
        assert_eq!((after.status, after.run.progress), (Status::Pending, 0), "a new attempt starts over");
    }
}

pub fn invariant_an_older_attempt_changes_nothing(job: &Job, event: &Event, decision: &Decision) {
    let nothing = |reasons: &[Ignored]| {
        let right = matches!(decision, Decision::Ignore(reason) if reasons.contains(reason));
        assert!(right, "{event:?} is of an older attempt, but: {decision:?}");
    };
    let of_a_run = match event {
        Event::Started { attempt, .. } | Event::StartDeferred { attempt, .. } | Event::RunFailed { attempt, .. } => {
            Some(*attempt)
        }
        Event::RunHere { attempt, .. }
        | Event::ClaimPiece { attempt }
        | Event::Composed { attempt, .. }
        | Event::PieceProgressed { attempt, .. }
        | Event::PieceDeferred { attempt, .. }
        | Event::PieceDone { attempt, .. }
        | Event::PieceFailed { attempt, .. } => Some(*attempt),
        Event::Step { attempt, .. } => *attempt,
        Event::RenderReported { render, .. } | Event::RenderChecked { render, .. } => {
            // A report without a token may add an older run's render to the present run, which then owns it.
            if job.render_id() != Some(render) {
                nothing(&[Ignored::OtherRender, Ignored::FinalJob]);
            }
            None
        }
        Event::Claim
        | Event::Cancel
        | Event::Clear { .. }
        | Event::Retry
        | Event::Complete { .. }
        | Event::Monitor
        | Event::LogArchived
        | Event::DeleteVideo
        | Event::Delete
        | Event::Tick => None,
    };
    if of_a_run.is_some_and(|attempt| attempt < job.run.attempt) {
        let deleted = job.deleted_at.is_some();
        nothing(&[if deleted { Ignored::FinalJob } else { Ignored::StaleAttempt }]);
    }
}

pub fn invariant_each_change_is_one_version(before: &Job, after: &Job, now: Timestamp) {
    assert_eq!((after.version, after.updated_at), (before.version + 1, now));
}

/// The outbox of the version before has no influence on the next one, except on its history.
pub fn invariant_the_outbox_is_replaced(story: &Story, event: &Event, decision: &Decision) {
    let mut emptied = story.clone();
    emptied.job.outbox.clear();
    let without_history = |decision: Decision| match decision {
        Decision::Apply(mut job) => {
            job.history = None;
            job.outbox.retain(|effect| *effect != Effect::PackHistory);
            Decision::Apply(job)
        }
        other => other,
    };
    assert_eq!(without_history(emptied.decide(event)), without_history(decision.clone()));
}

/// What a version logged and showed is kept by each later one until it was packed and others after it; a job that ends packs
/// what is left.
pub fn invariant_the_history_is_whole_until_it_is_packed(before: &Job, after: &Job) {
    if after.deleted_at.is_some() {
        assert!(after.kept().is_empty() && after.unpacked().is_empty());
        return;
    }
    let packs = before.outbox.contains(&Effect::PackHistory);
    let unpacked = if packs { Vec::new() } else { before.unpacked() };
    let (kept, since) = if packs {
        (before.unpacked(), before.history.as_ref().map_or(before.version, History::packed))
    } else {
        (before.kept(), before.kept_since())
    };
    let own = |kept: Vec<Recorded>| -> Vec<Recorded> {
        kept.into_iter().chain(after.kept().into_iter().filter(|recorded| recorded.version == after.version)).collect()
    };
    assert_eq!((after.kept(), after.kept_since(), after.unpacked()), (own(kept), since, own(unpacked)));
    if after.status.is_final() {
        assert_eq!(after.outbox.contains(&Effect::PackHistory), !after.unpacked().is_empty(), "{after:?}");
    }
    assert!(after.unpacked().len() <= 64 && after.kept().len() <= 128, "the item is bounded");
}

pub fn invariant_attempt_and_retries_rise_together(before: &Job, after: &Job) {
    let risen = after.run.attempt - before.run.attempt;
    assert!(risen <= 1);
    assert_eq!(after.retries.used - before.retries.used, risen);
}

pub fn invariant_emitted_matches_the_notifications(before: &Job, after: &Job, now: Timestamp) {
    let notified = after.outbox.iter().enumerate().filter_map(|(index, effect)| match effect {
        Effect::Notify { event, .. } => {
            let id = EventId::of(&after.id, after.version, index);
            Some(Emitted { id, event: *event, about: None, version: after.version, at: now })
        }
        _ => None,
    });
    let all: Vec<Emitted> = before.emitted.iter().cloned().chain(notified).collect();
    assert!(all.ends_with(&after.emitted), "emitted {:?} out of {all:?}", after.emitted);
    assert!(after.emitted.len() == all.len() || after.emitted.len() >= 16, "an emitted event is lost");
}

pub fn invariant_the_video_is_notified_once(before: &Job, after: &Job) {
    let comes = before.run.video_url.is_none() && after.run.video_url.is_some();
    let expected = match after.kind {
        JobKind::Workflow => OutboundEvent::Completed,
        JobKind::Video => OutboundEvent::VideoCompleted,
    };
    let notified = notified(after).into_iter().filter(|event| *event == expected).count();
    assert_eq!(notified, usize::from(comes));
    assert!(after.run.video_url.is_none() || after.status == Status::Completed);
}

pub fn invariant_times_and_error_fit_the_status(job: &Job) {
    let status = job.status;
    assert_eq!(job.run.times.completed_at.is_some(), status == Status::Completed);
    assert_eq!(job.run.times.failed_at.is_some(), status == Status::Failed);
    assert_eq!(job.run.times.cancelled_at.is_some(), status == Status::Cancelled);
    assert_eq!(job.run.error.is_some(), matches!(status, Status::Failed | Status::Cancelled));
    assert!(job.run.times.started_at.is_some() || status == Status::Pending || status.is_final());
    assert!(job.run.retry_after.is_none() || status == Status::Pending);
}

/// Pages parse the step from the caption, which names no step before the current one.
pub fn invariant_no_text_names_an_earlier_step(job: &Job) {
    if job.kind == JobKind::Video {
        return;
    }
    let (text, under_way) = (&job.run.caption, steps_of(job).current.min(7));
    let shown = step_shown(text);
    match job.status {
        Status::Pending | Status::Cancelled => assert_eq!(shown, None, "{text}"),
        Status::Processing => assert!(shown.is_none_or(|shown| shown >= under_way), "at step {under_way}: {text}"),
        Status::Rendering => assert_eq!(shown, Some(7), "{text}"),
        Status::Failed => assert!(text.starts_with("FAILED"), "{text}"),
        Status::Completed => {}
    }
}

pub fn invariant_what_is_not_final_is_due(job: &Job) {
    let confirming = job.run.render_timed_out() && job.run.video_url.is_none() && polls_of(job).is_some();
    let rests = job.status.is_final() && !confirming;
    assert_eq!(job.due_at.is_none(), rests, "{} and due {:?}", job.status.name(), job.due_at);
}

/// The sweep changes a due job; a late sweep may have to catch up with several checks.
pub fn invariant_a_due_job_moves_on(story: &Story) {
    let mut swept = story.clone();
    let Some(due) = swept.job.due_at else { return };
    swept.now = swept.now.max(due);
    for _ in 0..=story.policy.render_checks.len() + 1 {
        match swept.decide(&Event::Tick) {
            Decision::Apply(next) => swept.job = *next,
            other => panic!("a {} job that is due stays as it is: {other:?}", swept.job.status.name()),
        }
        if swept.job.due_at.is_none_or(|due| due > swept.now) {
            return;
        }
    }
    panic!("the sweep never finishes this job: {:#?}", swept.job);
}

//! The invariants of a clip job before an event, the event, and the job after it.

use std::collections::BTreeMap;

use reelhook_domain::clips::event::{Event, ReportKind};
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::request::MAX_CLIPS;
use reelhook_domain::clips::run::WorkerState;
use reelhook_domain::*;

use super::story::*;

fn is_command(event: &Event) -> bool {
    match event {
        Event::Cancel | Event::Delete | Event::Retry { .. } | Event::Recut { .. } => true,
        Event::ClaimSubmission
        | Event::Submitted { .. }
        | Event::SubmissionRefused { .. }
        | Event::SubmissionLost { .. }
        | Event::CancelUnconfirmed { .. }
        | Event::LookedUp { .. }
        | Event::Reported { .. }
        | Event::PollFailed { .. }
        | Event::ClaimPiece
        | Event::PieceProgressed { .. }
        | Event::PieceDone { .. }
        | Event::NotCovered { .. }
        | Event::PieceFailed { .. }
        | Event::Tick => false,
    }
}

pub fn invariant_each_change_is_one_version(before: &ClipJob, after: &ClipJob, now: Timestamp) {
    assert_eq!((after.version, after.updated_at), (before.version + 1, now));
}

/// Within an attempt nothing that people count falls.
pub fn invariant_nothing_falls_within_an_attempt(before: &ClipJob, after: &ClipJob) {
    let (was, is) = (&before.run, &after.run);
    if was.attempt != is.attempt {
        assert_eq!(is.attempt, was.attempt + 1);
        return;
    }
    assert!(is.progress >= was.progress && is.clips_completed >= was.clips_completed, "{was:?} {is:?}");
    assert!(is.progress <= 100 && is.shown_progress <= is.progress);
    let (had, has) = (before.credits.reserved, after.credits.reserved);
    assert!(!after.has_reservation() || has >= had, "{had} credits are reserved, and then {has}");
    let ready =
        |job: &ClipJob| job.clips.iter().filter(|clip| clip.is_ready()).map(|clip| clip.index).collect::<Vec<_>>();
    let is_ready = ready(after);
    assert!(ready(before).iter().all(|index| is_ready.contains(index)), "a clip is lost");
}

/// Only commands leave a final state. What comes later fills what was empty, and ends pieces: it notifies only of a clip that
/// was cut again.
pub fn invariant_a_final_state_absorbs_every_report(before: &ClipJob, event: &Event, after: &Story) {
    if !before.status.is_final() || is_command(event) {
        return;
    }
    let job = &after.job;
    assert_eq!((job.status, job.ended_at), (before.status, before.ended_at), "{event:?}");
    assert_eq!((job.run.attempt, job.run.progress), (before.run.attempt, before.run.progress), "{event:?}");
    assert_eq!(after.effects(), [], "{event:?}");
    let is_cut = matches!(event, Event::PieceDone { .. }) && job.run.engine.own().is_some();
    let is_allowed = |event: OutboundEvent| is_cut && event == OutboundEvent::ClipReady;
    assert!(
        after.notified().iter().all(|(event, _)| is_allowed(*event)),
        "{event:?} notifies of {:?}",
        after.notified()
    );
}

/// One reservation is open at most: that of the present attempt. It ends once, with the attempt or with its measurement.
pub fn invariant_each_reservation_ends_once(ends: &mut BTreeMap<String, u64>, story: &Story) {
    let job = &story.job;
    let end = |effect: CreditEffect| match effect {
        CreditEffect::Settle { reservation, credits, .. } => (reservation, credits),
        CreditEffect::Release { reservation } => (reservation, 0),
    };
    for (reservation, charge) in story.credits().into_iter().map(end) {
        assert_eq!(reservation, job.reservation(), "the effect names another attempt");
        assert_eq!(ends.insert(reservation, charge), None, "a reservation ends twice");
    }
    assert_eq!(
        job.ended_reservations().map(end).collect::<BTreeMap<_, _>>(),
        *ends,
        "a repair would settle something else"
    );
    let has_ended = |attempt: u32| ends.contains_key(&reservation(attempt));
    assert!((1..job.run.attempt).all(has_ended), "an earlier attempt has an open reservation");
    let is_measured = job.pieces.list.iter().any(|piece| piece.task == ClipPiece::Measure);
    let is_over = job.status.is_final() && !is_measured;
    assert_eq!(has_ended(job.run.attempt), is_over, "{} {:?}", job.status.name(), job.pieces);
    assert_eq!(job.has_reservation(), !is_over);
    assert_eq!(job.credits.charged, ends.values().sum::<u64>());
    assert!(!is_over || job.credits.reserved == 0);
}

/// Effects name the present submission, and only one that the worker may have is canceled.
pub fn invariant_no_effect_names_a_stale_submission(before: &ClipJob, story: &Story) {
    let number = |job: &ClipJob| job.run.engine.worker().map(|run| run.number);
    for effect in story.effects() {
        match effect {
            ClipEffect::Work { .. } => assert!(!story.job.status.is_final()),
            ClipEffect::Index { number: named, .. } => assert_eq!(Some(named), number(&story.job)),
            ClipEffect::CancelWork { number: named } => {
                assert_eq!((Some(named), Some(named)), (number(before), number(&story.job)));
                assert_eq!(story.run().state, WorkerState::Ended);
            }
        }
    }
    if let (Some(was), Some(is)) = (number(before), number(&story.job)) {
        assert!(was == is || is == was + 1, "{was} {is}");
    }
}

/// What is under way is due some time, and what rests is not.
pub fn invariant_what_is_under_way_is_due(job: &ClipJob) {
    let is_under_way = !job.status.is_final() || !job.pieces.list.is_empty();
    assert_eq!(job.due_at.is_some(), is_under_way, "{} and due {:?}", job.status.name(), job.due_at);
    assert!(job.hinted_at.is_none() || !job.status.is_final());
    assert_eq!(job.status.is_final(), job.ended_at.is_some());
}

/// Each cut is the present one of its clip, and the end of an attempt leaves only copies, measurements and new cuts.
pub fn invariant_pieces_are_of_the_present(job: &ClipJob) {
    for piece in &job.pieces.list {
        assert!(!piece.done);
        match &piece.task {
            ClipPiece::Cut { index, cut } => assert_eq!(job.clip(*index).map(|clip| clip.cuts), Some(*cut)),
            ClipPiece::CopyClip { index } => {
                let clip = job.clip(*index).expect("the clip of a copy");
                assert!(clip.file.as_ref().is_some_and(|file| file.is_to_copy()));
            }
            ClipPiece::Probe | ClipPiece::Plan => assert!(!job.status.is_final()),
            ClipPiece::CopyTranscript | ClipPiece::CopyPlan => {}
            ClipPiece::Measure => assert_eq!(job.status, ClipStatus::Succeeded),
        }
    }
    assert!(job.clips.windows(2).all(|pair| pair[0].index < pair[1].index), "the clips are not in order");
}

/// The item of a job has at most 400 KB.
pub fn invariant_a_job_is_small(job: &ClipJob) {
    let bytes = |json: serde_json::Result<String>| json.unwrap().len();
    assert!(bytes(serde_json::to_string(&job.outbox)) <= 32 * 1024);
    assert!(bytes(serde_json::to_string(&job.clips)) <= 300 * 1024);
    assert!(job.clips.len() <= usize::try_from(MAX_CLIPS).unwrap());
    assert!(job.run.stage.chars().count() <= 200);
    assert!(job.error.as_ref().is_none_or(|error| error.chars().count() <= 1000));
    assert!(job.emitted.len() <= 16);
}

/// The sweep changes a due job until it is due later.
pub fn invariant_a_due_job_moves_on(story: &Story) {
    let mut swept = story.clone();
    let Some(due) = swept.job.due_at else { return };
    swept.now = swept.now.max(due);
    for _ in 0..60 {
        swept.apply(Event::Tick);
        if swept.job.due_at.is_none_or(|due| due > swept.now) {
            return;
        }
    }
    panic!("the sweep never finishes this job: {:#?}", swept.job);
}

/// What ended something ends nothing a second time.
pub fn invariant_an_end_counts_once(story: &Story, event: &Event) {
    let ends = match event {
        Event::Reported { report, .. } => match report.kind {
            ReportKind::Completed | ReportKind::Failed | ReportKind::Canceled => true,
            ReportKind::Queued | ReportKind::Running => false,
        },
        // That of a job which is under way cancels it, and the next one deletes it.
        Event::Delete => story.job.is_deleted(),
        Event::Cancel
        | Event::Retry { .. }
        | Event::Recut { .. }
        | Event::ClaimSubmission
        | Event::Submitted { .. }
        | Event::SubmissionRefused { .. }
        | Event::SubmissionLost { .. }
        | Event::LookedUp { .. }
        | Event::PollFailed { .. }
        | Event::PieceDone { .. }
        | Event::NotCovered { .. }
        | Event::PieceFailed { .. } => true,
        Event::CancelUnconfirmed { .. } | Event::ClaimPiece | Event::PieceProgressed { .. } | Event::Tick => false,
    };
    if ends {
        let again = story.decide(event);
        assert!(!matches!(again, Decision::Apply(_)), "{event:?} counts twice: {again:?}");
    }
}

//! What events and effects of a job use besides its own item, which is counted where it is stored. It says what fanout and
//! the launcher do with effects, so who changes that changes these rules; the test of the receipt compares them.

use std::ops::Add as _;

use crate::jobs::job::Job;
use crate::jobs::task::ExternalTask;
use crate::jobs::usage::Usage;
use crate::videos::render::RenderTask;
use crate::{Effect, Event, JobEffect, StepUpdate};

const NOTHING: Usage = Usage::NOTHING;
/// The request that creates a job: it leases a call of its caller's limit, and counts jobs by two reads of 0.5 units.
const CREATED: Usage = Usage { runs: 1, requests: 1, writes: 1, half_reads: 2, ..NOTHING };
/// A report or a callback. The first ten a minute lease no call.
const REPORTED: Usage = Usage { runs: 1, requests: 1, ..NOTHING };
/// A report that names a render reads the callback that may have come before it.
const NAMED: Usage = Usage { half_reads: 2, ..REPORTED };
/// A command of a person.
const COMMANDED: Usage = Usage { runs: 1, requests: 1, writes: 1, ..NOTHING };
/// A claim writes the job and the admission item in one transaction. The start goes on from the claimed job in memory,
/// without what the store counted for the claim: so the write of the job is here, and its read is that which the store
/// counts for the start, though that reads nothing.
const CLAIMED: Usage = Usage { writes: 4, ..NOTHING };
/// A hint and the run that it causes.
const HINTED: Usage = Usage { runs: 1, hints: 1, ..NOTHING };
/// A hint to start something: the admission item and the waiting jobs are read until nothing more can start.
const START: Usage = Usage { half_reads: 3, ..HINTED };
/// The start of a job looks for another one.
const STARTED: Usage = Usage { half_reads: 3, ..NOTHING };
/// A slot is freed in the admission item, which is read before.
const FREED: Usage = Usage { writes: 1, half_reads: 2, ..NOTHING };
/// A hint after which a parked callback, or the job before it is changed, is read.
const LOOKED_UP: Usage = Usage { half_reads: 2, ..HINTED };
/// The flag that there are viewers, which who saves the version reads, or else `fanout`.
const SHOWN: Usage = Usage { half_reads: 1, ..NOTHING };
/// The row of packed lines and live events, and its entry in an index: of a job with some twenty lines they have two KB, and a
/// little more than one.
const PACKED: Usage = Usage { writes: 4, ..NOTHING };
/// Two counters in one transaction.
const COUNTED: Usage = Usage { writes: 4, ..NOTHING };
/// The run of fanout for a version with effects.
const FANNED_OUT: Usage = Usage { runs: 1, ..NOTHING };

/// What the first version of a job uses.
pub(super) fn of_new(outbox: &[Effect]) -> Usage {
    CREATED + of_effects(outbox)
}

/// What an event uses that changes a job, with the effects of the version that it leads to.
pub(super) fn of_change(before: &Job, event: &Event, outbox: &[Effect]) -> Usage {
    of_event(before, event) + of_effects(outbox)
}

fn of_event(before: &Job, event: &Event) -> Usage {
    match event {
        Event::Claim => CLAIMED,
        Event::Started { .. } | Event::RunHere { .. } => STARTED,
        Event::Step { update, .. } if names_render(before, update) => NAMED,
        Event::Step { .. } | Event::RenderReported { .. } => REPORTED,
        // An end that its callback confirmed at once, or a person's look at the render.
        Event::RenderChecked { check: 0, .. } if !is_confirming(before) => REPORTED,
        Event::PieceDone { claim, .. } => Usage { frames: frames(before, *claim), ..NOTHING },
        // They come with hints, which are counted where they are sent, or from the due sweep, which runs anyway.
        Event::StartDeferred { .. }
        | Event::RunFailed { .. }
        | Event::RenderChecked { .. }
        | Event::ClaimPiece { .. }
        | Event::Composed { .. }
        | Event::PieceProgressed { .. }
        | Event::PieceDeferred { .. }
        | Event::PieceFailed { .. }
        | Event::Tick => NOTHING,
        Event::Cancel
        | Event::Clear { .. }
        | Event::Retry
        | Event::Complete { .. }
        | Event::Monitor
        | Event::LogArchived
        | Event::DeleteVideo
        | Event::Delete => COMMANDED,
    }
}

fn of_effects(outbox: &[Effect]) -> Usage {
    let has_count = outbox.iter().any(|effect| matches!(effect, Effect::Count { .. }));
    let of = |effect: &Effect| match effect {
        Effect::Start { .. } => START,
        // A hint follows if other jobs wait, and is theirs.
        Effect::FreeSlot { .. } => FREED,
        Effect::PackHistory => PACKED,
        Effect::Count { .. } => COUNTED,
        Effect::CountLog { .. } if !has_count => COUNTED,
        Effect::Draw { hints, .. } => Usage { runs: u64::from(*hints), hints: u64::from(*hints), ..NOTHING },
        Effect::Job(JobEffect::CheckRender { .. } | JobEffect::ApplyParked { .. }) => LOOKED_UP,
        Effect::Job(JobEffect::CancelWorker { .. }) => HINTED,
        Effect::Live { .. } => SHOWN,
        // The item keeps lines. Webhooks are counted for themselves, and jobs raise no errors and reserve no credits.
        Effect::Log { .. }
        | Effect::CountLog { .. }
        | Effect::Notify { .. }
        | Effect::RaiseError(_)
        | Effect::ResolveError(_)
        | Effect::RemoveFiles { .. }
        | Effect::Purge
        | Effect::Project(_)
        | Effect::Clips(_)
        | Effect::Credits(_) => NOTHING,
    };
    // A version that only logs and shows needs no run.
    let kept = |effect: &Effect| matches!(effect, Effect::Log { .. } | Effect::Live { .. });
    let run = if outbox.iter().all(kept) { NOTHING } else { FANNED_OUT };
    outbox.iter().map(of).fold(run, Usage::add)
}

/// Whether a report names a render that the job does not know yet.
fn names_render(job: &Job, update: &StepUpdate) -> bool {
    update.render_id.as_ref().is_some_and(|render| job.render_id() != Some(render))
}

/// Whether a check of the render was sent because its end was reported.
fn is_confirming(job: &Job) -> bool {
    job.run.engine.render().is_some_and(ExternalTask::is_confirming)
}

/// The frames of the piece with this claim, if it draws or has drawn.
fn frames(job: &Job, claim: u32) -> u64 {
    let Some(run) = job.run.engine.pieces() else { return 0 };
    let pieces = run.pieces.iter().flat_map(|pieces| &pieces.list);
    let held = |claimed: u32| claimed == claim;
    let piece = pieces.into_iter().find(|piece| piece.claim.as_ref().is_some_and(|claim| held(claim.number)));
    match piece.map(|piece| (&piece.task, piece.size)) {
        Some((RenderTask::Draw { .. } | RenderTask::Remote { .. }, size)) => u64::from(size),
        Some((RenderTask::Compose | RenderTask::Join { .. }, _)) | None => 0,
    }
}

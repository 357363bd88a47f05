//! The reservation of an attempt: raised when the source was probed, and ended by a charge or a release, exactly once.

use super::change::Change;
use crate::clips::job::ClipPiece;
use crate::clips::request::{Range, Source};
use crate::clips::status::ClipStatus;
use crate::credits::effect::CreditEffect;
use crate::credits::price::Basis;

/// The source was probed before anything is cut: the attempt reserves what its clips cost, if that is more than before.
pub(super) fn raise(change: &mut Change<'_>) {
    let credits = change.job.estimate(change.policy.price);
    let reserved = &mut change.job.credits.reserved;
    *reserved = credits.max(*reserved);
}

/// Why nothing is cut for an account with so many credits that are not reserved.
pub(super) fn insufficient(change: &Change<'_>, available: i64) -> String {
    let needed = change.job.estimate(change.policy.price);
    let has = available.saturating_add(i64::try_from(change.job.credits.reserved).unwrap_or(i64::MAX));
    format!("Insufficient credits: the clips of this source cost {needed}, and the account has {has}")
}

/// The attempt made nothing: nothing is charged.
pub(super) fn release(change: &mut Change<'_>) {
    if change.job.has_reservation() {
        let reservation = end(change, 0);
        change.then(CreditEffect::Release { reservation });
    }
}

/// The attempt made clips. If no length is known and the source is a file, a renderer measures it first.
pub(super) fn charge(change: &mut Change<'_>) {
    match change.job.known_length() {
        Some((ms, basis)) => settle(change, ms, basis),
        None => match change.job.request.source {
            Source::File(_) | Source::Upload(_) => change.open(ClipPiece::Measure),
            Source::Page(_) => by_clips(change),
        },
    }
}

/// The source was measured, or could not be.
pub(super) fn measured(change: &mut Change<'_>, ms: Option<u64>) {
    let Some(ms) = ms else { return by_clips(change) };
    change.job.run.source_ms = Some(ms);
    // The client may have replaced the file by a shorter one since the worker read it.
    if shown_by_clips(change) > ms { by_clips(change) } else { settle(change, ms, Basis::Probed) }
}

/// No measurement is needed any more.
pub(super) fn without_measurement(change: &mut Change<'_>) {
    if change.job.status == ClipStatus::Succeeded {
        by_clips(change);
    }
}

fn by_clips(change: &mut Change<'_>) {
    let ms = shown_by_clips(change);
    settle(change, ms, Basis::Clips);
}

/// The length that the clips show, in milliseconds: their sum, or the end of the last one if that is more.
fn shown_by_clips(change: &Change<'_>) -> u64 {
    let clips = &change.job.clips;
    let lengths = clips.iter().filter_map(|clip| clip.duration_ms.or(clip.range.map(Range::length_ms)));
    let ends = clips.iter().filter_map(|clip| Some(clip.range?.end_ms));
    lengths.fold(0, u64::saturating_add).max(ends.max().unwrap_or(0))
}

fn settle(change: &mut Change<'_>, ms: u64, basis: Basis) {
    if change.job.has_reservation() {
        let (credits, basis) = change.policy.price.based_on(ms, basis);
        let reservation = end(change, credits);
        change.job.credits.basis = Some(basis);
        change.then(CreditEffect::Settle { reservation, credits, basis });
    }
}

/// Ends the reservation on the job; returns its id.
fn end(change: &mut Change<'_>, charged: u64) -> String {
    let (reservation, attempt) = (change.job.reservation(), change.job.run.attempt);
    let credits = &mut change.job.credits;
    credits.reserved = 0;
    credits.charged = credits.charged.saturating_add(charged);
    credits.settled_attempt = attempt;
    reservation
}

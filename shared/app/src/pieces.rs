//! Pieces from a renderer's side, for aggregates of any kind: claim one, keep its lease with heartbeats, and report its
//! outcome (ADR 21).

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use reelhook_domain::pieces::Pieces;
use reelhook_domain::{Aggregate, Timestamp, TraceParent};

use crate::change::{AggregateStore, ChangeError, Changed, change};
use crate::clock::{ClockAndRandom, Timer};
use crate::metrics::life::Measured;
use crate::metrics::{MetricName, count, record, time};
use crate::retry::Retry;

/// Attempts at a claim when many renderers of one aggregate start at once; each makes several attempts at a change.
const CLAIM_ATTEMPTS: u32 = 5;

/// The outcome of a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceOutcome {
    /// No piece was open.
    NothingOpen,
    /// A piece is done, waits, or failed, and its aggregate was updated.
    Reported,
    /// The piece belongs to another claim, or its aggregate has ended.
    Lost,
}

/// The latest time at which an invocation starts another piece: when two thirds of its time are left, so that each piece
/// has about as much time as the first one.
pub fn last_start(began: Timestamp, deadline: Timestamp) -> Timestamp {
    deadline.before(deadline.since(began) / 3 * 2)
}

/// An aggregate with pieces, and the ports of its changes.
pub(crate) struct PieceOwner<'a, A: Aggregate> {
    /// The aggregate's id.
    pub id: &'a A::Id,
    /// The run attempt of a job; none for other aggregates.
    pub attempt: Option<u32>,
    /// The aggregate's store.
    pub store: &'a dyn AggregateStore<A>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// Times the heartbeats.
    pub timer: &'a dyn Timer,
    /// The aggregate's policy.
    pub policy: &'a A::Policy,
    /// The time between two heartbeats.
    pub heartbeat_interval: Duration,
}

/// What the work on a piece came to, with the event that reports it.
pub(crate) enum PieceReport<E> {
    /// It is done.
    Done(E),
    /// It waits for an outside service.
    Waits(E),
    /// It failed.
    Failed(E),
}

/// The work on the pieces of one kind of aggregates.
#[async_trait]
pub(crate) trait PieceWork: Sync {
    /// The kind of the aggregate.
    type Of: Measured;
    /// The work of a piece.
    type Task: Clone + Debug + Send + Sync;
    /// Whether the units of its pieces are frames.
    const UNITS_ARE_FRAMES: bool = true;

    /// The pieces of an aggregate, if it has any now.
    fn pieces(of: &Self::Of) -> Option<&Pieces<Self::Task>>;

    /// The event that claims an open piece.
    fn claim_event(&self) -> <Self::Of as Aggregate>::Event;

    /// The event of a heartbeat of a claim, with the units that are done.
    fn heartbeat_event(&self, claim: u32, units: u32) -> <Self::Of as Aggregate>::Event;

    /// Performs the work of a claimed piece, keeps the number of its units that are done in `units`, and returns the
    /// report of the result or the failure; none if the aggregate ended on the way.
    async fn perform(
        &self,
        of: &Self::Of,
        claim: u32,
        task: &Self::Task,
        units: &Arc<AtomicU32>,
    ) -> Option<PieceReport<<Self::Of as Aggregate>::Event>>;

    /// Saves what the report of a result or of a failure changes, and does what follows from it.
    async fn report(
        &self,
        owner: &PieceOwner<'_, Self::Of>,
        event: &<Self::Of as Aggregate>::Event,
    ) -> Result<Changed<Self::Of>, ChangeError> {
        save(owner, event).await
    }
}

/// Processes pieces one after the other, until none is open or `last_start` is reached; returns the number of reported
/// ones. A piece whose hint was lost is thus claimed by the next renderer, before the due sweep.
pub(crate) async fn process_all<W: PieceWork>(
    owner: &PieceOwner<'_, W::Of>,
    work: &W,
    last_start: Timestamp,
) -> Result<usize, ChangeError> {
    let mut reported = 0;
    while process_one(owner, work).await? == PieceOutcome::Reported {
        reported += 1;
        if owner.clock.now() >= last_start {
            break;
        }
    }
    Ok(reported)
}

/// Claims an open piece, performs its task, and reports the outcome. After an error the piece is open again when its
/// lease ends.
pub(crate) async fn process_one<W: PieceWork>(
    owner: &PieceOwner<'_, W::Of>,
    work: &W,
) -> Result<PieceOutcome, ChangeError> {
    let (id, attempt) = (owner.id, owner.attempt);
    let Changed::Applied(of) = claim_piece(owner, &work.claim_event()).await? else {
        return Ok(PieceOutcome::NothingOpen);
    };
    let Some((claim, task)) = newest_claim::<W>(&of) else { return Ok(PieceOutcome::NothingOpen) };
    let trace = TraceParent::of_aggregate(&*of);
    let trace_id = trace.trace_id();
    tracing::info!(job_id = %id, attempt, claim, ?task, trace_id, "claimed a piece");
    let began = owner.clock.now();
    let units = Arc::new(AtomicU32::new(0));
    let lease = Box::pin(keep_lease(owner, work, claim, &units));
    let report = match select(work.perform(&of, claim, &task, &units), lease).await {
        Either::Right((reason, _)) => {
            tracing::info!(job_id = %id, attempt, claim, ?reason, trace_id, "lost a piece");
            count(MetricName::PiecesEnded, [of.family().name(), "lost"]);
            return Ok(PieceOutcome::Lost);
        }
        Either::Left((Some(report), _)) => report,
        Either::Left((None, _)) => return Ok(PieceOutcome::Reported),
    };
    let frames = if W::UNITS_ARE_FRAMES { units.load(Ordering::Relaxed) } else { 0 };
    let event = measured(report, of.family().name(), frames, owner.clock.now().since(began));
    let changed = work.report(owner, &event).await?;
    let duration_ms = owner.clock.now().millis_since(began);
    tracing::info!(job_id = %id, attempt, claim, duration_ms, outcome = changed.name(), trace_id, "reported a piece");
    match changed {
        Changed::Applied(_) => Ok(PieceOutcome::Reported),
        Changed::Ignored(..) | Changed::Rejected(..) | Changed::NotFound => Ok(PieceOutcome::Lost),
    }
}

/// Records what the work on a piece came to; the event that reports it.
fn measured<E>(report: PieceReport<E>, family: &'static str, frames: u32, took: Duration) -> E {
    match report {
        PieceReport::Done(event) => {
            count(MetricName::PiecesEnded, [family, "done"]);
            time(MetricName::PieceDuration, took, [family]);
            if frames > 0 {
                record(MetricName::FramesRendered, f64::from(frames), []);
            }
            event
        }
        PieceReport::Waits(event) => event,
        PieceReport::Failed(event) => {
            count(MetricName::PiecesEnded, [family, "failed"]);
            event
        }
    }
}

async fn claim_piece<A: Aggregate>(owner: &PieceOwner<'_, A>, event: &A::Event) -> Result<Changed<A>, ChangeError> {
    let mut retry = Retry::new(owner.clock, CLAIM_ATTEMPTS);
    // The first attempt begins at once.
    retry.attempt().await;
    loop {
        let claimed = save(owner, event).await;
        let contended = matches!(claimed, Err(ChangeError::Contended(_)));
        if !contended || !retry.attempt().await {
            return claimed;
        }
    }
}

/// Saves what an event changes.
///
/// # Errors
/// [`ChangeError`].
pub(crate) async fn save<A: Aggregate>(owner: &PieceOwner<'_, A>, event: &A::Event) -> Result<Changed<A>, ChangeError> {
    change(owner.store, owner.clock, owner.policy, owner.id, event).await
}

/// The claim with which an aggregate was just saved, and the task of its piece.
fn newest_claim<W: PieceWork>(of: &W::Of) -> Option<(u32, W::Task)> {
    let pieces = W::pieces(of)?;
    let index = pieces.claimed(pieces.claims)?;
    Some((pieces.claims, pieces.list[index].task.clone()))
}

/// Sends heartbeats until the claim is lost; returns why it is, if the aggregate still exists.
async fn keep_lease<W: PieceWork>(
    owner: &PieceOwner<'_, W::Of>,
    work: &W,
    claim: u32,
    units: &AtomicU32,
) -> Option<<W::Of as Aggregate>::Ignored> {
    loop {
        owner.timer.after(owner.heartbeat_interval).await;
        let event = work.heartbeat_event(claim, units.load(Ordering::Relaxed));
        match save(owner, &event).await {
            Ok(Changed::Applied(_)) => {}
            Ok(Changed::Ignored(reason, _)) => return Some(reason),
            Ok(Changed::Rejected(..) | Changed::NotFound) => return None,
            // The lease outlasts several missed heartbeats.
            Err(error) => {
                let (id, attempt) = (owner.id, owner.attempt);
                tracing::warn!(job_id = %id, attempt, claim, %error, "failed to save a heartbeat");
            }
        }
    }
}

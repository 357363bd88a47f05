//! Results of renderers that raise what an attempt reserves: the new version of the job and its reservation are written in
//! one transaction.

use reelhook_domain::clips::event::Event;
use reelhook_domain::credits::ledger::Balance;
use reelhook_domain::{Aggregate, ClipJob, ClipJobId, Decision};

use crate::change::{ChangeError, Changed, change, change_loaded};
use crate::clips::requests::create::reservation;
use crate::clips::store::{AttemptPorts, Reserved};
use crate::credits::ledger::Reservation;
use crate::retry::Retry;

/// Attempts at a change; each conflict means that another writer succeeded.
const ATTEMPTS: u32 = 12;

/// Saves what a report of a renderer changes. If the account has not the credits that the new version reserves, the job
/// fails instead.
///
/// # Errors
/// [`ChangeError`] if the store fails or every attempt ends in a conflict.
pub async fn report_piece(
    ports: &AttemptPorts<'_>,
    id: &ClipJobId,
    event: &Event,
) -> Result<Changed<ClipJob>, ChangeError> {
    let Event::PieceDone { claim, .. } = event else {
        return change(ports.jobs, ports.clock, ports.policy, id, event).await;
    };
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let Some(current) = ports.jobs.load(id).await? else { return Ok(Changed::NotFound) };
        let next = match current.decide(event, ports.clock.now(), ports.policy) {
            Decision::Apply(next) if next.credits.reserved > current.credits.reserved => next,
            Decision::Apply(_) | Decision::Ignore(_) | Decision::Reject(_) => {
                return change_loaded(ports.jobs, ports.clock, ports.policy, current, event).await;
            }
        };
        let (held, credits) = (Some(current.credits.reserved), next.credits.reserved);
        let raised = Reservation { held, ..reservation(&next, credits, ports.limited) };
        match ports.attempts.save_attempt(&next, &raised).await? {
            Reserved::Done => return Ok(Changed::Applied(next)),
            Reserved::Insufficient(balance) => {
                let event = not_covered(*claim, &next, &balance);
                return change(ports.jobs, ports.clock, ports.policy, id, &event).await;
            }
            Reserved::Conflict | Reserved::Repeated(_) => {}
        }
    }
    Err(ChangeError::Contended(id.clone().into()))
}

/// The event of a result whose version was not saved.
fn not_covered(claim: u32, unsaved: &ClipJob, balance: &Balance) -> Event {
    let (source_ms, available) = (unsaved.run.source_ms.unwrap_or_default(), balance.available());
    tracing::info!(job_id = %unsaved.id, claim, needed = unsaved.credits.reserved, available, "the account is not covered");
    Event::NotCovered { claim, source_ms, available }
}

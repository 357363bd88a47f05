//! Stages 4 to 6 for one endpoint: its attempts, concurrently, with their slot, and what is reported after them.

use std::pin::pin;
use std::time::Duration;

use futures_channel::mpsc::UnboundedSender;
use futures_channel::oneshot::{Receiver, channel};
use futures_util::future::{Either, join, join_all, select};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use reelhook_domain::{AttemptClaim, BatchOutcome};

use super::health::{self, Report};
use super::ports::DeliverPorts;
use super::types::{DueDelivery, EndpointBatch, EndpointSlot, Finished};
use super::{record, send};
use crate::webhooks::endpoints::recent::RecentSlot;

/// How long before a slot stops counting it is extended.
const EXTENSION_MARGIN: Duration = Duration::from_millis(200);

/// An attempt that has ended.
struct Ended {
    result: BatchOutcome,
    took: Duration,
    recorded: Receiver<bool>,
}

/// Sends the deliveries of one endpoint concurrently, and reports their results to its health once they are recorded.
pub(super) async fn attempt(ports: &DeliverPorts<'_>, batch: EndpointBatch, finished: UnboundedSender<Finished>) {
    let EndpointBatch { slot, due } = batch;
    // Operational events cause no operational events about their receiver, so that no loop arises.
    let notifies = due.iter().any(|due| !due.delivery.event.is_operational());
    let (ended, extended) = with_slot(ports, &slot, send_all(ports, &slot, due, &finished)).await;
    drop(finished);
    let outcome = total(&ended);
    // Claims are released only when their attempts are recorded.
    let recorded = join_all(ended.into_iter().map(|ended| ended.recorded)).await;
    let claims = slot.slot.claims.iter().zip(recorded);
    let unrecorded: Vec<AttemptClaim> =
        claims.filter(|(_, recorded)| *recorded != Ok(true)).map(|(claim, _)| *claim).collect();
    let all_recorded = unrecorded.is_empty();
    let report = Report { outcome, notifies, unrecorded, extended };
    let revision = health::report(ports, &slot, report).await;
    if all_recorded {
        let recent = RecentSlot { holder: slot.slot.holder, revision, batches: slot.batches };
        ports.endpoint_cache.recent.give_back(&slot.endpoint.id, recent, ports.clock.now());
    }
}

async fn send_all(
    ports: &DeliverPorts<'_>,
    slot: &EndpointSlot,
    due: Vec<DueDelivery>,
    finished: &UnboundedSender<Finished>,
) -> Vec<Ended> {
    let endpoint = &*slot.endpoint;
    let attempts = due.into_iter().map(|due| async {
        let sent = send::send(ports, endpoint, due).await;
        let (result, took, index) = (sent.result, sent.took, sent.index);
        let change = record::finish(ports, endpoint, sent).await;
        let (sender, recorded) = channel();
        // The receiver of the channel lives as long as the batch.
        let _ = finished.unbounded_send(Finished { index, change, recorded: sender });
        Ended { result, took, recorded }
    });
    // Unlike `join_all`, it polls only the attempts that were woken; it begins with those that were added last.
    let mut sent = FuturesOrdered::new();
    attempts.rev().for_each(|attempt| sent.push_front(attempt));
    sent.collect().await
}

/// Waits for attempts, and extends their slot before it stops counting; whether it was extended.
async fn with_slot<T>(ports: &DeliverPorts<'_>, slot: &EndpointSlot, attempts: impl Future<Output = T>) -> (T, bool) {
    let EndpointSlot { endpoint, slot, .. } = slot;
    if slot.busy_until >= slot.until {
        return (attempts.await, false);
    }
    let usual = slot.busy_until.since(ports.clock.now()).saturating_sub(EXTENSION_MARGIN);
    match select(pin!(attempts), ports.timer.after(usual)).await {
        Either::Left((ended, _)) => (ended, false),
        Either::Right(((), attempts)) => {
            let extended = slot.extended();
            let (ended, saved) = join(attempts, ports.admission.extend(&endpoint.id, &extended)).await;
            if let Err(error) = saved {
                tracing::warn!(endpoint_id = %endpoint.id, %error, "slot not extended, others may be sent beside it");
            }
            (ended, true)
        }
    }
}

fn total(ended: &[Ended]) -> BatchOutcome {
    let mut total = BatchOutcome::default();
    let mut total_time = Duration::ZERO;
    for Ended { result, took, .. } in ended {
        total.accepted += result.accepted;
        total.failed += result.failed;
        total.overloaded |= result.overloaded;
        total.pause_until = total.pause_until.max(result.pause_until);
        total_time += *took;
    }
    let count = u64::try_from(ended.len()).unwrap_or(1).max(1);
    total.latency_ms = u64::try_from(total_time.as_millis()).unwrap_or(u64::MAX) / count;
    total
}

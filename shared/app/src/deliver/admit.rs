//! Which of an endpoint's deliveries go now: its limits are asked once for all of a batch.

use std::sync::Arc;
use std::time::Duration;

use reelhook_domain::{Asking, EndpointId, Held, Outcome, Verdict};

use super::{Asked, Change, DeliverPorts, Group, Ready, one, tell_disabled};
use crate::callback::{self, callback_id};
use crate::directory::Known;
use crate::retry::Retry;
use crate::store::StoreError;

/// How long settings may differ between functions: each keeps them for five minutes.
const SETTINGS_SPREAD: Duration = Duration::from_secs(600);
/// How long a delivery waits for its endpoint to become known.
const SETTINGS_RETRY: Duration = Duration::from_secs(30);
/// How long a delivery waits for the key that opens its endpoint, until its event is kept no longer.
const SEALED_RETRY: Duration = Duration::from_secs(300);
/// Attempts at admission before a group waits: each conflict means that another invocation is sending to the endpoint.
const ATTEMPTS: u32 = 5;
/// How long it waits then, with as much jitter again.
const CROWDED: Duration = Duration::from_secs(1);

/// Those of a group that go, where there is an endpoint, and those that wait or end.
pub(super) type Sides = (Option<Group>, Vec<Change>);

/// Asks the limits of an endpoint which of its deliveries go.
pub(super) async fn admit(
    ports: &DeliverPorts<'_>,
    id: EndpointId,
    asked: Vec<Asked>,
) -> (Result<Sides, StoreError>, Vec<usize>) {
    let indexes = asked.iter().map(|asked| asked.index).collect();
    (verdicts(ports, &id, asked).await, indexes)
}

async fn verdicts(ports: &DeliverPorts<'_>, id: &EndpointId, asked: Vec<Asked>) -> Result<Sides, StoreError> {
    let holder = ports.ambient.random() as u64;
    let mut state = ports.store.endpoint(id).await?;
    let mut last = None;
    let callback = asked.first().and_then(|asked| asked.event.callback.as_ref());
    let own = callback.filter(|callback| callback_id(&callback.url) == *id);
    let own = own.and_then(|callback| callback::endpoint(&callback.url, ports.settings));
    let mut retry = Retry::new(ports.ambient, ATTEMPTS);
    while retry.attempt().await {
        let known = match &own {
            Some(endpoint) => Known::Endpoint(Arc::clone(endpoint)),
            None => ports.find(id, &state).await?,
        };
        let endpoint = match known {
            Known::Endpoint(endpoint) => endpoint,
            Known::Removed => {
                let gone = |asked: Asked| one::end(ports, asked.index, &asked.delivery, &Outcome::Gone);
                return Ok((None, asked.into_iter().map(gone).collect()));
            }
            Known::Sealed => {
                let until = ports.ambient.now().after(SEALED_RETRY);
                let wait = |asked: Asked| one::hold(ports, asked.index, &asked.delivery, until, Held::Settings, None);
                return Ok((None, asked.into_iter().map(wait).collect()));
            }
            Known::Unknown => return Ok((None, asked.into_iter().map(|asked| unknown(ports, &asked)).collect())),
        };
        let now = ports.ambient.now();
        let asking: Vec<Asking> = asked.iter().map(|one| one.delivery.asking(endpoint.policy.rate, now)).collect();
        let admitted = state.admit(&endpoint.policy, &asking, holder, now);
        if let Some(next) = &admitted.next
            && let Some(now) = ports.store.admit(id, &state, next).await?
        {
            state = now;
            last = Some(endpoint);
            continue;
        }
        if state.disabled_at.is_some() && !state.told {
            tell_disabled(ports, &endpoint).await;
        }
        let rate = Some(endpoint.policy.rate);
        let mut group = Group {
            endpoint: Arc::clone(&endpoint),
            state,
            holder,
            probe: admitted.probe,
            admitted: admitted.verdicts.contains(&Verdict::Go),
            going: Vec::with_capacity(asked.len()),
        };
        let mut waiting = Vec::new();
        for (Asked { index, delivery, event }, verdict) in asked.into_iter().zip(admitted.verdicts) {
            match verdict {
                Verdict::Go => group.going.push(Ready { index, delivery, event, endpoint: Arc::clone(&endpoint) }),
                Verdict::Wait(until, held) => waiting.push(one::hold(ports, index, &delivery, until, held, rate)),
                Verdict::Stop => waiting.push(one::end(ports, index, &delivery, &Outcome::Disabled)),
            }
        }
        return Ok((Some(group), waiting));
    }
    // So many send to it at this moment that waiting for one's turn would only hold the batch up.
    let now = ports.ambient.now();
    let rate = last.map(|endpoint| endpoint.policy.rate);
    let wait = |Asked { index, delivery, .. }: Asked| {
        let until = now.after(CROWDED + CROWDED.mul_f64(3.0 * ports.ambient.fraction()));
        let keeps = rate.is_some_and(|rate| delivery.asking(rate, now).has_place && rate.still_holds(until, now));
        one::hold(ports, index, &delivery, until, if keeps { Held::Rate } else { Held::Line }, rate)
    };
    Ok((None, asked.into_iter().map(wait).collect()))
}

/// A delivery whose endpoint nobody knows: whoever made it may have read newer settings, which are the same everywhere
/// after a while.
fn unknown(ports: &DeliverPorts<'_>, asked: &Asked) -> Change {
    let now = ports.ambient.now();
    if now < asked.delivery.wanted_since().after(SETTINGS_SPREAD) {
        one::hold(ports, asked.index, &asked.delivery, now.after(SETTINGS_RETRY), Held::Settings, None)
    } else {
        one::end(ports, asked.index, &asked.delivery, &Outcome::Gone)
    }
}

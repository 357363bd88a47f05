//! Admissions that take long or conflict with those of other batches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::deliver::{DeliverPorts, EndpointAdmission, deliver};
use reelhook_domain::{AttemptClaim, EndpointId, EndpointState, Slot};
use reelhook_testkit::{MemoryDeliveries, NOON, ScriptedHttp, Stack, a_delivery};

use super::{hint, with_one};

/// Admissions of which those to one endpoint take until a webhook was sent to another.
struct SlowAdmission<'a> {
    deliveries: &'a MemoryDeliveries,
    http: &'a ScriptedHttp,
    slow: EndpointId,
}

#[async_trait]
impl EndpointAdmission for SlowAdmission<'_> {
    async fn admit(
        &self,
        id: &EndpointId,
        was: &EndpointState,
        next: &EndpointState,
    ) -> Result<Option<EndpointState>, StoreError> {
        for _ in 0..1000 {
            if *id != self.slow || !self.http.requests().is_empty() {
                return self.deliveries.admit(id, was, next).await;
            }
            tokio::task::yield_now().await;
        }
        panic!("the other endpoint waits for this one, and its lease has begun");
    }

    async fn extend(&self, id: &EndpointId, slot: &Slot) -> Result<(), StoreError> {
        self.deliveries.extend(id, slot).await
    }
}

#[tokio::test]
async fn an_attempt_does_not_wait_for_the_admission_to_another_endpoint() {
    let stack = Stack::with(&[("WEBHOOK_URLS", "https://a.example/,https://b.example/")], 3);
    let hints: Vec<_> = stack
        .settings
        .endpoints
        .iter()
        .map(|endpoint| {
            let (delivery, event) = a_delivery(1, endpoint, NOON);
            stack.deliveries.put_event(&event);
            stack.deliveries.put_delivery(&delivery);
            hint(&delivery)
        })
        .collect();
    let slow = stack.settings.endpoints[0].id.clone();
    let admission = SlowAdmission { deliveries: &stack.deliveries, http: &stack.http, slow };
    let ports = DeliverPorts { admission: &admission, ..stack.deliver_ports() };
    assert!(deliver(&ports, &hints).await.iter().all(Result::is_ok));
    assert_eq!((stack.http.requests().len(), stack.deliveries.unfinished()), (2, 0));
}

/// Admissions that conflict each time; the last conflict is with a batch that has claimed a delivery.
struct Conflicts {
    claim: AttemptClaim,
    conflicts: AtomicU64,
}

/// Attempts at an admission.
const ATTEMPTS: u64 = 5;

#[async_trait]
impl EndpointAdmission for Conflicts {
    async fn admit(
        &self,
        _: &EndpointId,
        was: &EndpointState,
        _: &EndpointState,
    ) -> Result<Option<EndpointState>, StoreError> {
        let conflict = self.conflicts.fetch_add(1, Ordering::Relaxed) + 1;
        let mut stored = EndpointState { revision: conflict, ..was.clone() };
        if conflict == ATTEMPTS {
            let until = NOON.after(Duration::from_secs(60));
            let claims = vec![self.claim];
            let slot = Slot { holder: 99, attempts: 1, until, busy_until: until, started_at: NOON, claims };
            stored.concurrency.slots.push(slot);
        }
        Ok(Some(stored))
    }

    async fn extend(&self, _: &EndpointId, _: &Slot) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_delivery_that_the_last_conflict_has_claimed_keeps_its_version() {
    let (stack, delivery) = with_one(&[]);
    let admission = Conflicts { claim: AttemptClaim::new(delivery.id, 1), conflicts: AtomicU64::new(0) };
    let ports = DeliverPorts { admission: &admission, ..stack.deliver_ports() };
    assert!(deliver(&ports, &[hint(&delivery)]).await.remove(0).is_ok());
    assert_eq!(admission.conflicts.load(Ordering::Relaxed), ATTEMPTS);
    assert_eq!(stack.deliveries.only(), delivery, "its attempt decides when it is due again");
    assert!(stack.hints.waiting().is_empty());
}

//! Recovery: counts and replays the deliveries that match a filter, despite crashes, each of them once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::endpoints::EndpointStateStore;
use reelhook_app::webhooks::recover::{
    self, RECOVERY_LEASE, RecoverPorts, RecoveryRequest, RecoveryStore, Started, cancel, resume, resume_all,
};
use reelhook_app::webhooks::recovery::{Filter, Recovery, RecoveryId, RecoveryStatus};
use reelhook_domain::{
    AttemptClaim, Delivery, DeliveryId, DeliveryStatus, EndpointId, EndpointState, Metadata, OutboundEvent, Slot,
    Timestamp,
};
use reelhook_testkit::{Fault, MemoryDeliveries, NOON, Stack, a_delivery, header};

const HOUR: i64 = 3_600_000;
/// A time budget that is never used up.
const LONG: Duration = Duration::from_secs(3600);

/// Deliveries over three days to two endpoints: of ten, six are exhausted, two stopped, one delivered, one pending.
fn with(count: u32) -> Stack {
    let urls = ("WEBHOOK_URLS", "https://a.example/,https://b.example/");
    let stack = Stack::with(&[urls, ("WEBHOOK_RATE_LIMIT_MAX", "1000000"), ("WEBHOOK_CONCURRENCY", "1000")], 3);
    for n in 0..count {
        let at = Timestamp(NOON.millis() - 72 * HOUR + i64::from(n) * (72 * HOUR / i64::from(count)));
        let (mut delivery, event) = a_delivery(n, &stack.settings.endpoints[(n / 10 % 2) as usize], at);
        delivery.created_at = at;
        delivery.next_attempt_at = Timestamp(NOON.millis() + 24 * HOUR);
        delivery.status = match n % 10 {
            0..6 => DeliveryStatus::Exhausted,
            6..8 => DeliveryStatus::Stopped,
            8 => DeliveryStatus::Delivered,
            _ => DeliveryStatus::Pending,
        };
        stack.deliveries.put_event(&event);
        stack.deliveries.put_delivery(&delivery);
    }
    stack
}

fn lost() -> Filter {
    Filter {
        from: Timestamp(NOON.millis() - 72 * HOUR),
        to: NOON,
        endpoint: None,
        event: None,
        statuses: vec![DeliveryStatus::Exhausted, DeliveryStatus::Stopped],
    }
}

/// Starts a recovery without a key.
async fn begin(stack: &Stack, filter: Filter, dry_run: bool, budget: Duration) -> Recovery {
    let requested = RecoveryRequest { filter, dry_run, metadata: Metadata::default(), key: None };
    match recover::begin(&stack.recover_ports(), requested, budget).await.unwrap() {
        Started::Recovery(recovery) => *recovery,
        Started::KeyReused => panic!("there is no key"),
    }
}

fn by_id(stack: &Stack) -> BTreeMap<DeliveryId, Delivery> {
    stack.deliveries.all().into_iter().map(|one| (one.id, one)).collect()
}

#[tokio::test]
async fn a_dry_run_counts_everything_and_changes_nothing() {
    let stack = with(1000);
    let before = by_id(&stack);
    let check = async |filter: Filter, expected: u64| {
        let done = begin(&stack, filter.clone(), true, LONG).await;
        assert_eq!((done.status, done.matched, done.replayed), (RecoveryStatus::Done, expected, 0), "{filter:?}");
        assert_eq!((done.progress(), done.due_at), (100, None));
    };
    check(lost(), 800).await;
    check(Filter { statuses: vec![DeliveryStatus::Delivered], ..lost() }, 100).await;
    check(Filter { endpoint: Some("webhook_2".to_owned()), ..lost() }, 400).await;
    check(Filter { endpoint: Some(stack.settings.endpoints[0].id.to_string()), ..lost() }, 400).await;
    check(Filter { event: Some(OutboundEvent::Timeout), ..lost() }, 0).await;
    check(Filter { event: Some(OutboundEvent::Completed), ..lost() }, 800).await;
    let day =
        Filter { from: Timestamp(NOON.millis() - 36 * HOUR), to: Timestamp(NOON.millis() - 12 * HOUR - 1), ..lost() };
    let within = |one: &&Delivery| (day.from..=day.to).contains(&one.created_at) && day.statuses.contains(&one.status);
    check(day.clone(), before.values().filter(within).count() as u64).await;
    assert_eq!(by_id(&stack), before);
    assert!(stack.hints.sent().is_empty());
}

#[tokio::test]
async fn ten_thousand_are_sent_once_each_through_crashes_and_faults() {
    let stack = with(10_000);
    let before = by_id(&stack);
    let ports = stack.recover_ports();
    let begun = begin(&stack, lost(), false, Duration::ZERO).await;
    assert_eq!((begun.status, begun.examined), (RecoveryStatus::Running, 100), "the request itself processes one page");
    let mut crashes = 0;
    for round in 0.. {
        assert!(round < 1000, "the recovery never ends");
        // The process crashes after some steps.
        let mut working = Box::pin(resume_all(&ports, stack.world.now().after(LONG)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut ended = false;
        for _ in 0..1 + round % 4 {
            if working.as_mut().poll(&mut context).is_ready() {
                ended = true;
                break;
            }
        }
        drop(working);
        crashes += usize::from(!ended);
        match round % 3 {
            0 => stack.recoveries.faults.inject("save_recovery", [Fault::Pass, Fault::LostAnswer]),
            1 => stack.deliveries.faults.inject("save", [Fault::Pass, Fault::LostAnswer, Fault::Busy]),
            _ => stack.hints.faults.busy("send", 1),
        }
        stack.world.advance(RECOVERY_LEASE);
        if stack.recoveries.recovery(&begun.id).await.unwrap().unwrap().status == RecoveryStatus::Done {
            break;
        }
    }
    assert!(crashes >= 20, "{crashes} crashes");
    let done = stack.recoveries.recovery(&begun.id).await.unwrap().unwrap();
    assert_eq!((done.examined, done.matched, done.replayed), (10_000, 8000, 8000));
    stack.deliveries.faults.clear();
    stack.hints.faults.clear();
    let waiting = || stack.deliveries.all().iter().any(|one| one.replay && one.status == DeliveryStatus::Pending);
    for round in 0.. {
        assert!(round < 20, "replayed deliveries are still pending");
        stack.world.advance_s(60);
        stack.sweep().await;
        stack.dispatch().await;
        if !waiting() {
            break;
        }
    }
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for request in stack.http.requests() {
        assert_eq!(header(&request, "webhook-replay"), "true");
        *sent.entry(header(&request, "webhook-id")).or_default() += 1;
    }
    assert!(sent.values().all(|times| *times == 1));
    let wanted = before.values().filter(|one| lost().statuses.contains(&one.status));
    assert_eq!(sent.into_keys().collect::<Vec<_>>(), {
        let mut ids: Vec<String> = wanted.map(|one| one.id.webhook_id()).collect();
        ids.sort();
        ids
    });
    for (id, after) in by_id(&stack) {
        if lost().statuses.contains(&before[&id].status) {
            assert_eq!(after.status, DeliveryStatus::Delivered);
        } else {
            assert_eq!(after, before[&id], "deliveries that do not match stay as they are");
        }
    }
}

#[tokio::test]
async fn a_cancelled_recovery_stops_and_its_sent_deliveries_stay_sent() {
    let stack = with(1000);
    let ports = stack.recover_ports();
    let begun = begin(&stack, lost(), false, Duration::ZERO).await;
    let ended = cancel(&ports, &begun.id).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.replayed, ended.due_at), (RecoveryStatus::Cancelled, 80, None));
    assert!(ended.progress() < 100);
    assert_eq!(resume_all(&ports, stack.world.now().after(LONG)).await.unwrap(), 0);
    assert_eq!(resume(&ports, &begun.id, stack.world.now().after(LONG)).await.unwrap(), Some(ended.clone()));
    assert_eq!(stack.deliveries.all().iter().filter(|one| one.replay).count(), 80);
    assert_eq!(cancel(&ports, &begun.id).await.unwrap(), Some(ended), "a second cancellation changes nothing");
    assert_eq!(cancel(&ports, &RecoveryId::of(7)).await.unwrap(), None);
}

#[tokio::test]
async fn deliveries_that_can_t_be_sent_now_are_counted_separately() {
    let stack = with(100);
    stack.deliveries.disable(&stack.settings.endpoints[1].id, "a test", NOON, true).await.unwrap();
    let under_way = Delivery {
        lease_until: Some(stack.world.now().after(LONG)),
        ..stack.deliveries.all().into_iter().find(|one| one.endpoint_name == "webhook_1").unwrap()
    };
    stack.deliveries.overwrite(&Delivery { status: DeliveryStatus::Pending, ..under_way });
    let all = [DeliveryStatus::Exhausted, DeliveryStatus::Stopped, DeliveryStatus::Pending, DeliveryStatus::Delivered];
    let done = begin(&stack, Filter { statuses: all.to_vec(), ..lost() }, false, LONG).await;
    assert_eq!((done.matched, done.replayed, done.under_way, done.disabled), (100, 49, 1, 50));
    assert_eq!(done.status, RecoveryStatus::Done);
}

/// Endpoints at which a batch takes a slot after the first page.
struct ClaimedLater<'a> {
    stored: &'a MemoryDeliveries,
    slot: Slot,
    reads: AtomicUsize,
}

#[async_trait]
impl EndpointStateStore for ClaimedLater<'_> {
    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError> {
        let mut state = self.stored.endpoint(id).await?;
        // The first page has deliveries to both endpoints.
        if self.reads.fetch_add(1, Ordering::Relaxed) >= 2 {
            state.concurrency.slots.push(self.slot.clone());
        }
        Ok(state)
    }

    async fn request_probe(&self, id: &EndpointId) -> Result<(), StoreError> {
        self.stored.request_probe(id).await
    }

    async fn enable(&self, id: &EndpointId) -> Result<(), StoreError> {
        self.stored.enable(id).await
    }

    async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp, notified: bool) -> Result<(), StoreError> {
        self.stored.disable(id, reason, now, notified).await
    }
}

#[tokio::test]
async fn an_attempt_that_begins_during_a_recovery_is_left_alone() {
    let stack = with(100);
    let newest = stack.deliveries.all().into_iter().filter(|one| one.endpoint_name == "webhook_1");
    let newest = newest.filter(|one| one.status == DeliveryStatus::Exhausted).max_by_key(|one| one.created_at).unwrap();
    let until = NOON.after(LONG);
    let claims = vec![AttemptClaim::new(newest.id, newest.attempts + 1)];
    let slot = Slot { holder: 99, attempts: 1, until, busy_until: until, started_at: NOON, claims };
    let endpoints = ClaimedLater { stored: &stack.deliveries, slot, reads: AtomicUsize::new(0) };
    let ports = RecoverPorts { endpoints: &endpoints, ..stack.recover_ports() };
    let requested = RecoveryRequest { filter: lost(), dry_run: false, metadata: Metadata::default(), key: None };
    let Started::Recovery(done) = recover::begin(&ports, requested, LONG).await.unwrap() else { panic!("no key") };
    assert_eq!((done.matched, done.replayed, done.under_way), (80, 79, 1));
    assert_eq!(stack.deliveries.get(newest.id), newest);
    assert_eq!(stack.deliveries.faults.calls("request_probe"), 2, "once for each endpoint");
}

#[tokio::test]
async fn two_workers_on_one_recovery_send_each_delivery_once() {
    let stack = with(1000);
    let ports = stack.recover_ports();
    let begun = begin(&stack, lost(), false, Duration::ZERO).await;
    let until = stack.world.now().after(LONG);
    let (one, other) = tokio::join!(resume(&ports, &begun.id, until), resume(&ports, &begun.id, until));
    assert!(one.is_ok() && other.is_ok());
    let done = resume(&ports, &begun.id, until).await.unwrap().unwrap();
    assert_eq!((done.status, done.matched), (RecoveryStatus::Done, 800));
    assert_eq!((done.replayed, done.under_way), (800, 0));
    assert_eq!(stack.deliveries.all().iter().filter(|one| one.replay).count(), 800);
    assert!(stack.deliveries.all().iter().all(|one| one.version <= 2), "each is changed once");
}

#[tokio::test]
async fn a_repetition_with_the_same_key_starts_no_second_recovery() {
    let stack = with(100);
    let request = async |caller: &str, body: &str| {
        let former = format!("former {body}");
        let key = IdempotencyKey::new(caller, "once", body).formerly_hashed(move || former.clone());
        let filter = Filter { statuses: vec![DeliveryStatus::Delivered], ..lost() };
        let requested = RecoveryRequest { filter, dry_run: false, metadata: Metadata::default(), key: Some(key) };
        recover::begin(&stack.recover_ports(), requested, LONG).await.unwrap()
    };
    let Started::Recovery(first) = request("ann", "body").await else { panic!("a new key") };
    assert_eq!(first.replayed, 10);
    stack.dispatch().await;
    assert_eq!(
        request("ann", "body").await,
        Started::Recovery(first.clone()),
        "a delivery that succeeded since is not replayed"
    );
    assert_eq!(request("ann", "another").await, Started::KeyReused);
    // The record that version 0.1 would have stored.
    let Started::Recovery(old) = request("eve", "former body").await else { panic!("her own key") };
    assert_eq!(request("eve", "body").await, Started::Recovery(old));
    let Started::Recovery(other) = request("bob", "body").await else { panic!("his own key") };
    assert_ne!(other.id, first.id);
    // The record under the caller's former fingerprint.
    let renamed = async |former: &str, body: &str| {
        let former = vec!["older still".to_owned(), former.to_owned()];
        let key = Some(IdempotencyKey::new("ann, since", "once", body).formerly_of(move || former.clone()));
        let requested = RecoveryRequest { filter: lost(), dry_run: false, metadata: Metadata::default(), key };
        recover::begin(&stack.recover_ports(), requested, LONG).await.unwrap()
    };
    assert_eq!(renamed("ann", "body").await, Started::Recovery(first.clone()));
    assert_eq!(renamed("ann", "another").await, Started::KeyReused);
    let Started::Recovery(new) = renamed("unknown", "body").await else { panic!("a new key") };
    assert_ne!(new.id, first.id);
}

#[tokio::test]
async fn waiting_deliveries_are_sent_when_their_endpoint_is_enabled() {
    let stack = with(100);
    let endpoint = &stack.settings.endpoints[0];
    let began = Timestamp(NOON.millis() - 72 * HOUR);
    stack.deliveries.disable(&endpoint.id, "a test", began, true).await.unwrap();
    let waiting = |stack: &Stack| {
        let all = stack.deliveries.all().into_iter();
        all.filter(|one| one.status == DeliveryStatus::Pending && one.endpoint_id == endpoint.id).count()
    };
    assert_eq!(waiting(&stack), 5);
    let woken = recover::enable(&stack.recover_ports(), endpoint, LONG).await.unwrap();
    assert_eq!((woken.status, woken.matched, woken.replayed), (RecoveryStatus::Done, 5, 5));
    assert_eq!(stack.deliveries.endpoint_state(&endpoint.id).disabled_at, None);
    stack.dispatch().await;
    assert_eq!(waiting(&stack), 0);
    assert!(
        stack.http.requests().iter().all(|request| !request.headers.iter().any(|(name, _)| name == "webhook-replay"))
    );
}

//! Calls per minute: the limit is exact across instances that share one counter, and calls are admitted if it fails.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use reelhook_app::limits::{DayIsFull, LeaseStore, Limited, Limiter};
use reelhook_app::store::StoreError;
use reelhook_domain::{CallLimit, Timestamp};
use reelhook_testkit::NOON;

const LIMIT: CallLimit = CallLimit { per_minute: 100, free: 0 };

#[derive(Default)]
struct Counters {
    used: Mutex<BTreeMap<(String, i64), u32>>,
    writes: AtomicUsize,
    broken: bool,
}

#[async_trait]
impl LeaseStore for Counters {
    async fn lease(&self, caller: &str, minute: i64, count: u32, limit: u32) -> Result<u32, StoreError> {
        tokio::task::yield_now().await;
        if self.broken {
            return Err(StoreError::Busy { operation: "lease", source: "throttled".into() });
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        let mut used = self.used.lock().unwrap();
        let used = used.entry((caller.to_owned(), minute)).or_default();
        let granted = limit.saturating_sub(*used).min(count);
        *used += count;
        Ok(granted)
    }
}

#[tokio::test]
async fn many_instances_admit_exactly_the_limit() {
    let counters = Counters::default();
    let instances: Vec<Limiter> = (0..20).map(|_| Limiter::new(LIMIT)).collect();
    let calls = (0..2000).map(|n| instances[n % 20].admit(&counters, "ann", NOON));
    let admitted = join_all(calls).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(admitted, 100);
    // Another caller and another minute have their own limit.
    assert!(instances[0].admit(&counters, "bob", NOON).await.is_ok());
    assert_eq!(instances[0].admit(&counters, "ann", NOON).await, Err(Limited { retry_after_s: 60 }));
    assert!(instances[0].admit(&counters, "ann", NOON.after(Duration::from_secs(60))).await.is_ok());
}

#[tokio::test]
async fn a_caller_with_a_limit_of_its_own_has_that_one_on_all_instances() {
    let counters = Counters::default();
    let instances: Vec<Limiter> = (0..5).map(|_| Limiter::new(LIMIT)).collect();
    for (caller, most) in [("ann", 7), ("bob", 300)] {
        let calls = (0..1000).map(|n| instances[n % 5].admit_up_to(&counters, caller, most, NOON));
        let admitted = join_all(calls).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(admitted, most as usize, "{caller}");
    }
    assert!(instances[0].admit(&counters, "eve", NOON).await.is_ok(), "others keep the limit of all");
}

#[test]
fn a_day_that_is_full_ends_at_midnight_utc() {
    assert_eq!(DayIsFull::new(5, NOON), DayIsFull { most: 5, retry_after_s: 12 * 3600 });
    let late = NOON.start_of_day().after(Duration::from_millis(86_399_900));
    assert_eq!(DayIsFull::new(5, late).retry_after_s, 1);
}

#[tokio::test]
async fn an_instance_that_serves_a_caller_alone_rarely_writes() {
    let (counters, limiter) = (Counters::default(), Limiter::new(LIMIT));
    for _ in 0..100 {
        limiter.admit(&counters, "ann", NOON).await.unwrap();
    }
    let writes = counters.writes.load(Ordering::Relaxed);
    assert!(writes <= 20, "{writes} writes for 100 calls");
    for _ in 0..100 {
        limiter.admit(&counters, "ann", NOON).await.unwrap_err();
    }
    assert!(counters.writes.load(Ordering::Relaxed) <= writes + 1, "a refused call writes nothing");
}

#[tokio::test]
async fn calls_that_can_t_be_counted_are_admitted() {
    let (counters, limiter) = (Counters { broken: true, ..Counters::default() }, Limiter::new(LIMIT));
    for _ in 0..200 {
        limiter.admit(&counters, "ann", NOON).await.unwrap();
    }
}

#[tokio::test]
async fn callers_of_past_minutes_are_forgotten() {
    let (counters, limiter) = (Counters::default(), Limiter::new(LIMIT));
    for n in 0..5000 {
        limiter.admit(&counters, &format!("caller {n}"), Timestamp(NOON.millis() + n * 1000)).await.unwrap();
    }
    let shown = format!("{limiter:?}");
    assert!(shown.matches("caller").count() <= 1000);
}

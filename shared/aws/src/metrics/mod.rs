//! The recorder of a function: collects the values of an invocation, and writes them when it ends, all in one go, in
//! CloudWatch's embedded metric format.

mod emf;
pub mod reader;
mod sdk;

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::metrics::{self, Metric, MetricName, Recorder};
use reelhook_domain::Timestamp;

pub(crate) use sdk::{count_attempt, throttled_part};

use crate::start::SystemClock;

/// The values of this process that are not written yet.
static COLLECTED: OnceLock<Collected> = OnceLock::new();

struct Collected {
    namespace: String,
    function: &'static str,
    /// Whether an invocation has ended.
    is_warm: AtomicBool,
    values: Mutex<Vec<Metric>>,
}

/// Hands values to [`COLLECTED`].
struct Collector;

impl Recorder for Collector {
    fn record(&self, metric: Metric) {
        if let Some(collected) = COLLECTED.get() {
            collected.values().push(metric);
        }
    }
}

impl Collected {
    fn new(namespace: String, function: &'static str) -> Self {
        Self { namespace, function, is_warm: AtomicBool::new(false), values: Mutex::default() }
    }

    fn values(&self) -> MutexGuard<'_, Vec<Metric>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the cold start, if no invocation has ended before.
    fn count_start(&self) {
        if !self.is_warm.swap(true, Ordering::Relaxed) {
            self.values().push(Metric { name: MetricName::ColdStart, by: [self.function, ""], value: 1.0 });
        }
    }

    /// The lines of an invocation that ends at `now`.
    fn take(&self, now: Timestamp) -> String {
        let mut values = self.values();
        let lines = emf::lines(&self.namespace, now, &values);
        values.clear();
        lines
    }
}

/// Starts measuring if POWERTOOLS_METRICS_NAMESPACE, the variable of Powertools for AWS Lambda, names a namespace.
pub(crate) fn start() {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let Some(namespace) = variable("POWERTOOLS_METRICS_NAMESPACE") else { return };
    let function: &'static str = variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "unknown".to_owned()).leak();
    if COLLECTED.set(Collected::new(namespace, function)).is_ok() {
        metrics::install(Collector);
    }
}

/// Runs an invocation, and then writes its values.
pub async fn measured<T>(invocation: impl Future<Output = T>) -> T {
    let answer = invocation.await;
    finish();
    answer
}

/// [`measured`] for a function that nobody waits for, without its cold starts: an idle stack would pay for their metric.
pub async fn measured_without_start<T>(invocation: impl Future<Output = T>) -> T {
    let answer = invocation.await;
    if let Some(collected) = COLLECTED.get() {
        write(collected);
    }
    answer
}

/// Writes the values of an invocation that ends, with its cold start. After its answer the instance may be frozen.
pub fn finish() {
    if let Some(collected) = COLLECTED.get() {
        collected.count_start();
        write(collected);
    }
}

fn write(collected: &Collected) {
    let lines = collected.take(SystemClock.now());
    if !lines.is_empty() {
        let mut out = io::stdout().lock();
        // The log is the only place that could report it.
        let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_invocation_of_an_instance_is_its_cold_start_and_each_starts_empty() {
        let collected = Collected::new("Reelhook/test".to_owned(), "test-fanout");
        collected.values().push(Metric { name: MetricName::DeliveryRetries, by: ["", ""], value: 1.0 });
        collected.count_start();
        let first = collected.take(Timestamp(1));
        assert!(first.contains(r#""ColdStart":1"#) && first.contains(r#""function_name":"test-fanout""#), "{first}");
        assert!(first.contains(r#""DeliveryRetries":1"#) && first.ends_with('\n'), "{first}");
        collected.count_start();
        assert_eq!(collected.take(Timestamp(2)), "");
    }
}

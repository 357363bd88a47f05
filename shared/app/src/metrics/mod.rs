//! What is measured where it happens: a facade as `tracing` is one for log lines. The process installs a recorder at its
//! start; without one, recording is a load of one word and a branch (ADR 64).

pub mod board;
pub(crate) mod deliveries;
pub mod life;
pub mod name;
pub mod prices;
pub mod series;

use std::sync::OnceLock;
use std::time::Duration;

pub use name::{MetricName, Unit};

/// Dimensions of a metric at most, beside the service.
pub const DIMENSIONS: usize = 2;

/// One value of a metric. Values of dimensions are words of the program, so that no text from outside can be one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The metric.
    pub name: MetricName,
    /// The values of its dimensions in their order; empty ones after the last.
    pub by: [&'static str; DIMENSIONS],
    /// The value, in the metric's unit.
    pub value: f64,
}

/// Where values go.
pub trait Recorder: Send + Sync {
    /// Takes one value; it must not wait.
    fn record(&self, metric: Metric);
}

static RECORDER: OnceLock<Box<dyn Recorder>> = OnceLock::new();

/// Installs the recorder of this process; false if it has one.
pub fn install(recorder: impl Recorder + 'static) -> bool {
    RECORDER.set(Box::new(recorder)).is_ok()
}

/// Whether values are recorded, for what would be computed for them alone.
pub fn is_on() -> bool {
    RECORDER.get().is_some()
}

/// Records a value, with the values of its metric's dimensions.
pub fn record<const N: usize>(name: MetricName, value: f64, by: [&'static str; N]) {
    const { assert!(N <= DIMENSIONS, "a metric has fewer dimensions") };
    let Some(recorder) = RECORDER.get() else { return };
    debug_assert_eq!(name.dimensions().len(), N, "{name:?}");
    let mut values = [""; DIMENSIONS];
    values[..N].copy_from_slice(&by);
    recorder.record(Metric { name, by: values, value });
}

/// Counts one.
pub fn count<const N: usize>(name: MetricName, by: [&'static str; N]) {
    record(name, 1.0, by);
}

/// Records how long something took.
pub fn time<const N: usize>(name: MetricName, took: Duration, by: [&'static str; N]) {
    record(name, took.as_millis() as f64, by);
}

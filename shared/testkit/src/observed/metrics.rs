//! The metrics that a piece of work records.

use std::cell::RefCell;

use reelhook_app::metrics::{self, Metric, Recorder};

thread_local! {
    static RECORDED: RefCell<Vec<Metric>> = const { RefCell::new(Vec::new()) };
}

/// Keeps values for the thread that records them: each test has a thread of its own.
struct OfThread;

impl Recorder for OfThread {
    fn record(&self, metric: Metric) {
        RECORDED.with_borrow_mut(|recorded| recorded.push(metric));
    }
}

/// What `work` records, on this thread, in order.
pub async fn recorded_by(work: impl Future<Output = ()>) -> Vec<Metric> {
    metrics::install(OfThread);
    RECORDED.take();
    work.await;
    RECORDED.take()
}

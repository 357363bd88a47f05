//! Waiting for a condition while nothing sweeps.

use std::time::{Duration, Instant};

/// The interval at which conditions are polled.
const POLL: Duration = Duration::from_millis(100);

/// Waits for a condition for so long at most. Unlike [`crate::stack::Stack::eventually`], this never sweeps.
pub async fn without_sweeps<T, F: Future<Output = Option<T>>>(
    timeout: Duration,
    what: &str,
    check: impl Fn() -> F,
) -> T {
    let (deadline, mut poll) = (Instant::now() + timeout, tokio::time::interval(POLL));
    loop {
        poll.tick().await;
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not come about within {timeout:?}, without a sweep");
    }
}

//! The live updates of errors, over either transport.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::stream::ErrorWatch;
use reelhook_app::store::StoreError;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::start::SystemClock;
use reelhook_http::errors::stream::{ErrorStreamRoute, changes, first, heartbeat};
use tokio::time::{Instant, Interval};

use crate::ticks;

/// How often changes of errors are read.
const POLL: Duration = Duration::from_secs(2);
/// How often a stream without changes sends a heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A viewer of errors that is sent each change as it happens.
pub(crate) struct ErrorFollower {
    watch: ErrorWatch,
    poll: Interval,
    last_sent: Instant,
}

impl ErrorFollower {
    /// Begins at the viewer's cursor; with the text that is sent first.
    pub(crate) fn begin(route: &ErrorStreamRoute) -> (Self, String) {
        let now = SystemClock.now();
        let watch = ErrorWatch::begin(route.last.as_deref(), now);
        let text = first(route, &watch, now);
        (Self { watch, poll: ticks(POLL), last_sent: Instant::now() }, text)
    }

    /// Reads once, when that is due: the text to send, if there is any.
    pub(crate) async fn next(&mut self, errors: &ErrorTable) -> Result<Option<String>, StoreError> {
        self.poll.tick().await;
        let now = SystemClock.now();
        let found = self.watch.next(errors, now).await?;
        let text = if !found.is_empty() {
            changes(&found)
        } else if self.last_sent.elapsed() >= HEARTBEAT {
            heartbeat(now)
        } else {
            return Ok(None);
        };
        self.last_sent = Instant::now();
        Ok(Some(text))
    }
}

/// Waits for the next changes, at most so long; a viewer that comes for the first time gets its cursor at once.
pub(crate) async fn wait(
    errors: &ErrorTable,
    route: &ErrorStreamRoute,
    longest: Duration,
) -> Result<String, StoreError> {
    let now = SystemClock.now();
    let mut watch = ErrorWatch::begin(route.last.as_deref(), now);
    let text = first(route, &watch, now);
    if route.last.is_none() {
        return Ok(text);
    }
    let (end, mut poll) = (Instant::now() + longest, ticks(POLL));
    while Instant::now() < end {
        poll.tick().await;
        let found = watch.next(errors, SystemClock.now()).await?;
        if !found.is_empty() {
            return Ok(text + &changes(&found));
        }
    }
    Ok(text + &heartbeat(SystemClock.now()))
}

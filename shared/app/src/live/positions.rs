//! Positions of viewers in the stored live events.

use reelhook_domain::{Subject, Timestamp};

use super::ports::LivePorts;
use crate::store::StoreError;
use crate::watch::{Cursor, ROWS, Watch};

/// Whether a subscription may have something to send. It is asked without a lease, since most of those who subscribed two
/// seconds ago have missed nothing: what is not stored yet has a push of its own.
pub(super) async fn is_behind(ports: &LivePorts<'_>, connection: &str, subject: &Subject) -> Result<bool, StoreError> {
    // The position is read first, so that what is sent meanwhile is not taken for missed, nor the other way round.
    let Some(of) = ports.leases.subscription(connection, subject).await? else { return Ok(false) };
    let mut watch = Watch::at(subject.clone(), of.dialect, of.cursor, of.gap_since);
    let unseen = watch.unseen(ports.live, ports.clock.now()).await?;
    let has_events = unseen.iter().any(|version| !version.events(subject, of.dialect).is_empty());
    Ok(has_events || watch.gap_since().is_some())
}

/// The last position before a time.
pub(super) async fn position_at(
    ports: &LivePorts<'_>,
    subject: &Subject,
    since: Timestamp,
) -> Result<Cursor, StoreError> {
    let mut version = 0;
    loop {
        let rows = ports.live.live_since(subject, version, ROWS).await?;
        let found = rows.len();
        for (next, row) in rows {
            if row.at().is_some_and(|at| at >= since) {
                return Ok(Cursor { version, events: None });
            }
            version = next;
        }
        if found < usize::try_from(ROWS).unwrap_or(usize::MAX) {
            return Ok(Cursor { version, events: None });
        }
    }
}

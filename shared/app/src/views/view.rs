//! The view of a dialect: it renders domain values as the dialect's clients read them.

use reelhook_domain::{Live, OutboundEvent, Subject, Timestamp};
use serde_json::Value;

use crate::files::links::FileLinks;
use crate::outbox::rows::{LiveRow, LogLine};
use crate::views::dialect::Dialect;

/// Renders rows, whatever kind of aggregate they belong to.
pub trait View: Send + Sync {
    /// The dialect.
    fn dialect(&self) -> Dialect;

    /// A line of a log.
    fn log_line(&self, line: &LogLine) -> Value;

    /// A live event of this row.
    fn live_event(&self, of: &Subject, row: &LiveRow, event: &Live) -> Value;

    /// The first event of a stream.
    fn connected(&self, of: &Subject, now: Timestamp) -> Value;

    /// The event that shows that a stream is alive.
    fn heartbeat(&self, of: &Subject, now: Timestamp) -> Value;
}

/// Renders webhooks about one kind of aggregate.
pub trait WebhookView<A>: View {
    /// The `data` member of a webhook, about a part of the aggregate (such as a scene) or about the whole. Its links to
    /// files of projects are valid from the time of the event, so that a replay renders the same.
    fn webhook_data(
        &self,
        of: &A,
        event: OutboundEvent,
        about: Option<&str>,
        at: Timestamp,
        links: FileLinks<'_>,
    ) -> Value;
}

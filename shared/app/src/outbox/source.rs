//! What fanout needs to know of an aggregate beside what all aggregates have in common.

use reelhook_domain::{Aggregate, Live, LiveSnapshot};

use crate::outbox::messages::PieceMessage;
use crate::views::view::WebhookView;
use crate::web_url::WebUrl;

/// An aggregate whose outbox fanout processes.
pub trait FanoutSource: Aggregate {
    /// The view of its clients' dialect.
    fn view(&self) -> &'static dyn WebhookView<Self>;

    /// The URL that its client named for its own events.
    fn callback(&self) -> Option<WebUrl>;

    /// Its state in this version, as far as these live events show it.
    fn live_snapshot(&self, events: &[Live]) -> LiveSnapshot;

    /// The hint that pieces of it wait for renderers.
    fn piece_hint(&self) -> PieceMessage;

    /// The prefixes of its files in the bucket.
    fn file_prefixes(&self) -> Vec<String>;
}

//! What fanout needs to know of an aggregate beside what all aggregates have in common.

use reelhook_domain::{Aggregate, CreditEffect, HistorySource, Live, LiveSnapshot, OutboundEvent, OwnerId};

use crate::credits::ledger::Settlement;
use crate::metrics::life::Measured;
use crate::outbox::messages::PieceMessage;
use crate::views::view::WebhookView;
use crate::webhooks::events::Callback;

/// An aggregate that an owner or an operator created.
pub trait Owned: Aggregate {
    /// Whose it is; none for an operator's.
    fn owner(&self) -> Option<&OwnerId>;
}

/// An aggregate whose work may cost its owner credits.
pub trait CreditSource: Aggregate {
    /// The end of a reservation that an effect of this version asks for; none if its work costs nothing.
    fn settlement(&self, _effect: &CreditEffect) -> Option<Settlement> {
        None
    }

    /// The ends of all its reservations so far, for a repair.
    fn settlements(&self) -> Vec<Settlement> {
        Vec::new()
    }
}

/// An aggregate whose outbox fanout processes.
pub trait FanoutSource: Owned + CreditSource + HistorySource + Measured {
    /// The view of its clients' dialect.
    fn view(&self) -> &'static dyn WebhookView<Self>;

    /// The URL that its client named for its own events, and what this event makes obsolete there.
    fn callback(&self, _event: OutboundEvent) -> Option<Callback> {
        None
    }

    /// Its state in this version, as far as these live events show it.
    fn live_snapshot(&self, events: &[Live]) -> LiveSnapshot;

    /// The hint that pieces of it wait for renderers; none if it has no pieces.
    fn piece_hint(&self) -> Option<PieceMessage> {
        None
    }

    /// The prefixes of its files in the bucket.
    fn file_prefixes(&self) -> Vec<String> {
        Vec::new()
    }
}

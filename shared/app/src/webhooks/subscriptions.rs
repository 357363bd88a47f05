//! The subscribers of events: the endpoints of the settings, and registered ones.

use std::sync::Arc;

use async_trait::async_trait;
use reelhook_domain::{EndpointId, EventFilter, EventPattern, OutboundEvent, Timestamp};

use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::settings::WebhookSettings;

/// An endpoint that wants events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The endpoint.
    pub id: EndpointId,
    /// Its name, which its webhooks contain.
    pub name: String,
    /// Which events it gets.
    pub events: EventFilter,
    /// The time of its registration: earlier events are not sent to it, however late the stream is read.
    pub since: Timestamp,
}

impl Subscriber {
    /// An endpoint that gets an event regardless of its subscriptions.
    pub fn only(endpoint: &Endpoint) -> Self {
        let (id, name) = (endpoint.id.clone(), endpoint.name.clone());
        Self { id, name, events: EventFilter::default(), since: Timestamp::EPOCH }
    }
}

/// Lists registered endpoints.
#[async_trait]
pub trait Subscribers: Send + Sync {
    /// All registered endpoints; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn subscribers(&self) -> Result<Arc<Vec<Subscriber>>, StoreError>;
}

/// All subscribers.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    configured: Vec<Subscriber>,
    registered: Arc<Vec<Subscriber>>,
}

impl Subscriptions {
    /// The endpoints of the settings with the notification service, and the registered ones.
    pub fn new(settings: &WebhookSettings, registered: Arc<Vec<Subscriber>>) -> Self {
        let configured = settings.endpoints.iter().map(|endpoint| Subscriber {
            id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            events: settings.events.clone(),
            since: Timestamp::EPOCH,
        });
        let completed = EventFilter::new([EventPattern::One(OutboundEvent::ProjectCompleted)]);
        let notification = settings
            .notification
            .iter()
            .map(|endpoint| Subscriber { events: completed.clone(), ..Subscriber::only(endpoint) });
        Self { configured: configured.chain(notification).collect(), registered }
    }

    /// The subscribers of an event of that time.
    pub fn of(&self, event: OutboundEvent, at: Timestamp) -> impl Iterator<Item = &Subscriber> {
        let all = self.configured.iter().chain(self.registered.iter());
        all.filter(move |subscriber| subscriber.since <= at && subscriber.events.matches(event))
    }
}

//! Who gets which events: the endpoints of the settings, and those that were registered.

use std::sync::Arc;

use async_trait::async_trait;
use reelhook_domain::{EndpointId, EventFilter, OutboundEvent, Timestamp};

use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::settings::WebhookSettings;

/// Who wants to be told, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The endpoint.
    pub id: EndpointId,
    /// What the receiver knows it as.
    pub name: String,
    /// Of what.
    pub events: EventFilter,
    /// Since when: what happened before is not told, however late the stream is read.
    pub since: Timestamp,
}

impl Subscriber {
    /// An endpoint that is told something by itself, whatever it subscribes to.
    pub fn only(endpoint: &Endpoint) -> Self {
        let (id, name) = (endpoint.id.clone(), endpoint.name.clone());
        Self { id, name, events: EventFilter::default(), since: Timestamp::EPOCH }
    }
}

/// Where registered endpoints are listed.
#[async_trait]
pub trait Subscribers: Send + Sync {
    /// All of them; a new one is among them a moment after it was registered.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn subscribers(&self) -> Result<Arc<Vec<Subscriber>>, StoreError>;
}

/// All who could be told of something.
#[derive(Debug, Clone, Default)]
pub struct Subscriptions {
    configured: Vec<Subscriber>,
    registered: Arc<Vec<Subscriber>>,
}

impl Subscriptions {
    /// The endpoints of the settings, and those that were registered.
    pub fn new(settings: &WebhookSettings, registered: Arc<Vec<Subscriber>>) -> Self {
        let configured = settings.endpoints.iter().map(|endpoint| Subscriber {
            id: endpoint.id.clone(),
            name: endpoint.name.clone(),
            events: settings.events.clone(),
            since: Timestamp::EPOCH,
        });
        Self { configured: configured.collect(), registered }
    }

    /// Who is told of an event of that time.
    pub fn of(&self, event: OutboundEvent, at: Timestamp) -> impl Iterator<Item = &Subscriber> {
        let all = self.configured.iter().chain(self.registered.iter());
        all.filter(move |subscriber| subscriber.since <= at && subscriber.events.matches(event))
    }
}

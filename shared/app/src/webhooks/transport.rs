//! What a webhook travels as, whatever it goes to, behind one port: an HTTP request, a message of a queue, an event of a bus.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::Timestamp;

use crate::outbound::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};
use crate::webhooks::endpoints::Arn;

/// A webhook on its way.
#[derive(Debug, Clone)]
pub enum OutboundWebhook {
    /// To an HTTP server.
    Web(OutboundRequest),
    /// To a service of AWS.
    Cloud(CloudWebhook),
}

/// A webhook on its way to a service of AWS.
#[derive(Debug, Clone)]
pub struct CloudWebhook {
    /// Where.
    pub to: CloudTarget,
    /// The exact body.
    pub body: String,
    /// What would be HTTP headers: names and values.
    pub attributes: Vec<(String, String)>,
    /// What a queue that keeps an order takes once: the message's id, and when it was sent again by hand.
    pub once: String,
    /// The event's name.
    pub event: &'static str,
    /// What it is about: messages of one subject keep their order where a queue keeps one.
    pub subject: String,
    /// When it happened.
    pub at: Timestamp,
    /// Total time of the try.
    pub deadline: Duration,
}

/// A service of AWS that takes webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudTarget {
    /// A queue of SQS.
    Queue(Arn),
    /// An event bus of EventBridge.
    Bus(Arn),
}

/// Brings webhooks to their receivers.
#[async_trait]
pub trait WebhookTransport: Send + Sync {
    /// Makes one try inside its deadline.
    ///
    /// # Errors
    /// [`OutboundError`] when no response came; a refusal is a response.
    async fn deliver(&self, webhook: OutboundWebhook) -> Result<OutboundResponse, OutboundError>;
}

/// Brings webhooks to services of AWS.
#[async_trait]
pub trait CloudSender: Send + Sync {
    /// Makes one try inside its deadline. The service's answer has the status 200 when it took the webhook, else that of
    /// its refusal with the error's code as body.
    ///
    /// # Errors
    /// [`OutboundError`] when no response came.
    async fn send(&self, webhook: CloudWebhook) -> Result<OutboundResponse, OutboundError>;
}

/// The guarded HTTP client and the services of AWS as one.
#[derive(Debug, Clone)]
pub struct Transports<H, C> {
    /// For HTTP servers.
    pub web: H,
    /// For services of AWS.
    pub cloud: C,
}

#[async_trait]
impl<H: HttpSender, C: CloudSender> WebhookTransport for Transports<H, C> {
    async fn deliver(&self, webhook: OutboundWebhook) -> Result<OutboundResponse, OutboundError> {
        match webhook {
            OutboundWebhook::Web(request) => self.web.send(request).await,
            OutboundWebhook::Cloud(webhook) => self.cloud.send(webhook).await,
        }
    }
}

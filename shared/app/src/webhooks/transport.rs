//! The transport of webhooks: one port for HTTP requests, messages of queues and events of buses.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::Timestamp;

use crate::outbound::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};
use crate::webhooks::endpoints::Arn;

/// A webhook as it is sent.
#[derive(Debug, Clone)]
pub enum OutboundWebhook {
    /// An HTTP request.
    Web(OutboundRequest),
    /// A message to a service of AWS.
    Cloud(CloudWebhook),
}

/// A webhook as a message to a service of AWS.
#[derive(Debug, Clone)]
pub struct CloudWebhook {
    /// The target.
    pub to: CloudTarget,
    /// The exact body.
    pub body: String,
    /// The names and values that would be HTTP headers.
    pub attributes: Vec<(String, String)>,
    /// The deduplication id of FIFO queues: the message's id, and the time of a replay.
    pub once: String,
    /// The event's name.
    pub event: &'static str,
    /// What it is about: FIFO queues keep the order of messages about one subject.
    pub subject: String,
    /// When it happened.
    pub at: Timestamp,
    /// The timeout of the attempt.
    pub deadline: Duration,
}

/// A service of AWS that receives webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudTarget {
    /// A queue of SQS.
    Queue(Arn),
    /// An event bus of EventBridge.
    Bus(Arn),
}

/// Sends webhooks to their receivers.
#[async_trait]
pub trait WebhookTransport: Send + Sync {
    /// Makes one attempt within its deadline.
    ///
    /// # Errors
    /// [`OutboundError`] when no response came; a refusal is a response.
    async fn deliver(&self, webhook: OutboundWebhook) -> Result<OutboundResponse, OutboundError>;
}

/// Sends webhooks to services of AWS.
#[async_trait]
pub trait CloudSender: Send + Sync {
    /// Makes one attempt within its deadline. The response has the status 200 if the service accepted the webhook, else
    /// the status of the refusal, with the error's code as its body.
    ///
    /// # Errors
    /// [`OutboundError`] when no response came.
    async fn send(&self, webhook: CloudWebhook) -> Result<OutboundResponse, OutboundError>;
}

/// The guarded HTTP client and the services of AWS as one transport.
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

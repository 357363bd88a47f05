//! Sends webhooks to queues of SQS and event buses of EventBridge, with responses like those of HTTP servers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use reelhook_app::outbound::{OutboundError, OutboundResponse};
use reelhook_app::webhooks::endpoints::Arn;
use reelhook_app::webhooks::transport::{CloudSender, CloudTarget, CloudWebhook};
use reelhook_domain::brief;

/// The source of events on a bus.
const SOURCE: &str = "reelhook";
/// The most attributes of a message of SQS.
const ATTRIBUTES: usize = 10;

/// SQS and EventBridge.
#[derive(Debug, Clone)]
pub struct CloudTransport {
    queues: aws_sdk_sqs::Client,
    buses: aws_sdk_eventbridge::Client,
    urls: Arc<Mutex<HashMap<String, String>>>,
}

/// A service's answer: the id that it gave the message, or the status and code of its refusal.
type Answer = Result<String, Refused>;

/// Why a service did not accept a webhook.
enum Refused {
    /// It refused the webhook.
    Status(u16, String),
    /// It did not answer.
    NoAnswer(OutboundError),
}

impl CloudTransport {
    /// Sends with these clients.
    pub fn new(queues: aws_sdk_sqs::Client, buses: aws_sdk_eventbridge::Client) -> Self {
        Self { queues, buses, urls: Arc::default() }
    }

    async fn to_queue(&self, arn: &Arn, webhook: &CloudWebhook) -> Answer {
        let mut send = self.queues.send_message().queue_url(self.url(arn).await?).message_body(&webhook.body);
        for (name, value) in webhook.attributes.iter().take(ATTRIBUTES) {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            send = send.message_attributes(name, value.expect("the type is set"));
        }
        if arn.as_str().ends_with(".fifo") {
            send = send.message_group_id(&webhook.subject).message_deduplication_id(&webhook.once);
        }
        let answer = send.send().await.map_err(refused)?;
        Ok(answer.message_id.unwrap_or_default())
    }

    /// The URL of a queue, looked up once.
    async fn url(&self, arn: &Arn) -> Result<String, Refused> {
        let known = self.urls.lock().unwrap_or_else(PoisonError::into_inner).get(arn.as_str()).cloned();
        if let Some(url) = known {
            return Ok(url);
        }
        let (_, account, name) = arn.parts();
        let get = self.queues.get_queue_url().queue_name(name).queue_owner_aws_account_id(account);
        let url = get.send().await.map_err(refused)?.queue_url;
        let url = url.ok_or_else(|| Refused::Status(404, "QueueDoesNotExist".to_owned()))?;
        self.urls.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.as_str().to_owned(), url.clone());
        Ok(url)
    }

    async fn to_bus(&self, arn: &Arn, webhook: &CloudWebhook) -> Answer {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(arn.as_str())
            .source(SOURCE)
            .detail_type(webhook.event)
            .resources(&webhook.subject)
            .time(DateTime::from_millis(webhook.at.millis()))
            .detail(&webhook.body);
        let answer = self.buses.put_events().entries(entry.build()).send().await.map_err(refused)?;
        let entry = answer.entries().first();
        match entry.and_then(|entry| entry.error_code()) {
            // The service reports a refusal inside a response with status 200.
            Some(code @ ("InternalFailure" | "InternalException")) => Err(Refused::Status(500, code.to_owned())),
            Some(code @ "ThrottlingException") => Err(Refused::Status(429, code.to_owned())),
            Some(code) => Err(Refused::Status(400, code.to_owned())),
            None => Ok(entry.and_then(|entry| entry.event_id()).unwrap_or_default().to_owned()),
        }
    }
}

#[async_trait]
impl CloudSender for CloudTransport {
    async fn send(&self, webhook: CloudWebhook) -> Result<OutboundResponse, OutboundError> {
        let began = Instant::now();
        let answer = async {
            match &webhook.to {
                CloudTarget::Queue(arn) => self.to_queue(arn, &webhook).await,
                CloudTarget::Bus(arn) => self.to_bus(arn, &webhook).await,
            }
        };
        match tokio::time::timeout(webhook.deadline, answer).await {
            Ok(Ok(id)) => Ok(response(200, id, began.elapsed())),
            Ok(Err(Refused::Status(status, code))) => Ok(response(status, code, began.elapsed())),
            Ok(Err(Refused::NoAnswer(error))) => Err(error),
            Err(_) => Err(timed_out(webhook.deadline)),
        }
    }
}

fn timed_out(after: Duration) -> OutboundError {
    OutboundError::TimedOut(u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
}

fn response(status: u16, body: String, took: Duration) -> OutboundResponse {
    OutboundResponse {
        status,
        headers: Vec::new(),
        body: body.into(),
        truncated: false,
        cut_short: None,
        first_byte: took,
        total: took,
        peer: None,
    }
}

/// A refusal with its status and code; throttling becomes 429, whatever its original status.
fn refused<E>(error: SdkError<E, HttpResponse>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or("unknown").to_owned();
            let throttled = code.contains("Throttl") || matches!(code.as_str(), "OverLimit" | "LimitExceededException");
            let status = if throttled { 429 } else { context.raw().status().as_u16() };
            Refused::Status(status, code)
        }
        SdkError::TimeoutError(_) => Refused::NoAnswer(OutboundError::Other("the service did not answer".to_owned())),
        _ => Refused::NoAnswer(OutboundError::Other(brief(&DisplayErrorContext(&error).to_string()))),
    }
}

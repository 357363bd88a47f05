//! The bare loop: sends webhooks with the dispatcher's signatures and guarded client, and does nothing else.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reelhook_app::Url;
use reelhook_app::outbound::{HttpSender as _, Method, OutboundRequest};
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::{SigningKeys, standard, streamgank};
use serde_json::json;

use crate::usage::{cpu_seconds, peak_memory};
use crate::webhooks::{EVENT, SECRET, Webhooks, delivery_id, event_id, job_id, now};

/// First number of the loop's webhooks: the dispatcher's have lower ones, so the receiver sees distinct ids.
const FIRST: u64 = 1 << 40;

/// The webhooks of a run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// URL of the receiver, with an IP address and a port
    #[arg(long)]
    url: Url,
    /// Webhooks to measure
    #[arg(long)]
    count: u64,
    /// Webhooks before the measurement
    #[arg(long, default_value_t = 0)]
    warm_up: u64,
    /// Maximum of concurrent requests
    #[arg(long, default_value_t = 10)]
    at_once: usize,
    /// Bytes of a webhook's body
    #[arg(long, default_value_t = 1400)]
    body_bytes: usize,
}

/// What all webhooks share.
struct Loop {
    http: GuardedClient,
    keys: SigningKeys,
    url: Url,
    body: Bytes,
}

/// Sends all webhooks, and prints their count, the processor time in seconds and the peak memory in bytes as JSON.
///
/// # Errors
/// When the receiver does not accept a webhook.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let Options { url, count, warm_up, at_once, body_bytes } = options;
    let socket = url.socket_addrs(|| None).context("read the receiver's socket")?;
    let socket = socket.first().context("the URL has no socket")?.to_string();
    let sender = Loop {
        http: GuardedClient::new(AllowList::parse(&socket, None)?, None)?,
        keys: SigningKeys::parse(SECRET).context("the secret is empty")?,
        body: Webhooks::new(&url, body_bytes)?.body().into(),
        url,
    };
    sender.send(FIRST..FIRST + warm_up, at_once).await?;
    let before = cpu_seconds()?;
    sender.send(FIRST + warm_up..FIRST + warm_up + count, at_once).await?;
    let used = json!({ "count": count, "cpu_seconds": cpu_seconds()? - before, "peak_memory": peak_memory()? });
    println!("{used}");
    Ok(())
}

impl Loop {
    async fn send(&self, numbers: std::ops::Range<u64>, at_once: usize) -> anyhow::Result<()> {
        let sends = stream::iter(numbers.map(|number| self.one(number)));
        sends.buffer_unordered(at_once.max(1)).try_collect::<()>().await
    }

    async fn one(&self, number: u64) -> anyhow::Result<()> {
        let (id, at) = (delivery_id(number), now().seconds());
        let webhook_id = id.webhook_id();
        let sequence = event_id(number).sequence(job_id(number).as_str()).unwrap_or_default();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("user-agent", "StreamGank-Webhook/1.0".to_owned()),
            ("x-streamgank-event", EVENT.name().to_owned()),
            ("x-streamgank-delivery", id.to_string()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-sequence", sequence.to_string()),
            ("x-streamgank-signature", streamgank::signature(&self.body, &self.keys)),
            ("webhook-signature", standard::sign(&webhook_id, at, &self.body, &self.keys)),
            ("webhook-id", webhook_id),
        ];
        let request = OutboundRequest {
            method: Method::Post,
            url: self.url.clone(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: self.body.clone(),
            deadline: Duration::from_secs(10),
            response_limit: 16 * 1024,
        };
        let response = self.http.send(request).await.context("send a webhook")?;
        ensure!(response.status == 200, "the receiver answered {}", response.status);
        Ok(())
    }
}

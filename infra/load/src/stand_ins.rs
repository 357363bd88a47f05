//! The stand-ins of everything that the dispatcher calls, in one process on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use reelhook_app::Url;
use reelhook_signing::SigningKeys;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::aws::{self, Aws, Stored};
use crate::runtime_api::{self, Handled, Invocations, Plan};
use crate::sink::{self, Received, Sink};
use crate::webhooks::{SECRET, Webhooks, now};

const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:123456789012:reelhook-DeliveryHints";

/// The deliveries of a run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Batches to measure; they are handed out after `POST /go`
    #[arg(long)]
    batches: u64,
    /// Batches before the measurement
    #[arg(long, default_value_t = 0)]
    warm_up: u64,
    /// Messages per batch
    #[arg(long, default_value_t = 10)]
    batch: u64,
    /// Bytes of a webhook's body
    #[arg(long, default_value_t = 1400)]
    body_bytes: usize,
}

/// The state of the three servers.
#[derive(Debug, Clone)]
struct StandIns {
    invocations: Arc<Invocations>,
    aws: Arc<Aws>,
    sink: Arc<Sink>,
}

/// The response to `GET /report`.
#[derive(Debug, Serialize)]
struct Report {
    handled: Handled,
    received: Received,
    stored: Stored,
}

/// Serves until the process is killed. Prints one line of JSON with the addresses.
///
/// # Errors
/// When a port can't be bound, or when the items differ from what the function reads.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    let (runtime, runtime_address) = listen().await?;
    let (cloud, cloud_address) = listen().await?;
    let (receiver, receiver_address) = listen().await?;
    let url = Url::parse(&format!("http://{receiver_address}{}", sink::PATH)).context("make the receiver's URL")?;
    let Options { batches, warm_up, batch, body_bytes } = options;
    let keys = SigningKeys::parse(SECRET).context("the secret is empty")?;
    let parameters = [
        ("WEBHOOK_URLS", url.to_string()),
        ("WEBHOOK_SECRET_KEY", SECRET.to_owned()),
        ("ENDPOINT_SECRETS_KEY", SECRET.to_owned()),
        // The dispatcher counts every send against the rate limit, but never reaches it.
        ("WEBHOOK_RATE_LIMIT_MAX", "1000000".to_owned()),
        ("WEBHOOK_RATE_LIMIT_WINDOW", "1000".to_owned()),
    ];
    let webhooks = Webhooks::new(&url, body_bytes)?;
    let (messages, items) = (webhooks.clone(), webhooks);
    let event = move |number: u64| {
        let records = (number * batch..(number + 1) * batch).map(|one| record(&messages, one));
        json!({ "Records": records.collect::<Vec<Value>>() })
    };
    let stand_ins = StandIns {
        invocations: Arc::new(Invocations::new(Plan { warm_up, measured: batches }, event)),
        aws: Arc::new(Aws::new(move |key| items.item(key), parameters.into())),
        sink: Arc::new(Sink::new(keys, body_bytes)),
    };
    let addresses = json!({
        "runtime_api": runtime_address.to_string(),
        "aws_url": format!("http://{cloud_address}"),
        "sink_url": url.as_str(),
        "sink": receiver_address.to_string(),
    });
    println!("{addresses}");
    let StandIns { invocations, aws, sink } = stand_ins.clone();
    let (aws_counts, sink_counts) = (aws.clone(), sink.clone());
    tokio::try_join!(
        serve_routes(runtime, runtime_api::routes(invocations).merge(report_route(stand_ins)), || {}),
        serve_routes(cloud, aws::routes(aws), move || aws_counts.connected()),
        serve_routes(receiver, sink::routes(sink), move || sink_counts.connected()),
    )?;
    Ok(())
}

/// Binds a free port.
///
/// # Errors
/// When there is none.
pub async fn listen() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a free port of 127.0.0.1")?;
    let address = listener.local_addr().context("read the bound address")?;
    Ok((listener, address))
}

/// Serves routes until the process is killed; each connection is noted.
///
/// # Errors
/// When serving fails.
pub async fn serve_routes(
    listener: TcpListener,
    routes: Router,
    mut connected: impl FnMut() + Send + 'static,
) -> anyhow::Result<()> {
    let listener = listener.tap_io(move |stream| {
        connected();
        // A failure only delays responses.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await.context("serve")
}

fn report_route(stand_ins: StandIns) -> Router {
    Router::new().route("/report", get(report)).with_state(stand_ins)
}

async fn report(State(stand_ins): State<StandIns>) -> Json<Report> {
    let StandIns { invocations, aws, sink } = stand_ins;
    Json(Report { handled: invocations.handled(), received: sink.received(), stored: aws.stored() })
}

fn record(webhooks: &Webhooks, number: u64) -> Value {
    let body = serde_json::to_string(&webhooks.message(number)).expect("our own messages are JSON");
    let sent = now().0.to_string();
    json!({
        "messageId": format!("00000000-0000-4000-9000-{number:012x}"),
        "receiptHandle": "sample-receipt-handle",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AROASAMPLESAMPLESAMPL:reelhook-fanout",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": "5143fbd31d93f66b3a9628c4e845720d",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "us-east-1",
    })
}

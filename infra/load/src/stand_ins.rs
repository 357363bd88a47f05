//! All that the dispatcher talks to, in one process on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use reelhook_app::Url;
use reelhook_signing::SigningKeys;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::aws::{self, Calls, Parameters, Written};
use crate::runtime_api::{self, Answered, Invocations, Plan};
use crate::sink::{self, Received, Sink};
use crate::webhooks::{SECRET, Webhooks};

/// What is to be delivered.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Batches that are measured; they are given once `POST /go` came
    #[arg(long)]
    batches: u64,
    /// Batches before them
    #[arg(long, default_value_t = 0)]
    warm_up: u64,
    /// Messages of a batch
    #[arg(long, default_value_t = 10)]
    batch: u64,
    /// Bytes of a webhook's body
    #[arg(long, default_value_t = 1400)]
    body_bytes: usize,
}

/// What the three servers share.
pub type Shared = Arc<StandIns>;

/// What they answer from, and what they have seen.
#[derive(Debug)]
pub struct StandIns {
    /// What is delivered.
    pub webhooks: Webhooks,
    /// Settings of the function.
    pub parameters: Parameters,
    /// Its batches.
    pub invocations: Invocations,
    /// What it called of AWS.
    pub calls: Calls,
    /// What arrived.
    pub sink: Sink,
}

/// `GET /report`.
#[derive(Debug, Serialize)]
pub struct Report {
    answered: Answered,
    received: Received,
    written: Written,
}

impl StandIns {
    /// What happened by now.
    pub fn report(&self) -> Report {
        Report { answered: self.invocations.answered(), received: self.sink.received(), written: self.calls.written() }
    }
}

/// Serves until the process is killed. One line on standard output says where, as JSON.
///
/// # Errors
/// When a port can't be bound, or what is answered is not what the function reads.
pub async fn serve(options: Options) -> anyhow::Result<()> {
    let (runtime, runtime_at) = listen().await?;
    let (cloud, cloud_at) = listen().await?;
    let (receiver, receiver_at) = listen().await?;
    let url = Url::parse(&format!("http://{receiver_at}{}", sink::PATH)).context("make the receiver's URL")?;
    let Options { batches, warm_up, batch, body_bytes } = options;
    let keys = SigningKeys::parse(SECRET).context("the secret is empty")?;
    let parameters = [
        ("WEBHOOK_URLS", url.to_string()),
        ("WEBHOOK_SECRET_KEY", SECRET.to_owned()),
        ("ENDPOINT_SECRETS_KEY", SECRET.to_owned()),
        // Places in the limit are taken as always, but never waited for.
        ("WEBHOOK_RATE_LIMIT_MAX", "1000000".to_owned()),
        ("WEBHOOK_RATE_LIMIT_WINDOW", "1000".to_owned()),
    ];
    let shared = Arc::new(StandIns {
        webhooks: Webhooks::new(&url, body_bytes)?,
        parameters: parameters.into(),
        invocations: Invocations::new(Plan { warm_up, batches, batch }),
        calls: Calls::default(),
        sink: Sink::new(keys, body_bytes),
    });
    let ready = json!({
        "runtime_api": runtime_at.to_string(),
        "aws_url": format!("http://{cloud_at}"),
        "sink_url": url.as_str(),
        "sink": receiver_at.to_string(),
    });
    println!("{ready}");
    let (calls, sink) = (shared.clone(), shared.clone());
    tokio::try_join!(
        answer(runtime, runtime_api::routes(shared.clone()), || {}),
        answer(cloud, aws::routes(shared.clone()), move || calls.calls.connected()),
        answer(receiver, sink::routes(shared), move || sink.sink.connected()),
    )?;
    Ok(())
}

async fn listen() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind a free port of 127.0.0.1")?;
    let address = listener.local_addr().context("read the bound address")?;
    Ok((listener, address))
}

async fn answer(
    listener: TcpListener,
    routes: Router,
    mut connected: impl FnMut() + Send + 'static,
) -> anyhow::Result<()> {
    let listener = listener.tap_io(move |stream| {
        connected();
        // Where it fails, answers come later, and nothing is wrong.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await.context("serve")
}

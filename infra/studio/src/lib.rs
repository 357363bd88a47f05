//! Mock services for everything outside that Reelhook calls, with the real protocols, on loopback.

mod behaviour;
mod bounded_log;
mod calls;
mod config;
mod creatomate;
mod external_verifier;
mod files;
mod genesis;
mod options;
mod page;
mod receiver;
mod render;
mod responses;
mod scenario;
mod scenes;
mod verify;
mod video;
mod worker;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use reelhook_faults::{Connection, FaultyListener};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use crate::config::{ClippingKeys, Config, ExternalVerifier, Language, NamedSecret, SceneKeys};
pub use crate::creatomate::Creatomate;
pub use crate::receiver::{ReceivedQuery, Receiver};
pub use crate::worker::Worker;

use crate::calls::Caller;
use crate::page::Page;
use crate::video::VideoMaker;

/// The running mock services. Dropping them closes their port.
pub struct Studio {
    address: SocketAddr,
    url: String,
    worker: Arc<Worker>,
    creatomate: Arc<Creatomate>,
    receiver: Arc<Receiver>,
    server: JoinHandle<()>,
}

impl Studio {
    /// Binds the port and starts to serve.
    ///
    /// # Errors
    /// The port is in use, the data directory can't be created, or a program (ffmpeg, a verifier's script) is missing;
    /// the message says which and what to do.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let video = VideoMaker::find(&config)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))
            .await
            .with_context(|| format!("bind 127.0.0.1:{}", config.port))?;
        let address = listener.local_addr().context("read the bound address")?;
        let url = format!("http://{address}");

        let caller = Caller::new()?;
        let creatomate = Arc::new(Creatomate::new(&config, &url, caller.clone(), video.clone()));
        let scenes = scenes::routes(&config, &url, &caller, video.clone());
        let genesis = genesis::routes(&config, &url, caller.clone(), video.clone());
        let worker = Arc::new(Worker::new(&config, &url, caller, creatomate.clone()));
        let receiver = Arc::new(Receiver::new(&config)?);
        let page = Page::new(worker.clone(), creatomate.clone(), receiver.clone());

        let routes = Router::new()
            .route("/health", get(responses::health))
            .merge(page::routes(page))
            .merge(worker::routes(worker.clone()))
            .merge(creatomate::routes(creatomate.clone()))
            .merge(scenes)
            .merge(genesis)
            .merge(files::routes(video))
            .merge(receiver::routes(receiver.clone()))
            .fallback(responses::unknown_route)
            .into_make_service_with_connect_info::<Connection>();
        let server = tokio::spawn(async move {
            // Serving never ends by itself, and retries a failed accept.
            let _ = axum::serve(FaultyListener(listener), routes).await;
        });

        Ok(Self { address, url, worker, creatomate, receiver, server })
    }

    /// The bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The mock of the external worker.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// The mock of Creatomate.
    pub fn creatomate(&self) -> &Creatomate {
        &self.creatomate
    }

    /// The mock webhook receivers.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.server.abort();
    }
}

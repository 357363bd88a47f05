//! The clipping worker of seed 004 (`genesis`): it accepts jobs, reports their progress by webhook, answers polls, and
//! serves the clips.

mod counts;
mod job;
mod reports;
mod request;
mod routes;
mod service;
mod settings;

use std::sync::Arc;

use axum::Router;
use reelhook_signing::SigningKeys;
use secrecy::ExposeSecret as _;

use crate::calls::Caller;
use crate::config::Config;
use crate::video::VideoMaker;

use reports::ReportSender;
use routes::Genesis;
use service::Service;

/// Default duration of a job.
const JOB_MS: f64 = 1000.0;
/// Default wait before a report is sent again.
const RETRY_MS: f64 = 1000.0;

/// The routes of the worker, and of its control.
pub(crate) fn routes(config: &Config, url: &str, caller: Caller, video: VideoMaker) -> Router {
    let secret = config.clipping.clipping_webhook_secret.as_ref();
    let sender = ReportSender {
        caller,
        keys: secret.and_then(|secret| SigningKeys::parse(secret.expose_secret())),
        retry_ms: (RETRY_MS / config.speed) as u64,
        base: format!("{url}/genesis").into(),
    };
    let service = Arc::new(Service::new(sender, video, (JOB_MS / config.speed) as u64));
    routes::routes(Arc::new(Genesis { service, key: config.clipping.genesis_api_key.clone() }))
}

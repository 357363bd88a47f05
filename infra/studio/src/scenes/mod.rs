//! The services that make scenes: the tasks service, the service for last frames and stitches, and the one that is
//! notified of finished projects.

mod bill;
mod callbacks;
mod films;
mod label;
mod notifications;
mod request;
mod routes;
mod scopes;
mod service;
mod settings;
mod task;

use std::sync::Arc;

use axum::Router;
use reelhook_signing::SigningKeys;
use secrecy::{ExposeSecret as _, SecretString};

use crate::calls::Caller;
use crate::config::Config;
use crate::video::VideoMaker;

use callbacks::CallbackSender;
use films::Films;
use notifications::Notifications;
use routes::Services;
use service::Service;

/// Default durations of tasks.
const VIDEO_MS: f64 = 600.0;
const FRAME_MS: f64 = 200.0;
const STITCH_MS: f64 = 400.0;

/// The routes of all these services.
pub(crate) fn routes(config: &Config, url: &str, caller: &Caller, video: VideoMaker) -> Router {
    let films = Arc::new(Films::new(video, caller.clone(), url));
    let keys = &config.scenes;
    let service = |secret: &Option<SecretString>, ms: f64| {
        let keys = secret.as_ref().and_then(|secret| SigningKeys::parse(secret.expose_secret()));
        let sender = CallbackSender { caller: caller.clone(), keys };
        Arc::new(Service::new(films.clone(), sender, (ms / config.speed) as u64))
    };
    let services = Services {
        videos: service(&keys.video_webhook_secret, VIDEO_MS),
        frames: service(&keys.last_frame_webhook_secret, FRAME_MS),
        stitches: service(&keys.stitch_webhook_secret, STITCH_MS),
        task_key: keys.task_api_key.clone(),
        frame_key: keys.last_frame_api_key.clone(),
    };
    routes::routes(Arc::new(services)).merge(notifications::routes(Arc::new(Notifications::new(config))))
}

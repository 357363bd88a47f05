//! Webhooks that services call about the tasks of projects (docs/contract/scenes.md, Inbound webhooks).

pub mod answers;
pub mod bodies;
pub mod route;
pub mod sender;

/// The paths with their methods ([`crate::routes`]); each is also valid with a token in front of it.
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/api/webhooks/last-frame-complete", &["GET", "POST"]),
    ("/api/webhooks/stitch-complete", &["GET", "POST"]),
    ("/api/webhooks/video-complete", &["GET", "POST"]),
];

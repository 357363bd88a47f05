//! The webhook that the clipping worker calls about its jobs (docs/contract/clipping-webhook.md).

pub mod answers;
pub mod bodies;
pub mod route;
pub mod sender;

/// The paths with their methods ([`crate::routes`]); each is also valid with a token in front of it.
pub(crate) const ROUTES: &[(&str, &[&str])] =
    &[("/api/webhooks/ai-clipping", &["GET", "POST"]), ("/api/webhooks/clipping", &["GET", "POST"])];

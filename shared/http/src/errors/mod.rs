//! Routes of the errors API: lists, dismissal, numbers, reports of clients, and live updates.

pub mod answers;
pub mod problem;
pub mod requests;
pub mod stream;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/api/v1/errors", &["GET"]),
    ("/api/v1/errors/dismiss", &["POST"]),
    ("/api/v1/errors/log", &["POST"]),
    ("/api/v1/errors/stats", &["GET"]),
    ("/api/v1/errors/stream", &["GET"]),
    ("/api/v1/errors/{id}", &["GET"]),
];

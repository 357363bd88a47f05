//! Routes of jobs: requests and answers.

pub mod callbacks;
pub mod control;
pub mod creatomate;
pub mod generate;
pub mod logs;
pub(crate) mod priority;
pub mod problem;
pub mod queue;
pub mod render;
pub mod report_line;
pub mod status;
pub mod step;
pub mod stream;
pub mod viewers;

/// The family's paths with their methods ([`crate::routes`]).
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/api/generate", &["POST"]),
    ("/api/job/{id}", &["GET"]),
    ("/api/job/{id}/cancel", &["POST"]),
    ("/api/job/{id}/complete", &["POST"]),
    ("/api/job/{id}/details", &["GET"]),
    ("/api/job/{id}/retry", &["POST"]),
    ("/api/job/{id}/stream", &["GET"]),
    ("/api/logs/search", &["GET"]),
    ("/api/logs/stats", &["GET"]),
    ("/api/queue/cleanup", &["POST"]),
    ("/api/queue/clear", &["POST"]),
    ("/api/queue/clear-failed", &["POST"]),
    ("/api/queue/job/{id}", &["DELETE"]),
    ("/api/queue/job/{id}/delete", &["DELETE"]),
    ("/api/queue/job/{id}/logs", &["GET"]),
    ("/api/queue/job/{id}/logs/archive", &["POST"]),
    ("/api/queue/job/{id}/logs/persistent", &["GET"]),
    ("/api/queue/job/{id}/monitor-creatomate", &["POST"]),
    ("/api/queue/jobs", &["GET"]),
    ("/api/queue/status", &["GET"]),
    ("/api/queue/status/stream", &["GET"]),
    ("/api/queue/toggle", &["POST"]),
    ("/api/status/{creatomateId}", &["GET"]),
    ("/api/stream-token", &["POST"]),
    ("/api/webhooks/creatomate", &["POST"]),
    ("/api/webhooks/step-update", &["POST"]),
];

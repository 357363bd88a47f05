//! Routes of clip jobs: requests and answers.

pub mod answers;
pub mod bodies;
pub mod fields;
pub mod files;
pub mod problem;
pub mod routes;
pub mod webhook;

/// The family's paths with their methods ([`crate::routes`]). Those of jobs have aliases under /api.
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/ai-clipping-agent/jobs", &["GET", "POST"]),
    ("/ai-clipping-agent/jobs/estimate", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}", &["GET", "DELETE"]),
    ("/ai-clipping-agent/jobs/{id}/cancel", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}/clips/{index}", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}/retry", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}/stream", &["GET"]),
    ("/api/ai-clipping-agent/jobs", &["GET", "POST"]),
    ("/api/ai-clipping-agent/jobs/estimate", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}", &["GET", "DELETE"]),
    ("/api/ai-clipping-agent/jobs/{id}/cancel", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}/clips/{index}", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}/retry", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}/stream", &["GET"]),
    ("/api/v1/files/clips/{job}/{name}", &["GET"]),
    ("/api/v1/files/uploads/{name}", &["GET"]),
];

/// The segments of a path below `/ai-clipping-agent` or `/api/ai-clipping-agent`; none if it has another beginning.
pub(crate) fn below<'a, 'b>(segments: &'b [&'a str]) -> Option<&'b [&'a str]> {
    match segments {
        ["ai-clipping-agent", rest @ ..] | ["api", "ai-clipping-agent", rest @ ..] => Some(rest),
        _ => None,
    }
}

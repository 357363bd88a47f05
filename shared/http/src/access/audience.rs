//! The routes that owners may call, beside operators (docs/contract/access.md, Owners). A route that is not listed here is
//! the operator's.

use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;
use crate::routes::{fits, is_route};

/// The routes of owners. What a route reads or changes by an id must check [`crate::access::Caller::may_see`]; what it
/// lists must be the caller's.
const OWNERS: &[(&str, &[&str])] = &[
    // Jobs
    ("/api/generate", &["POST"]),
    ("/api/job/{id}", &["GET"]),
    ("/api/job/{id}/cancel", &["POST"]),
    ("/api/job/{id}/complete", &["POST"]),
    ("/api/job/{id}/details", &["GET"]),
    ("/api/job/{id}/retry", &["POST"]),
    ("/api/job/{id}/stream", &["GET"]),
    ("/api/queue/job/{id}", &["DELETE"]),
    ("/api/queue/job/{id}/delete", &["DELETE"]),
    ("/api/queue/job/{id}/logs", &["GET"]),
    ("/api/queue/job/{id}/logs/archive", &["POST"]),
    ("/api/queue/job/{id}/logs/persistent", &["GET"]),
    ("/api/queue/job/{id}/monitor-creatomate", &["POST"]),
    ("/api/queue/jobs", &["GET"]),
    ("/api/status/{creatomateId}", &["GET"]),
    ("/api/stream-token", &["POST"]),
    // Videos
    ("/api/download/{id}", &["GET"]),
    ("/api/generate-flexible-video", &["POST"]),
    ("/api/generate-video-async", &["POST"]),
    ("/api/job-status/{id}", &["GET"]),
    ("/api/music-tracks", &["GET"]),
    ("/api/music-tracks/{name}", &["GET"]),
    ("/api/uploads", &["POST"]),
    ("/api/videos", &["GET"]),
    ("/api/videos/{id}", &["DELETE"]),
    // Projects
    ("/api/projects/{id}/scenes", &["GET"]),
    ("/api/projects/{id}/scenes/{scene}/generate", &["POST"]),
    ("/api/scenes/{id}", &["PATCH", "DELETE"]),
    ("/api/v1/files/{project}/final/{generation}/{name}", &["GET"]),
    ("/api/v1/files/{project}/prompts/{name}", &["GET"]),
    ("/api/v1/files/{project}/scenes/{scene}/{attempt}/{name}", &["GET"]),
    ("/api/v1/projects", &["GET", "POST"]),
    ("/api/v1/projects/{id}", &["GET", "PATCH", "DELETE"]),
    ("/api/v1/projects/{id}/cancel", &["POST"]),
    ("/api/v1/projects/{id}/estimate", &["POST"]),
    ("/api/v1/projects/{id}/retry", &["POST"]),
    ("/api/v1/projects/{id}/scenes", &["GET", "POST"]),
    ("/api/v1/projects/{id}/scenes/{scene}", &["PATCH", "DELETE"]),
    ("/api/v1/projects/{id}/scenes/{scene}/generate", &["POST"]),
    ("/api/v1/projects/{id}/start", &["POST"]),
    ("/api/v1/projects/{id}/stitch", &["POST"]),
    ("/api/v1/projects/{id}/stream", &["GET"]),
    ("/api/v1/projects/{id}/videos/generate", &["POST"]),
    // Clips and credits
    ("/ai-clipping-agent/credits", &["GET"]),
    ("/ai-clipping-agent/jobs", &["GET", "POST"]),
    ("/ai-clipping-agent/jobs/estimate", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}", &["GET", "DELETE"]),
    ("/ai-clipping-agent/jobs/{id}/cancel", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}/clips/{index}", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}/retry", &["POST"]),
    ("/ai-clipping-agent/jobs/{id}/stream", &["GET"]),
    ("/api/ai-clipping-agent/credits", &["GET"]),
    ("/api/ai-clipping-agent/jobs", &["GET", "POST"]),
    ("/api/ai-clipping-agent/jobs/estimate", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}", &["GET", "DELETE"]),
    ("/api/ai-clipping-agent/jobs/{id}/cancel", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}/clips/{index}", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}/retry", &["POST"]),
    ("/api/ai-clipping-agent/jobs/{id}/stream", &["GET"]),
    ("/api/v1/files/clips/{job}/{name}", &["GET"]),
    // The catalogue
    ("/api/genres/{country}", &["GET"]),
    ("/api/movies/preview", &["POST"]),
    ("/api/platforms/{country}", &["GET"]),
    ("/api/templates", &["GET"]),
    ("/api/test", &["GET"]),
    // Pages, which have no data of their own
    ("/", &["GET"]),
    ("/clips", &["GET"]),
    ("/clips/{id}", &["GET"]),
    ("/credits", &["GET"]),
    ("/dashboard", &["GET"]),
    ("/errors", &["GET"]),
    ("/job/{id}", &["GET"]),
    ("/projects", &["GET"]),
    ("/projects/{id}", &["GET"]),
    ("/queue", &["GET"]),
    ("/story/{id}", &["GET"]),
    ("/webhooks", &["GET"]),
    ("/webhooks/deliveries", &["GET"]),
    ("/webhooks/deliveries/{id}", &["GET"]),
];

/// Whether owners may call a route; its path may be a template.
pub fn is_for_owners(method: &str, path: &str) -> bool {
    is_listed(method, &segments(path))
}

/// Refuses an owner's request for a route of operators. What is no route at all has its own problem.
///
/// # Errors
/// [`RequestProblem::OperatorOnly`].
pub(crate) fn check_owner(request: &ApiRequest) -> Result<(), Problem> {
    let (method, segments) = (request.method.as_str(), request.segments());
    if is_route(method, &segments) && !is_listed(method, &segments) {
        return Err(Problem::Request(RequestProblem::OperatorOnly));
    }
    Ok(())
}

fn is_listed(method: &str, segments: &[&str]) -> bool {
    OWNERS.iter().any(|(path, methods)| methods.contains(&method) && fits(path, segments))
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::request::{get_request, posting};
    use crate::routes::all;

    /// The routes that need no credentials of callers: they are open, or a token or a signature stands for a caller.
    const OPEN: &[&str] = &[
        "GET /.well-known/webhook-keys.json",
        "GET /api/health",
        "GET /api/webhooks/ai-clipping",
        "GET /api/webhooks/clipping",
        "GET /api/webhooks/last-frame-complete",
        "GET /api/webhooks/stitch-complete",
        "GET /api/webhooks/video-complete",
        "GET /health",
        "GET /login",
        "GET /openapi.json",
        "POST /api/webhooks/ai-clipping",
        "POST /api/webhooks/clipping",
        "POST /api/webhooks/creatomate",
        "POST /api/webhooks/last-frame-complete",
        "POST /api/webhooks/step-update",
        "POST /api/webhooks/stitch-complete",
        "POST /api/webhooks/video-complete",
        "POST /login",
        "POST /logout",
    ];
    /// The routes of operators.
    const OPERATORS: &[&str] = &[
        "DELETE /api/webhooks/endpoints/{id}",
        "GET /api/job/{id}/deliveries",
        "GET /api/logs/search",
        "GET /api/logs/stats",
        "GET /api/queue-status",
        "GET /api/queue/status",
        "GET /api/queue/status/stream",
        "GET /api/v1/errors",
        "GET /api/v1/errors/stats",
        "GET /api/v1/errors/stream",
        "GET /api/v1/errors/{id}",
        "GET /api/v1/files/uploads/{name}",
        "GET /api/v1/metrics",
        "GET /api/webhooks/deliveries",
        "GET /api/webhooks/deliveries/{id}",
        "GET /api/webhooks/endpoints",
        "GET /api/webhooks/endpoints/{id}",
        "GET /api/webhooks/endpoints/{id}/preview",
        "GET /api/webhooks/endpoints/{id}/secret",
        "GET /api/webhooks/event-types",
        "GET /api/webhooks/recover",
        "GET /api/webhooks/recover/{id}",
        "GET /api/webhooks/status",
        "PATCH /api/webhooks/endpoints/{id}",
        "POST /ai-clipping-agent/credits",
        "POST /api/ai-clipping-agent/credits",
        "POST /api/queue/cleanup",
        "POST /api/queue/clear",
        "POST /api/queue/clear-failed",
        "POST /api/queue/toggle",
        "POST /api/v1/errors/dismiss",
        "POST /api/v1/errors/log",
        "POST /api/validate-url",
        "POST /api/webhooks/deliveries/{id}/retry",
        "POST /api/webhooks/endpoints",
        "POST /api/webhooks/endpoints/{id}/enable",
        "POST /api/webhooks/endpoints/{id}/secret/rotate",
        "POST /api/webhooks/endpoints/{id}/test",
        "POST /api/webhooks/recover",
        "POST /api/webhooks/recover/{id}/cancel",
        "POST /api/webhooks/test",
        "POST /api/webhooks/trigger",
    ];

    /// The test of [`crate::routes`] compares its routes with those of the description.
    #[test]
    fn every_route_of_the_description_is_for_everybody_for_owners_or_for_operators() {
        let mut undecided = BTreeSet::new();
        for (path, methods) in all() {
            for method in *methods {
                let route = format!("{method} {path}");
                let decisions =
                    [OPEN.contains(&route.as_str()), OPERATORS.contains(&route.as_str()), is_for_owners(method, path)];
                if decisions.into_iter().filter(|is_decided| *is_decided).count() != 1 {
                    undecided.insert(route);
                }
            }
        }
        assert!(undecided.is_empty(), "must be in exactly one of OPEN, OPERATORS and OWNERS: {undecided:#?}");
    }

    #[test]
    fn an_owner_is_refused_at_routes_of_operators_only() {
        let read = |path: &str| check_owner(&get_request(path, &[]));
        let post = |path: &str| check_owner(&posting(path, &serde_json::json!({})));
        let refused = Err(Problem::Request(RequestProblem::OperatorOnly));
        for route in ["/api/queue/clear", "/api/queue/toggle", "/api/webhooks/trigger", "/api/v1/errors/dismiss"] {
            assert_eq!(post(route), refused, "{route}");
        }
        for route in ["/api/queue/status", "/api/logs/search", "/api/webhooks/endpoints/ep_1", "/api/v1/errors/err_1"] {
            assert_eq!(read(route), refused, "{route}");
        }
        for route in ["/api/job/job_1", "/api/queue/jobs", "/api/v1/projects/proj_1/stream", "/", "/styles.css"] {
            assert_eq!(read(route), Ok(()), "{route}");
        }
        // The route says which methods it supports, or that it does not exist.
        for route in ["/api/queue/clear", "/api/nothing"] {
            assert_eq!(read(route), Ok(()), "{route}");
        }
    }
}

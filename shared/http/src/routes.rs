//! The methods that each path of the API supports, for the answer to unsupported ones.

use crate::clips::webhook;
use crate::problem::{Problem, RequestProblem};
use crate::projects::callbacks;
use crate::request::ApiRequest;
use crate::{catalog, clips, credits, errors, jobs, metrics, projects, videos, webhooks};

/// A path and its methods. Every path with GET also supports HEAD, and every path supports OPTIONS.
pub(crate) type Route = (&'static str, &'static [&'static str]);

/// The paths of each family.
const FAMILIES: [&[Route]; 12] = [
    jobs::ROUTES,
    webhooks::ROUTES,
    videos::ROUTES,
    projects::ROUTES,
    callbacks::ROUTES,
    webhook::ROUTES,
    clips::ROUTES,
    credits::ROUTES,
    catalog::ROUTES,
    errors::ROUTES,
    metrics::ROUTES,
    PAGES,
];

/// The paths of pages, of sign-in and of the API itself.
const PAGES: &[Route] = &[
    ("/", &["GET"]),
    ("/api/health", &["GET"]),
    ("/api/test", &["GET"]),
    ("/clips", &["GET"]),
    ("/clips/{id}", &["GET"]),
    ("/credits", &["GET"]),
    ("/dashboard", &["GET"]),
    ("/errors", &["GET"]),
    ("/health", &["GET"]),
    ("/job/{id}", &["GET"]),
    ("/login", &["GET", "POST"]),
    ("/logout", &["POST"]),
    ("/openapi.json", &["GET"]),
    ("/projects", &["GET"]),
    ("/projects/{id}", &["GET"]),
    ("/queue", &["GET"]),
    ("/story/{id}", &["GET"]),
    ("/webhooks", &["GET"]),
    ("/webhooks/deliveries", &["GET"]),
    ("/webhooks/deliveries/{id}", &["GET"]),
];

/// All paths.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    FAMILIES.into_iter().flatten()
}

/// Whether a path has a route with this method.
pub(crate) fn is_route(method: &str, segments: &[&str]) -> bool {
    all().any(|(path, methods)| methods.contains(&method) && fits(path, segments))
}

/// The problem of a request that matches no route: 405 with the supported methods if the path exists, else 404.
pub fn unknown(request: &ApiRequest) -> Problem {
    let segments = request.segments();
    let methods = all().find(|(path, _)| fits(path, &segments)).map(|(_, methods)| *methods);
    match methods {
        Some(methods) if !methods.contains(&request.method.as_str()) => not_allowed(methods),
        Some(_) | None => Problem::Request(RequestProblem::UnknownRoute),
    }
}

/// The problem of another method than GET or HEAD on a read-only path.
pub fn read_only() -> Problem {
    not_allowed(&["GET"])
}

fn not_allowed(methods: &[&str]) -> Problem {
    let mut allow: Vec<&str> = Vec::with_capacity(methods.len() + 2);
    for method in methods {
        allow.push(method);
        if *method == "GET" {
            allow.push("HEAD");
        }
    }
    allow.push("OPTIONS");
    Problem::Request(RequestProblem::MethodNotAllowed(allow.join(", ")))
}

/// Whether segments match a path template, in which `{id}` matches any segment.
pub(crate) fn fits(path: &str, segments: &[&str]) -> bool {
    let mut known = path.split('/').filter(|segment| !segment.is_empty());
    let all =
        segments.iter().all(|segment| known.next().is_some_and(|known| known.starts_with('{') || known == *segment));
    all && known.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use lambda_http::{Body, Request, RequestExt};
    use serde_json::Value;

    use super::*;

    fn refusal(method: &str, path: &str) -> Problem {
        let mut request = Request::new(Body::Empty).with_raw_http_path(path);
        *request.method_mut() = method.parse().unwrap();
        unknown(&ApiRequest::of(request))
    }

    #[test]
    fn the_table_matches_the_openapi_description() {
        let text = include_str!("../../../functions/pages/openapi/openapi.json");
        let described: Value = serde_json::from_str(text).unwrap();
        let methods = |operations: &Value| -> BTreeSet<String> {
            let names = operations.as_object().unwrap().keys().filter(|name| *name != "parameters");
            names.map(|name| name.to_uppercase()).collect()
        };
        // A callback token is a prefix that is removed from the path.
        let paths = described["paths"].as_object().unwrap().iter().filter(|(path, _)| !path.starts_with("/w/"));
        let described: BTreeMap<&str, BTreeSet<String>> =
            paths.map(|(path, operations)| (path.as_str(), methods(operations))).collect();
        let known = all().map(|(path, methods)| (*path, methods.iter().map(|one| (*one).to_owned()).collect()));
        assert_eq!(known.collect::<BTreeMap<&str, BTreeSet<String>>>(), described);
    }

    #[test]
    fn no_path_matches_two_routes() {
        for (path, _) in all() {
            let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
            let fitting: Vec<&str> =
                all().filter(|(known, _)| fits(known, &segments)).map(|(known, _)| *known).collect();
            // Such an id is a segment that is none of the words of its family, which stand before it.
            let has_words = ["/api/v1/errors/{id}", "/ai-clipping-agent/jobs/{id}", "/api/ai-clipping-agent/jobs/{id}"];
            let others: Vec<&str> = fitting.iter().copied().skip(1).filter(|one| !has_words.contains(one)).collect();
            assert_eq!((fitting.first(), others), (Some(path), Vec::new()), "{path}");
        }
    }

    #[test]
    fn every_get_route_of_the_template_has_a_head_route() {
        let template = include_str!("../../../template.yaml");
        let routes = |method: &str| -> BTreeSet<&'static str> {
            let named = format!("Method: {method}, Path: '");
            template.lines().filter_map(|line| line.split_once(&named)?.1.split('\'').next()).collect()
        };
        assert!(routes("GET").len() > 20, "the test must find the routes");
        assert_eq!(routes("GET"), routes("HEAD"));
    }

    #[test]
    fn an_unsupported_method_gets_the_supported_ones_and_an_unknown_path_gets_404() {
        let check = |method: &str, path: &str, allow: Option<&str>| {
            let expected = allow.map_or(Problem::Request(RequestProblem::UnknownRoute), |allow| {
                Problem::Request(RequestProblem::MethodNotAllowed(allow.to_owned()))
            });
            assert_eq!(refusal(method, path), expected, "{method} {path}");
        };
        check("GET", "/api/generate", Some("POST, OPTIONS"));
        check("HEAD", "/api/generate", Some("POST, OPTIONS"));
        check("PUT", "/api/job/job_1_a", Some("GET, HEAD, OPTIONS"));
        check("POST", "/api/webhooks/endpoints/ep_1", Some("GET, HEAD, PATCH, DELETE, OPTIONS"));
        check("DELETE", "/api/webhooks/recover", Some("GET, HEAD, POST, OPTIONS"));
        check("PATCH", "/", Some("GET, HEAD, OPTIONS"));
        check("TRACE", "/w/token/api/webhooks/creatomate", Some("POST, OPTIONS"));
        check("GET", "/api/job", None);
        check("GET", "/api/job/a/b/c", None);
        check("POST", "/api/nothing", None);
        // The method is supported, but another function serves the route.
        check("GET", "/api/job/job_1_a", None);
    }
}

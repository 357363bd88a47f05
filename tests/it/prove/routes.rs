//! Which function serves a request: by the routes of template.yaml, and by the Function URLs of the stack.

use reqwest::{Method, Url};

use crate::stack::Stack;

const TEMPLATE: &str = include_str!("../../../template.yaml");
/// The outputs with Function URLs, and the functions behind them.
const URLS: [(&str, &str); 3] =
    [("CallbacksUrl", "callbacks"), ("StreamUrl", "job-stream"), ("VideosWaitUrl", "videos-wait")];
/// The function that serves what has no route.
const OTHERS: &str = "pages";

/// A route of the API.
struct Route {
    function: &'static str,
    method: &'static str,
    path: &'static str,
}

/// The function that serves a request to this stack, by its name without that of the stack.
pub fn function_of(stack: &Stack, method: &Method, url: &Url) -> &'static str {
    let is_at = |output: &str| url.as_str().starts_with(&format!("{}/", stack.aws.function_url(output)));
    let at_url = URLS.into_iter().find(|(output, _)| is_at(output));
    at_url.map_or_else(|| routed(method.as_str(), url.path()), |(_, function)| function)
}

/// The function that serves a method at a path of the API.
fn routed(method: &str, path: &str) -> &'static str {
    let fitting = routes().filter(|route| route.method == method && fits(route.path, path));
    // Where a word and a variable fit, the gateway takes the route with the word.
    let most_exact = fitting.min_by_key(|route| route.path.matches('{').count());
    most_exact.map_or(OTHERS, |route| route.function)
}

/// Whether a path is one of a route's.
fn fits(route: &str, path: &str) -> bool {
    let (parts, found): (Vec<&str>, Vec<&str>) = (route.split('/').collect(), path.split('/').collect());
    parts.len() == found.len() && parts.iter().zip(&found).all(|(part, found)| part.starts_with('{') || part == found)
}

/// The routes of template.yaml: the events of each function stand behind its name.
fn routes() -> impl Iterator<Item = Route> {
    let mut function = OTHERS;
    TEMPLATE.lines().filter_map(move |line| {
        if let Some(name) = between(line, "FunctionName: !Sub '${AWS::StackName}-", '\'') {
            function = name;
        }
        let (_, route) = line.split_once("Type: HttpApi, Properties")?;
        Some(Route { function, method: between(route, "Method: ", ',')?, path: between(route, "Path: '", '\'')? })
    })
}

/// What stands between two parts of a text.
fn between(text: &'static str, begin: &str, end: char) -> Option<&'static str> {
    text.split_once(begin)?.1.split_once(end).map(|(inside, _)| inside)
}

#[test]
fn each_route_belongs_to_the_function_that_serves_it() {
    for (method, path, expected) in [
        ("POST", "/api/generate", "generate"),
        ("POST", "/api/generate-video-async", "videos"),
        ("GET", "/api/job/job_1_a", "job-status"),
        ("GET", "/api/job/job_1_a/stream", "job-wait"),
        ("GET", "/api/queue/job/job_1_a/logs", "job-logs"),
        ("DELETE", "/api/queue/job/job_1_a/delete", "job-control"),
        ("GET", "/api/webhooks/endpoints", "webhooks-admin"),
        ("POST", "/w/token/api/webhooks/step-update", "step-webhook"),
        ("POST", "/api/webhooks/creatomate", "creatomate-webhook"),
        ("POST", "/w/token/api/webhooks/video-complete", "scene-webhooks"),
        ("POST", "/w/token/api/webhooks/ai-clipping", "clipping-webhook"),
        ("POST", "/api/v1/projects/project_1/start", "projects"),
        ("GET", "/ai-clipping-agent/credits", "clips"),
        ("GET", "/api/v1/errors/stats", "errors"),
        ("GET", "/api/v1/errors/stream", "job-wait"),
        ("GET", "/dashboard", OTHERS),
        ("GET", "/api/generate", OTHERS),
    ] {
        assert_eq!(routed(method, path), expected, "{method} {path}");
    }
}

//! Builders of video orders for the tests of films.

use futures_util::FutureExt;
use lambda_http::http::HeaderValue;
use lambda_http::{Body, Request, RequestExt};
use reelhook_app::videos::requests::VideoRequest;
use reelhook_domain::videos::film::{Content, Scene};
use reelhook_domain::videos::render::Renderer;
use reelhook_http::access::Caller;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::videos::film::{ParsedFilm, read};
use reelhook_http::videos::routes;
use serde_json::{Value, json};

/// The only known track.
pub const TRACK: &str = "corp-1";

pub fn track(word: &str) -> Option<&'static str> {
    (word == TRACK).then_some(TRACK)
}

/// Reads a configuration without uploaded images.
pub fn parse_film(config: &Value) -> Result<ParsedFilm, Problem> {
    read(config, &[], Renderer::Own, track)
}

/// The scene of a configuration with one scene.
pub fn scene(scene: Value) -> Scene {
    let parse_film = parse_film(&json!({ "scenes": [scene] })).expect("a film");
    parse_film.film.scenes.into_iter().next().expect("a scene")
}

pub fn content(kind: &str, content: Value) -> Content {
    scene(json!({ "type": kind, "content": content })).content
}

/// The message of an error.
pub fn refusal<T>(read: Result<T, Problem>) -> String {
    read.err().map(|problem| problem.parts().2).expect("a refusal")
}

pub fn request(body: &str, media_type: &'static str) -> ApiRequest {
    let mut request = Request::new(Body::Text(body.to_owned())).with_raw_http_path("/api/generate-video-async");
    request.headers_mut().insert("content-type", HeaderValue::from_static(media_type));
    ApiRequest::of(request)
}

/// An order with a webhook URL.
pub fn order(request: &ApiRequest) -> Result<VideoRequest, Problem> {
    let caller = Caller::known_as("ann");
    let read = routes::read(request, &caller, true, false, Renderer::Own, || 7, track);
    read.now_or_never().expect("all of it is there")
}

/// An order in JSON whose scenes are `scenes`.
pub fn order_of(scenes: &str) -> Result<VideoRequest, Problem> {
    let body = format!("{{\"webhookUrl\": \"https://client.example/hook\", \"scenes\": {scenes}}}");
    order(&request(&body, "application/json"))
}

//! Requests in the form in which the gateway passes them on.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue};
use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::{Body, Request, RequestExt};
use reelhook_app::videos::requests::VideoRequest;
use reelhook_domain::videos::render::Renderer;
use reelhook_http::access::Caller;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::videos::routes;

/// A request with these headers.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> ApiRequest {
    let mut request = Request::new(body).with_raw_http_path(path);
    *request.method_mut() = method.parse().unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    ApiRequest::of(request)
}

/// A GET with a query, read like in the runtime.
pub fn get_request(path: &str, query: &str) -> ApiRequest {
    let query: QueryMap = query.parse().unwrap();
    ApiRequest::of(Request::new(Body::Empty).with_raw_http_path(path).with_query_string_parameters(query))
}

/// A POST whose body the gateway passes as text, as it does for JSON.
pub fn text(headers: &[(&str, &str)], body: &[u8]) -> ApiRequest {
    let body = String::from_utf8_lossy(body).into_owned();
    let headers = [[("content-type", "application/json")].as_slice(), headers].concat();
    request("POST", "/api/generate", &headers, Body::Text(body))
}

/// A POST whose body the gateway passes as bytes.
pub fn binary(headers: &[(&str, &str)], body: &[u8]) -> ApiRequest {
    request("POST", "/api/generate", headers, Body::Binary(body.to_vec()))
}

/// Compresses a body like a client.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A part of a form: headers and content.
pub fn part(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    [format!("--part\r\n{head}\r\n\r\n").as_bytes(), body.as_ref(), b"\r\n"].concat()
}

/// A form of these parts, as the gateway passes it.
pub fn form(headers: &[(&str, &str)], parts: &[Vec<u8>]) -> ApiRequest {
    let headers = [[("content-type", "multipart/form-data; boundary=part")].as_slice(), headers].concat();
    let body = [parts.concat().as_slice(), b"--part--\r\n"].concat();
    request("POST", "/api/generate-video-async", &headers, Body::Binary(body))
}

/// Reads an order, which is ready at once.
pub fn order(request: &ApiRequest) -> Result<VideoRequest, Problem> {
    let mut keys = 0;
    let random = || {
        keys += 1;
        keys
    };
    let caller = Caller::known_as("ann");
    let read = routes::read(request, &caller, false, true, Renderer::Own, random, |_| None);
    read.now_or_never().expect("nothing waits")
}

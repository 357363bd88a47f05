//! Requests as the gateway hands them on, made of choices: paths, queries, headers and bodies, most of them nearly right.

use std::collections::HashMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lambda_http::http::{HeaderName, HeaderValue, Method};
use lambda_http::{Body, Request, RequestExt as _};
use reelhook_http::request::ApiRequest;
use serde_json::{Map, Value};

use crate::input::Input;
use crate::targets::api::{Operation, api};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

const HEADERS: [&str; 18] = [
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "host",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "origin",
    "sec-fetch-mode",
    "traceparent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-api-key",
    "x-forwarded-proto",
    "x-reelhook-viewer",
];

/// A request for one of these operations.
pub fn request(operations: &[&Operation], input: &mut Input<'_>) -> ApiRequest {
    let operation = *input.pick(operations);
    let (content_type, body) = match operation.bodies.as_slice() {
        [] => ("application/json", if input.rarely(8) { b"{}".to_vec() } else { Vec::new() }),
        bodies => {
            let (media_type, schema) = input.pick(bodies);
            let value = api().value(schema, input);
            match media_type.as_str() {
                "multipart/form-data" => ("multipart/form-data; boundary=b", form(&value, input)),
                "application/x-www-form-urlencoded" => ("application/x-www-form-urlencoded", pairs(&value)),
                _ => ("application/json", value.to_string().into_bytes()),
            }
        }
    };
    let method = if input.rarely(16) { *input.pick(&METHODS) } else { operation.method.as_str() };
    let query = query(operation, input);
    made(method, &path(&operation.path, input), query, (content_type, body), input)
}

/// A POST of these bytes.
pub fn posting(path: &str, body: Vec<u8>, input: &mut Input<'_>) -> ApiRequest {
    made("POST", path, HashMap::new(), ("application/json", body), input)
}

/// A path of a template.
fn path(template: &str, input: &mut Input<'_>) -> String {
    let prefix = if input.rarely(16) { format!("/w/{}", input.text()) } else { String::new() };
    let mut path = prefix;
    for segment in template.split('/').filter(|segment| !segment.is_empty()) {
        path.push('/');
        if segment.starts_with('{') || input.rarely(64) { path.push_str(&input.text()) } else { path.push_str(segment) }
    }
    path
}

fn query(operation: &Operation, input: &mut Input<'_>) -> HashMap<String, Vec<String>> {
    let mut pairs: HashMap<String, Vec<String>> = HashMap::new();
    for (name, schema) in &operation.query {
        if input.rarely(3) {
            let value = match api().value(schema, input) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            pairs.entry(name.clone()).or_default().push(value);
        }
    }
    if input.rarely(8) {
        let name =
            (*input.pick(&["metadata.order", "metadata.", "token", "cursor", "limit", "lastEventId"])).to_owned();
        pairs.entry(name).or_default().push(input.text());
    }
    pairs
}

/// A request, now and then with a compressed or damaged body and with headers that change how it is read.
fn made(
    method: &str,
    path: &str,
    query: HashMap<String, Vec<String>>,
    (content_type, mut body): (&str, Vec<u8>),
    input: &mut Input<'_>,
) -> ApiRequest {
    let mut headers = vec![("content-type", content_type.as_bytes().to_vec())];
    if input.rarely(16) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&body).expect("it is written to memory");
        body = packed.finish().expect("it is written to memory");
        headers.push(("content-encoding", b"gzip".to_vec()));
    }
    if input.rarely(8) && !body.is_empty() {
        let at = input.below(body.len());
        match input.below(3) {
            0 => body.truncate(at),
            1 => body[at] ^= 1 << input.below(8),
            _ => body.extend_from_slice(input.bytes(16)),
        }
    }
    while input.rarely(4) {
        let name = *input.pick(&HEADERS);
        headers.push((name, header(name, input)));
    }
    let is_text = input.flag();
    let body = match String::from_utf8(body) {
        Ok(text) if is_text => Body::Text(text),
        Ok(text) => Body::Binary(text.into_bytes()),
        Err(bytes) if is_text => Body::Text(String::from_utf8_lossy(bytes.as_bytes()).into_owned()),
        Err(bytes) => Body::Binary(bytes.into_bytes()),
    };
    let mut request = Request::new(body).with_raw_http_path(path).with_query_string_parameters(query);
    *request.method_mut() = method.parse().unwrap_or(Method::GET);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) {
            request.headers_mut().append(name, value);
        }
    }
    ApiRequest::of(request)
}

fn header(name: &str, input: &mut Input<'_>) -> Vec<u8> {
    let known: &[&str] = match name {
        "content-type" => {
            &["application/json; charset=latin1", "text/plain", "multipart/form-data; boundary=\"b\"", ""]
        }
        "content-encoding" => &["gzip", "deflate", "gzip, deflate", "br", "identity"],
        "cookie" => &["seen=4.1", "seen=not-found; a=b", "__Host-reelhook_session=c1.1.x", "seen"],
        "if-match" | "if-none-match" => &["*", "\"proj_1-7\"", "W/\"7\"", "\"18446744073709551616\""],
        "authorization" => &["Bearer a.b.c", "Basic YTpi", "Basic !", "Bearer "],
        "x-reelhook-viewer" => &["203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9"],
        _ => &["https://client.example", "1704110400", "v1,AAAA", "navigate"],
    };
    if input.flag() { input.pick(known).as_bytes().to_vec() } else { input.text().into_bytes() }
}

/// A form as browsers encode it.
fn pairs(value: &Value) -> Vec<u8> {
    let members = value.as_object().into_iter().flatten();
    let pairs: Vec<String> =
        members.map(|(name, value)| format!("{name}={}", plain(value).replace(' ', "+"))).collect();
    pairs.join("&").into_bytes()
}

/// A form with parts, now and then with files among them.
fn form(value: &Value, input: &mut Input<'_>) -> Vec<u8> {
    let none = Map::new();
    let mut body = Vec::new();
    for (name, value) in value.as_object().unwrap_or(&none) {
        body.extend_from_slice(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
        if input.rarely(4) {
            let file = input.text().replace(['"', '\r', '\n'], "_");
            body.extend_from_slice(format!("; filename=\"{file}\"\r\nContent-Type: image/png").as_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        if input.rarely(6) {
            body.extend_from_slice(b"\x89PNG\r\n\x1a\n");
        }
        body.extend_from_slice(plain(value).as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(if input.rarely(16) { b"--b" } else { b"--b--\r\n" });
    body
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! A request as handlers see it, read from an event of API Gateway or a Function URL.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt};
use reelhook_domain::{TraceParent, brief};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::content;
use crate::origin::Origin;
use crate::problem::{Problem, RequestProblem, bad};
use crate::typed;

/// The maximum size of a JSON body, in bytes (docs/contract/requests.md, Bodies).
const BODY_LIMIT: usize = 1024 * 1024;
/// The maximum length of a request id, in bytes.
const ID_LIMIT: usize = 128;
/// The character with which the gateway replaces bytes that are not UTF-8.
const REPLACED: &str = "\u{fffd}";

/// A request to the API.
pub struct ApiRequest {
    /// The method in upper case; GET for a HEAD request, which gets the same answer without the body.
    pub method: String,
    /// The path without its prefix `/w/<token>` and without the query.
    pub path: String,
    /// The token of the prefix `/w/<token>`.
    pub token: Option<SecretString>,
    /// The raw bytes as received, for signatures.
    pub body: Vec<u8>,
    /// The peer's address as the gateway reports it; [`crate::edge::Edge::address`] is the caller's.
    pub source_ip: String,
    /// The gateway's id of the request.
    pub request_id: String,
    is_head: bool,
    /// Whether the gateway treated the body as text and replaced invalid UTF-8 in it.
    is_text: bool,
    /// The gateway's domain name of this API.
    pub domain: Option<String>,
    /// The gateway's id of this API.
    pub api_id: Option<String>,
    headers: http::HeaderMap,
    query: Vec<(String, String)>,
}

impl ApiRequest {
    /// Reads a Lambda event.
    pub fn of(request: Request) -> Self {
        let (source_ip, request_id, domain, api_id) = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => (
                context.http.source_ip.clone().unwrap_or_default(),
                context.request_id.clone().unwrap_or_default(),
                context.domain_name.clone(),
                context.apiid.clone(),
            ),
            _ => Default::default(),
        };
        let (path, token) = split_token(request.raw_http_path());
        let query = request.query_string_parameters_ref();
        let query = query.into_iter().flat_map(|query| query.iter());
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (parts, body) = request.into_parts();
        let (body, is_text) = match body {
            Body::Text(text) => (text.into_bytes(), true),
            Body::Binary(bytes) => (bytes, false),
            _ => (Vec::new(), false),
        };
        let request_id = request_id.chars().filter(char::is_ascii_graphic).take(ID_LIMIT).collect();
        let is_head = parts.method == http::Method::HEAD;
        Self {
            method: if is_head { "GET".to_owned() } else { parts.method.to_string() },
            path,
            token,
            body,
            source_ip,
            request_id,
            is_head,
            is_text,
            domain,
            api_id,
            headers: parts.headers,
            query,
        }
    }

    /// Whether the method is HEAD.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    /// Removes the body of the answer to a HEAD request.
    pub fn finish(&self, answer: ApiAnswer) -> ApiAnswer {
        if self.is_head { answer.without_body() } else { answer }
    }

    /// A header's value, if it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Writes the caller of an admitted or refused request to the audit log (docs/contract/access.md, Audit log);
    /// `source_ip` is the caller's address.
    pub fn audit(&self, source_ip: &str, what: &'static str) {
        let (source_ip, user_agent) = (brief(source_ip), self.header("user-agent").map(brief));
        tracing::info!(target: "audit", audit = true, source_ip, user_agent, "{what}");
    }

    /// A header's value as raw bytes.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(http::HeaderValue::as_bytes)
    }

    /// The value of the first cookie with this name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let mut pairs = self.header_bytes("cookie")?.split(|byte| *byte == b';');
        pairs.find_map(|pair| {
            let (known, value) = std::str::from_utf8(pair).ok()?.trim().split_once('=')?;
            (known == name).then_some(value)
        })
    }

    /// Whether the method may change something (RFC 9110, 9.2.1).
    pub fn changes_state(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "OPTIONS")
    }

    /// Whether the content type is JSON, which a browser sends to another site only after a preflight.
    pub fn is_json(&self) -> bool {
        let media_type = self.header("content-type").and_then(|text| text.split(';').next());
        media_type.is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json"))
    }

    /// Whether the request came over https, according to the gateway, which sets `X-Forwarded-Proto` itself.
    pub fn is_secure(&self) -> bool {
        let scheme = self.header("x-forwarded-proto").and_then(|text| text.split(',').next());
        scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
    }

    /// The origin of the request's URL.
    pub(crate) fn own_origin(&self) -> Option<Origin> {
        Origin::at(self.is_secure(), self.header("host")?)
    }

    /// Whether a browser navigates to a page of ours. The browser shows the page, and other pages can't read it.
    pub(crate) fn navigates_to_page(&self) -> bool {
        let is = |name: &str, value: &str| self.header(name) == Some(value);
        let follows = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
        follows && !self.changes_state() && self.segments().first() != Some(&"api")
    }

    /// The caller's trace, if the header `traceparent` has the right form.
    pub fn trace(&self) -> Option<TraceParent> {
        TraceParent::parse(self.header("traceparent")?)
    }

    /// [`Self::trace`] as it is stored.
    pub fn traceparent(&self) -> Option<String> {
        self.trace().map(String::from)
    }

    /// The value of the first query parameter with this name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All query parameters.
    pub(crate) fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The query parameter `cursor`: base64url of a text that `read` parses.
    ///
    /// # Errors
    /// [`RequestProblem::BadField`].
    pub fn cursor<T>(&self, read: impl Fn(String) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(text) = self.query("cursor") else { return Ok(None) };
        let text = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let found = text.filter(|text| !text.is_empty()).and_then(read);
        let right = || "the `nextCursor` of an answer".to_owned();
        found.map(Some).ok_or_else(|| bad("cursor", right()))
    }

    /// Encodes a position for [`Self::cursor`].
    pub fn write_cursor(position: &str) -> String {
        URL_SAFE_NO_PAD.encode(position)
    }

    /// The JSON body as `T`; its type names what is optional.
    ///
    /// # Errors
    /// As [`Self::json`] and [`typed::read`].
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        typed::read(&self.json()?)
    }

    /// Like [`Self::body`], but no body counts as an empty object.
    ///
    /// # Errors
    /// As [`Self::body`].
    pub fn optional_body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { typed::read(&json!({})) } else { self.body() }
    }

    /// Like [`Self::body`], for a callback ([`Self::callback_json`]).
    ///
    /// # Errors
    /// As [`Self::body`].
    pub fn callback_body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        typed::read(&self.callback_json()?)
    }

    /// The query parameters as `T`.
    ///
    /// # Errors
    /// As [`typed::read_query`].
    pub fn parameters<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        typed::read_query(self.queries())
    }

    /// Like [`Self::json`], but the body is optional; null without a body.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_or_nothing(&self) -> Result<Value, Problem> {
        if self.body.is_empty() { Ok(Value::Null) } else { self.json() }
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// [`Problem`] if the body is too large, not JSON, not an object, or in an encoding that is not supported.
    pub fn json(&self) -> Result<Value, Problem> {
        self.json_by(|text| typed::json::parse(text.as_bytes()))
    }

    /// [`Self::json`] with another JSON parser.
    pub(crate) fn json_by(&self, read: impl Fn(&str) -> serde_json::Result<Value>) -> Result<Value, Problem> {
        object(read(&self.json_text()?))
    }

    /// [`Self::json`] for a callback. Its sender does not retry, so a text in which the gateway replaced bytes is
    /// better than none.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn callback_json(&self) -> Result<Value, Problem> {
        object(typed::json::parse(self.read_json(true)?.as_bytes()))
    }

    /// The text of a JSON body.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_text(&self) -> Result<String, Problem> {
        self.read_json(false)
    }

    fn read_json(&self, accept_replaced: bool) -> Result<String, Problem> {
        let bytes = self.content(BODY_LIMIT, Problem::Request(RequestProblem::BodyTooLarge))?;
        let charset = self.charset();
        let foreign = charset.as_deref().filter(|label| !content::is_utf_8(label));
        let text = content::text(&bytes, if self.is_text { None } else { charset.as_deref() });
        let text = text.map_err(|why| why.problem(|why| Problem::Request(RequestProblem::BadJson(why))))?.into_owned();
        if self.is_text && text.contains(REPLACED) {
            match foreign {
                Some(label) => return Err(content::unsupported_charset(label)),
                None if accept_replaced => {}
                None => {
                    let why = "it has bytes that are not UTF-8, or U+FFFD, which is written `\\ufffd`";
                    return Err(Problem::Request(RequestProblem::BadJson(why.to_owned())));
                }
            }
        }
        Ok(text)
    }

    /// The body after decoding its content codings, at most `limit` bytes. Signatures cover the raw bytes instead.
    ///
    /// # Errors
    /// `too_large`, [`RequestProblem::UnsupportedEncoding`], or [`RequestProblem::BadEncoding`].
    pub(crate) fn content(&self, limit: usize, too_large: Problem) -> Result<Cow<'_, [u8]>, Problem> {
        let codings = content::codings(self.header("content-encoding"))?;
        if !self.is_text {
            return content::decoded(&self.body, &codings, limit, too_large);
        }
        // A gateway that decodes the body keeps the header; one that does not has corrupted a body that it treated as
        // text.
        let is_damaged = || self.body.windows(REPLACED.len()).any(|bytes| bytes == REPLACED.as_bytes());
        if !codings.is_empty() && is_damaged() {
            let right = "This `Content-Type` can't be compressed on its way through the gateway; send the body as it is, \
                         or compressed as `Content-Type: application/octet-stream`";
            return Err(Problem::Request(RequestProblem::UnsupportedEncoding(right.to_owned())));
        }
        content::decoded(&self.body, &[], limit, too_large)
    }

    /// The character set in the `Content-Type`.
    fn charset(&self) -> Option<String> {
        let label = content::parameter(self.header_bytes("content-type")?, "charset")?;
        String::from_utf8(label).ok()
    }

    /// The segments of the path.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }
}

fn object(read: serde_json::Result<Value>) -> Result<Value, Problem> {
    let value = read.map_err(|error| Problem::Request(RequestProblem::BadJson(error.to_string())))?;
    if value.is_object() { Ok(value) } else { Err(Problem::Request(RequestProblem::NoObject)) }
}

/// A GET of a path with query parameters, for tests.
#[cfg(test)]
pub(crate) fn get_request(path: &str, query: &[(&str, &str)]) -> ApiRequest {
    let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
    let pairs: std::collections::HashMap<String, Vec<String>> = pairs.collect();
    let request = Request::new(Body::Empty).with_raw_http_path(path);
    ApiRequest::of(request.with_query_string_parameters(pairs))
}

/// A POST of JSON, for tests.
#[cfg(test)]
pub(crate) fn posting(path: &str, body: &Value) -> ApiRequest {
    let mut request = Request::new(Body::Text(body.to_string())).with_raw_http_path(path);
    *request.method_mut() = lambda_http::http::Method::POST;
    request.headers_mut().insert("content-type", lambda_http::http::HeaderValue::from_static("application/json"));
    ApiRequest::of(request)
}

fn split_token(path: &str) -> (String, Option<SecretString>) {
    match path.strip_prefix("/w/").and_then(|rest| rest.split_once('/')) {
        Some((token, rest)) => (format!("/{rest}"), Some(SecretString::from(token))),
        None => (path.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_token_prefix_is_removed_from_the_path() {
        let check = |path: &str, rest: &str, token: Option<&str>| {
            let (path, found) = split_token(path);
            assert_eq!((path.as_str(), found.as_ref().map(|token| token.expose_secret())), (rest, token));
        };
        check("/w/t1.a.1.b/api/webhooks/step-update", "/api/webhooks/step-update", Some("t1.a.1.b"));
        check("/api/generate", "/api/generate", None);
        check("/w/", "/w/", None);
    }

    #[test]
    fn a_trace_that_is_no_traceparent_is_ignored() {
        let check = |header: &'static str, expected: Option<&str>| {
            let mut request = Request::new(Body::Empty);
            let value = lambda_http::http::HeaderValue::from_static(header);
            request.headers_mut().insert("traceparent", value);
            assert_eq!(ApiRequest::of(request).traceparent().as_deref(), expected, "{header}");
        };
        let right = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        check(right, Some(right));
        check("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None);
        check("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, 00-4bf9", None);
        assert_eq!(get_request("/", &[]).traceparent(), None);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let check = |header: &[u8], expected: Option<&str>| {
            let mut request = Request::new(Body::Empty);
            let value = lambda_http::http::HeaderValue::from_bytes(header).unwrap();
            request.headers_mut().insert("cookie", value);
            assert_eq!(ApiRequest::of(request).cookie("seen"), expected, "{}", String::from_utf8_lossy(header));
        };
        check(b"seen=12.0", Some("12.0"));
        check(b"theme=dark; seen=3; seen=9", Some("3"));
        check(b"a=1;seen=a=b", Some("a=b"));
        check(b"seen=", Some(""));
        check("name=Zo\u{eb}; seen=4".as_bytes(), Some("4"));
        check(b"name=\xff\xfe; seen=5", Some("5"));
        for none in ["", "seen", "unseen=1", "Seen=1", "x=seen=1"] {
            check(none.as_bytes(), None);
        }
        assert_eq!(get_request("/", &[]).cookie("seen"), None);
    }
}

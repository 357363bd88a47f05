//! A request as handlers see it, made from API Gateway's or a Function URL's event.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt};
use reelhook_domain::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::problem::Problem;

/// Bytes of a JSON body (contract.md, Errors).
const BODY_LIMIT: usize = 1024 * 1024;
/// Bytes of an id that is shown or stored.
const ID_LIMIT: usize = 128;

/// What handlers see of a request.
pub struct ApiRequest {
    /// Upper case.
    pub method: String,
    /// Without a `/w/<token>` in front, without the query.
    pub path: String,
    /// The token of `/w/<token>`.
    pub token: Option<SecretString>,
    /// Raw bytes, as they came.
    pub body: Vec<u8>,
    /// The gateway's word for who is at the other end; [`crate::edge::Edge::address`] tells who called.
    pub source_ip: String,
    /// The gateway's id of the request.
    pub request_id: String,
    headers: http::HeaderMap,
    query: Vec<(String, String)>,
}

impl ApiRequest {
    /// Takes a Lambda event apart.
    pub fn of(request: Request) -> Self {
        let (source_ip, request_id) = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => {
                (context.http.source_ip.clone().unwrap_or_default(), context.request_id.clone().unwrap_or_default())
            }
            _ => Default::default(),
        };
        let (path, token) = split_token(request.raw_http_path());
        let query = request.query_string_parameters();
        let query = query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (parts, body) = request.into_parts();
        let body = match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        };
        let request_id = request_id.chars().filter(char::is_ascii_graphic).take(ID_LIMIT).collect();
        Self {
            method: parts.method.to_string(),
            path,
            token,
            body,
            source_ip,
            request_id,
            headers: parts.headers,
            query,
        }
    }

    /// A header's text, when it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Notes in the audit log who called, let in or not (contract.md, Who may call); `source_ip` is the caller's address.
    pub fn audit(&self, source_ip: &str, what: &'static str) {
        let user_agent = self.header("user-agent");
        tracing::info!(target: "audit", audit = true, source_ip, user_agent, "{what}");
    }

    /// A header's bytes, whatever they are.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(http::HeaderValue::as_bytes)
    }

    /// Whether the method may change something (RFC 9110, 9.2.1).
    pub fn changes_state(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// Whether the body is said to be JSON, which a browser sends to another site only after a preflight.
    pub fn is_json(&self) -> bool {
        let media_type = self.header("content-type").and_then(|text| text.split(';').next());
        media_type.is_some_and(|text| text.trim().eq_ignore_ascii_case("application/json"))
    }

    /// Whether a page of this server sends it: `Origin` names the host that is asked.
    pub fn is_from_own_page(&self) -> bool {
        let origin = self.header("origin").and_then(|text| text.split_once("://"));
        origin.is_some_and(|(_, host)| self.header("host") == Some(host))
    }

    /// The W3C trace that the caller is in, if it looks like one.
    pub fn traceparent(&self) -> Option<String> {
        let text = self.header("traceparent")?;
        let shape = text.len() == 55 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        shape.then(|| text.to_owned())
    }

    /// A parameter of the query, the first of its name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The parameter `limit`, from 1 to `most`.
    ///
    /// # Errors
    /// [`Problem::BadField`].
    pub fn limit(&self, usual: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.query("limit") else { return Ok(usual) };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| Problem::BadField { field: "limit", right: format!("a whole number from 1 to {most}") })
    }

    /// The parameters `from` and `to`, each where it is given.
    ///
    /// # Errors
    /// [`Problem::BadField`], also where they are in the wrong order.
    pub fn times(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
        let bad = |field: &'static str, right: &str| Problem::BadField { field, right: right.to_owned() };
        let time = |name: &'static str| {
            let given = self.query(name).filter(|text| !text.is_empty());
            given
                .map(|text| read_time(text).ok_or_else(|| bad(name, "an RFC 3339 time or Unix milliseconds")))
                .transpose()
        };
        let (from, to) = (time("from")?, time("to")?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(bad("from", "a time before `to`"));
        }
        Ok((from, to))
    }

    /// The parameter `cursor`, which is base64url of what `read` understands.
    ///
    /// # Errors
    /// [`Problem::BadField`].
    pub fn cursor<T>(&self, read: impl Fn(String) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(text) = self.query("cursor") else { return Ok(None) };
        let text = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let found = text.filter(|text| !text.is_empty()).and_then(read);
        let right = || "the nextCursor of an answer".to_owned();
        found.map(Some).ok_or_else(|| Problem::BadField { field: "cursor", right: right() })
    }

    /// What [`Self::cursor`] reads.
    pub fn write_cursor(place: &str) -> String {
        URL_SAFE_NO_PAD.encode(place)
    }

    /// Like [`Self::json`], where a body may be left out: null then.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_or_nothing(&self) -> Result<Value, Problem> {
        if self.body.is_empty() { Ok(Value::Null) } else { self.json() }
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// [`Problem`] when it is too large, no JSON, or no object.
    pub fn json(&self) -> Result<Value, Problem> {
        if self.body.len() > BODY_LIMIT {
            return Err(Problem::BodyTooLarge);
        }
        let value: Value = serde_json::from_slice(&self.body).map_err(|error| Problem::BadJson(error.to_string()))?;
        if value.is_object() { Ok(value) } else { Err(Problem::NoObject) }
    }

    /// The segments of the path.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }
}

/// RFC 3339 or Unix milliseconds, from 1970 to 9999.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    let time = text.parse().ok().map(Timestamp).or_else(|| Timestamp::parse(text))?;
    (0..=253_402_300_799_999).contains(&time.0).then_some(time)
}

/// A GET of a path with parameters, for tests.
#[cfg(test)]
pub(crate) fn asking(path: &str, query: &[(&str, &str)]) -> ApiRequest {
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
    fn a_token_in_front_of_the_path_is_taken_off() {
        let check = |path: &str, rest: &str, token: Option<&str>| {
            let (path, found) = split_token(path);
            assert_eq!((path.as_str(), found.as_ref().map(|token| token.expose_secret())), (rest, token));
        };
        check("/w/t1.a.1.b/api/webhooks/step-update", "/api/webhooks/step-update", Some("t1.a.1.b"));
        check("/api/generate", "/api/generate", None);
        check("/w/", "/w/", None);
    }
}

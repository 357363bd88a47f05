//! The port of the guarded HTTP client, which makes every call to a URL from outside.

pub(crate) mod conceal;
pub mod decode;
pub mod download;
pub(crate) mod json;
pub mod redirects;
#[cfg(test)]
pub(crate) mod samples;
pub mod submission;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

/// Headers that frame the message or belong to the connection (RFC 9110, 7.6.1). The client sets them itself: a
/// content-length from outside could smuggle a second request into a reused connection.
pub const CONNECTION_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The HTTP methods of outbound requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET, without a body.
    Get,
    /// POST.
    Post,
    /// DELETE, without a body.
    Delete,
}

/// One request to an untrusted URL.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// The absolute http or https URL; any other URL is [`OutboundError::Forbidden`].
    pub url: Url,
    /// Header names and values, in order; a name or value that HTTP does not allow is [`OutboundError::BadRequest`].
    pub headers: Vec<(String, String)>,
    /// The exact body; empty for GET and DELETE.
    pub body: Bytes,
    /// The total time from resolving the name to reading the last byte. The response head must arrive within it.
    pub deadline: Duration,
    /// The maximum number of bytes of the response body; the rest is not read.
    pub response_limit: usize,
}

/// A response with any status.
#[derive(Debug, Clone)]
pub struct OutboundResponse {
    /// The HTTP status. Redirects are not followed, so it may be 3xx.
    pub status: u16,
    /// The headers; values that are not UTF-8 are read as Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body as received, at most `response_limit` bytes; content codings are not decoded.
    pub body: Bytes,
    /// Whether the body was longer than the limit.
    pub truncated: bool,
    /// The error that ended the body too early, if any. `body` has the bytes before it, and the status is valid.
    pub cut_short: Option<OutboundError>,
    /// The time from the start to the response head.
    pub first_byte: Duration,
    /// The time from the start to the end.
    pub total: Duration,
    /// The address of the server.
    pub peer: Option<SocketAddr>,
}

impl OutboundResponse {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The response, for callers that need the whole body.
    ///
    /// # Errors
    /// The error that ended the body too early.
    pub fn whole(self) -> Result<Self, OutboundError> {
        match self.cut_short {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

/// The User-Agent of outbound requests: Reelhook's version, and its URL if that is known. Webhooks in the form of a
/// dialect have the dialect's own.
pub fn user_agent(base: Option<&Url>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match base {
        Some(base) => format!("Reelhook/{version} (+{base})"),
        None => format!("Reelhook/{version}"),
    }
}

/// The error of a request without a complete response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The scheme, the IP literal or every resolved address is forbidden.
    #[error("address of `{host}` is not allowed")]
    Forbidden {
        /// The host as written.
        host: String,
    },
    /// The name does not resolve.
    #[error("getaddrinfo ENOTFOUND {host}")]
    NotFound {
        /// The host as written.
        host: String,
    },
    /// Nothing listens at the address.
    #[error("connect ECONNREFUSED")]
    Refused,
    /// The deadline passed.
    #[error("timeout of {0}ms exceeded")]
    TimedOut(u64),
    /// The connection broke before a response arrived.
    #[error("socket hang up")]
    Reset,
    /// The TLS handshake failed, so that the request was not sent.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// HTTP does not allow a header or the URL.
    #[error("request can't be sent: {0}")]
    BadRequest(String),
    /// Any other error, with the message of the HTTP client.
    #[error("{0}")]
    Other(String),
}

impl OutboundError {
    /// The message for the person who chose the URL. A forbidden address has the message of a name that does not exist.
    pub fn message_for(&self, url: &Url) -> String {
        match self {
            Self::Forbidden { host } => Self::NotFound { host: host.clone() }.to_string(),
            Self::Refused => {
                let port = url.port_or_known_default().unwrap_or_default();
                format!("{self} {}:{port}", url.host_str().unwrap_or_default())
            }
            Self::NotFound { .. }
            | Self::TimedOut(_)
            | Self::Reset
            | Self::Tls(_)
            | Self::BadRequest(_)
            | Self::Other(_) => self.to_string(),
        }
    }

    /// The error code of Node.js that clients expect (seed 001). A forbidden address has the code of a name that does
    /// not exist.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Forbidden { .. } | Self::NotFound { .. } => "ENOTFOUND",
            Self::Refused => "ECONNREFUSED",
            Self::TimedOut(_) => "ETIMEDOUT",
            Self::Reset => "ECONNRESET",
            Self::Tls(_) => "EPROTO",
            Self::BadRequest(_) => "ERR_BAD_REQUEST",
            Self::Other(_) => "EUNKNOWN",
        }
    }
}

/// Sends requests to URLs that users chose.
#[async_trait]
pub trait HttpSender: Send + Sync {
    /// Sends one request inside its deadline.
    ///
    /// # Errors
    /// [`OutboundError`] if no status line and headers arrived. A status of 400 or more is a response and not an error,
    /// and so is a response whose body breaks off ([`OutboundResponse::cut_short`]).
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_names_the_version_and_the_url() {
        let base = Url::parse("https://reelhook.example").unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(user_agent(Some(&base)), format!("Reelhook/{version} (+https://reelhook.example/)"));
        assert_eq!(user_agent(None), format!("Reelhook/{version}"));
    }
}

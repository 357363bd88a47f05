//! The port of the guarded HTTP client: every URL that came from outside is called through it.

pub mod decode;
pub mod redirects;
#[cfg(test)]
pub(crate) mod samples;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

/// Headers that frame the message or belong to the connection (RFC 9110, 7.6.1): the client's own, since a caller's
/// content-length would let one request carry a second one into a kept connection.
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

/// HTTP methods that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET, without a body.
    Get,
    /// POST.
    Post,
}

/// One request to a URL that we do not trust.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// Absolute http or https URL; anything else is [`OutboundError::Forbidden`].
    pub url: Url,
    /// Header names and values, in order; a name or value that HTTP does not allow is [`OutboundError::BadRequest`].
    pub headers: Vec<(String, String)>,
    /// Exact body bytes; empty for GET.
    pub body: Bytes,
    /// Total time from resolving the name to the last byte that is read. The response's head must come within it.
    pub deadline: Duration,
    /// Bytes of the response body that are kept; the rest is not read.
    pub response_limit: usize,
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct OutboundResponse {
    /// HTTP status; redirects are not followed, so 3xx shows here.
    pub status: u16,
    /// Response headers; values that are not UTF-8 are read as Latin-1.
    pub headers: Vec<(String, String)>,
    /// Body as it was sent, at most `response_limit` bytes; encodings stay as they are.
    pub body: Bytes,
    /// Whether the body went on past the limit.
    pub truncated: bool,
    /// Why the body ended too early, if it did: `body` has what arrived before. The status still counts.
    pub cut_short: Option<OutboundError>,
    /// From the start to the response head.
    pub first_byte: Duration,
    /// From the start to the end.
    pub total: Duration,
    /// The address that was dialled.
    pub peer: Option<SocketAddr>,
}

impl OutboundResponse {
    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The response, for callers that need the whole body.
    ///
    /// # Errors
    /// Why the body ended too early.
    pub fn whole(self) -> Result<Self, OutboundError> {
        match self.cut_short {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

/// The User-Agent for servers that we fetch something from: our version, and our URL if it is known. Webhooks have user
/// agents of their own.
pub fn user_agent(base: Option<&Url>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match base {
        Some(base) => format!("Reelhook/{version} (+{base})"),
        None => format!("Reelhook/{version}"),
    }
}

/// Why no response came, or only a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The scheme, the IP literal or every resolved address is one that we do not call.
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
    /// Nothing listens there.
    #[error("connect ECONNREFUSED")]
    Refused,
    /// The deadline passed.
    #[error("timeout of {0}ms exceeded")]
    TimedOut(u64),
    /// The connection broke before there was a response.
    #[error("socket hang up")]
    Reset,
    /// The TLS handshake failed.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// A header or URL that HTTP does not allow.
    #[error("request can't be sent: {0}")]
    BadRequest(String),
    /// Anything else, with the client's words.
    #[error("{0}")]
    Other(String),
}

impl OutboundError {
    /// The sentence for whoever chose the URL: a forbidden address reads like a name that does not exist.
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

    /// The code that readers of seed 001 know; a forbidden address looks like a name that does not exist.
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

/// Sends requests to addresses that users chose.
#[async_trait]
pub trait HttpSender: Send + Sync {
    /// Sends one request inside its deadline.
    ///
    /// # Errors
    /// [`OutboundError`] when no status line and headers came; a status of 400 or more is a response, not an error, and so
    /// is one whose body breaks off ([`OutboundResponse::cut_short`]).
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_learn_who_asks_and_where_to_complain() {
        let base = Url::parse("https://reelhook.example").unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(user_agent(Some(&base)), format!("Reelhook/{version} (+https://reelhook.example/)"));
        assert_eq!(user_agent(None), format!("Reelhook/{version}"));
    }
}

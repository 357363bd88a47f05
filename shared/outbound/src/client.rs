//! The guarded HTTP client: checks the URL, sends once, and reads up to the limit, all within one deadline. Once a
//! status line has arrived there is a response, even if its body is incomplete.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reelhook_app::outbound::download::Downloader;
use reelhook_app::outbound::{
    CONNECTION_HEADERS, HttpSender, Method, OutboundError, OutboundRequest, OutboundResponse,
};
use reelhook_domain::brief;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use url::{Host, Url};

use crate::addresses;
use crate::allow_list::AllowList;
use crate::body::{Body, BodyError};
use crate::failure::{classify, timed_out};
use crate::resolver::{AddressRule, FilteringResolver, Lookup, SystemLookup};

const POOL_IDLE: Duration = Duration::from_secs(30);
/// A batch may send this many webhooks to one host at once. Connections that stay open save a handshake the next time.
const POOL_IDLE_PER_HOST: usize = 16;
/// Room for the headers of a request is made at once for up to this many.
const USUAL_HEADERS: usize = 32;
/// The maximum number of headers of a response.
const HEADERS: usize = 512;

/// HTTP/1.1 client for URLs that we do not trust.
///
/// It calls only public addresses, and those that an [`AllowList`] opens; the check applies to the address that is
/// dialled. It follows no redirect, uses no proxy, stores no cookie, decodes no body, never retries, and stops at the
/// request's deadline and limit.
#[derive(Debug, Clone)]
pub struct GuardedClient {
    http: reqwest::Client,
    allow: AllowList,
    rule: AddressRule,
}

/// Why a client can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The user agent is not a valid header value.
    #[error("user agent is not a valid header value")]
    UserAgent(#[source] InvalidHeaderValue),
    /// The TLS provider offers no protocol version.
    #[error("TLS can't be configured")]
    Tls(#[source] rustls::Error),
    /// The HTTP library rejected its configuration.
    #[error("HTTP client can't be built")]
    Client(#[source] reqwest::Error),
}

/// The parts of the client that tests replace.
struct Dependencies {
    lookup: Arc<dyn Lookup>,
    rule: AddressRule,
    roots: RootCertStore,
}

/// A URL with a permitted scheme and literal address, and without credentials. The addresses of a name are checked when
/// it is resolved.
struct PermittedUrl(Url);

impl GuardedClient {
    /// Creates a client with the system's resolver and Mozilla's root certificates. `user_agent` is sent unless a
    /// request has its own.
    ///
    /// # Errors
    /// [`BuildError`] if the user agent is not a valid header value or TLS can't be configured.
    pub fn new(allow: AllowList, user_agent: Option<&str>) -> Result<Self, BuildError> {
        let dependencies = Dependencies {
            lookup: Arc::new(SystemLookup),
            rule: addresses::is_public,
            roots: webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        };
        Self::with_dependencies(dependencies, allow, user_agent)
    }

    fn with_dependencies(
        dependencies: Dependencies,
        allow: AllowList,
        user_agent: Option<&str>,
    ) -> Result<Self, BuildError> {
        let Dependencies { lookup, rule, roots } = dependencies;
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            // Be as lenient as common clients: an odd header does not invalidate the status line.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(HEADERS)
            .tcp_nodelay(true)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .dns_resolver(FilteringResolver::new(lookup, rule))
            .tls_backend_preconfigured(tls(roots)?);
        if let Some(agent) = user_agent {
            builder = builder.user_agent(HeaderValue::from_str(agent).map_err(BuildError::UserAgent)?);
        }
        let http = builder.build().map_err(BuildError::Client)?;
        Ok(Self { http, allow, rule })
    }

    fn permit(&self, url: Url) -> Result<PermittedUrl, OutboundError> {
        let literal = match (url.scheme(), url.host()) {
            ("http" | "https", Some(Host::Domain(_))) => None,
            ("http" | "https", Some(Host::Ipv4(ip))) => Some(IpAddr::V4(ip)),
            ("http" | "https", Some(Host::Ipv6(ip))) => Some(IpAddr::V6(ip)),
            (_, _) => return Err(forbidden(&url)),
        };
        if let Some(ip) = literal
            && !(self.rule)(ip)
        {
            let port = url.port_or_known_default();
            let listed = port.is_some_and(|port| self.allow.permits(SocketAddr::new(ip, port)));
            if !listed {
                return Err(forbidden(&url));
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OutboundError::BadRequest("the URL carries credentials".into()));
        }
        Ok(PermittedUrl(url))
    }

    async fn exchange(
        &self,
        outgoing: reqwest::Request,
        host: &str,
        deadline: Duration,
        response_limit: usize,
        mut body: Body,
    ) -> Result<OutboundResponse, OutboundError> {
        let started = Instant::now();
        let response = match timeout(deadline, self.http.execute(outgoing)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(classify(error, host, started.elapsed())),
            Err(_elapsed) => return Err(timed_out(deadline)),
        };
        let first_byte = started.elapsed();
        let status = response.status().as_u16();
        let peer = response.remote_addr();
        let headers = header_texts(response.headers());
        let left = deadline.saturating_sub(first_byte);
        let read = timeout(left, body.read_up_to(response_limit, response)).await;
        // The status line determines the result, whatever happens to the body.
        let (truncated, cut_short) = match read {
            Ok(Ok(truncated)) => (truncated, None),
            Ok(Err(BodyError::Connection(error))) => (false, Some(classify(error, host, started.elapsed()))),
            Ok(Err(BodyError::Disk(error))) => return Err(disk(&error)),
            Err(_elapsed) => (false, Some(timed_out(deadline))),
        };
        let (body, total) = (body.in_memory(), started.elapsed());
        Ok(OutboundResponse { status, headers, body, truncated, cut_short, first_byte, total, peer })
    }

    async fn request(&self, request: OutboundRequest, into: Body) -> Result<OutboundResponse, OutboundError> {
        let OutboundRequest { method, url, headers, body, deadline, response_limit } = request;
        let url = self.permit(url)?;
        let host = host_of(&url.0);
        let outgoing = assemble(method, url, headers, body)?;
        self.exchange(outgoing, &host, deadline, response_limit, into).await
    }
}

#[async_trait]
impl HttpSender for GuardedClient {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        self.request(request, Body::Memory(BytesMut::new())).await
    }
}

#[async_trait]
impl Downloader for GuardedClient {
    async fn download(&self, request: OutboundRequest, to: &Path) -> Result<OutboundResponse, OutboundError> {
        let file = tokio::fs::File::create(to).await.map_err(|error| disk(&error))?;
        self.request(request, Body::Disk(file)).await
    }
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, BuildError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BuildError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn assemble(
    method: Method,
    url: PermittedUrl,
    headers: Vec<(String, String)>,
    body: Bytes,
) -> Result<reqwest::Request, OutboundError> {
    let method = match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Delete => reqwest::Method::DELETE,
    };
    let bodiless = body.is_empty();
    let post = method == reqwest::Method::POST;
    let mut outgoing = reqwest::Request::new(method, url.0);
    *outgoing.headers_mut() = header_map(headers)?;
    if !bodiless {
        *outgoing.body_mut() = Some(body.into());
    } else if post {
        // hyper omits the header, and some receivers answer 411 to a POST without a length.
        let headers = outgoing.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(outgoing)
}

/// Errors identify a header by its position until its name is parsed, and never contain its value.
fn header_map(headers: Vec<(String, String)>) -> Result<HeaderMap, OutboundError> {
    let mut map = HeaderMap::with_capacity(headers.len().min(USUAL_HEADERS));
    for (index, (name, value)) in headers.into_iter().enumerate() {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_invalid| OutboundError::BadRequest(format!("name of header {} is not valid", index + 1)))?;
        if CONNECTION_HEADERS.contains(&name.as_str()) {
            let reason = format!("header `{name}` is set by the client");
            return Err(OutboundError::BadRequest(reason));
        }
        let value = HeaderValue::try_from(value)
            .map_err(|_invalid| OutboundError::BadRequest(format!("value of header `{name}` is not valid")))?;
        map.try_append(name, value).map_err(|_full| OutboundError::BadRequest("too many headers".into()))?;
    }
    Ok(map)
}

/// Names and values as text. HTTP does not define the encoding of values: servers use UTF-8 or, in the past, Latin-1.
fn header_texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_no_utf8) => value.as_bytes().iter().copied().map(char::from).collect(),
    };
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The error of a file that the body is written to. It is ours, not the server's.
fn disk(error: &std::io::Error) -> OutboundError {
    OutboundError::Other(format!("the body can't be written to the disk: {error}"))
}

fn forbidden(url: &Url) -> OutboundError {
    OutboundError::Forbidden { host: host_of(url) }
}

/// The host, or the scheme of a URL without a host, shortened for errors and logs.
fn host_of(url: &Url) -> String {
    let host = url.host_str().filter(|host| !host.is_empty());
    brief(host.unwrap_or(url.scheme()))
}

#[cfg(test)]
mod tests;

//! The web settings of the API: whether callers need keys, which origins are its own, and what pages of other origins
//! may do (CORS).

use reelhook_app::Url;

use crate::answer::ApiAnswer;
use crate::origin::Origin;
use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;

/// The methods that pages of an allowed origin may use. These constants equal `CorsConfiguration` in template.yaml.
const ALLOW_METHODS: &str = "GET,POST,PATCH,DELETE,OPTIONS";
const ALLOW_HEADERS: &str =
    "authorization,content-type,idempotency-key,if-match,if-none-match,last-event-id,x-api-key,x-webhook-signature";
const EXPOSE_HEADERS: &str = "etag,location,retry-after";
const MAX_AGE: &str = "3600";

/// Whether callers need a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Callers need a key.
    #[default]
    Required,
    /// Callers need no key. It requires a base URL on this machine.
    Off,
}

impl Mode {
    /// Reads AUTH: `required` (the default) or `none`, which is refused with a public base URL.
    fn read(text: Option<&str>, base: Option<&Origin>) -> Result<Self, String> {
        match text.unwrap_or("required") {
            "required" => Ok(Self::Required),
            "none" if base.is_some_and(Origin::is_this_machine) => Ok(Self::Off),
            "none" => Err("AUTH=none requires a PUBLIC_BASE_URL on this machine (localhost)".to_owned()),
            _ => Err("AUTH must be `required` or `none`".to_owned()),
        }
    }
}

/// The base URL of the API: the configured one, or else that of the host that a request names, if it names one.
pub fn base_url(configured: Option<&Url>, request: &ApiRequest) -> Option<Url> {
    if let Some(configured) = configured {
        return Some(configured.clone());
    }
    let host = request.header("host").unwrap_or_default();
    Url::parse(&format!("https://{host}")).ok()
}

/// The page that made a browser send a request, according to the request's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// A page of the API's own origin, or of an origin in CORS_ORIGINS.
    Ours,
    /// A page of another origin.
    Foreign,
    /// The headers are missing: the client is not a browser, or a user entered the address.
    Unknown,
}

/// The API's own address, and the origins that may call it.
#[derive(Debug, Clone, Default)]
pub struct Site {
    mode: Mode,
    base: Option<Origin>,
    /// The origins in CORS_ORIGINS: their pages count as the API's own.
    named: Vec<Origin>,
    /// Whether pages of any origin may call. They need a key of their own, because browsers send no credentials.
    any: bool,
}

impl Site {
    /// Reads AUTH, PUBLIC_BASE_URL and CORS_ORIGINS: `*`, or origins separated by commas. If callers need no key, `*`
    /// allows nothing.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(auth: Option<&str>, base: Option<&Url>, cors: Option<&str>) -> Result<Self, String> {
        let base = base.and_then(|url| Origin::parse(&url.origin().ascii_serialization()));
        let mode = Mode::read(auth, base.as_ref())?;
        let (mut named, mut any) = (Vec::new(), false);
        for text in cors.unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            if matches!(text, "*" | "https://*" | "http://*") {
                any = mode == Mode::Required;
                continue;
            }
            let origin = Origin::parse(text);
            let right = "CORS_ORIGINS must be `*`, or origins such as https://shop.example, separated by commas";
            named.push(origin.ok_or_else(|| right.to_owned())?);
        }
        Ok(Self { mode, base, named, any })
    }

    /// Whether callers need a key.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether browsers reach the API over https, so that cookies can be limited to https.
    pub fn is_secure(&self, request: &ApiRequest) -> bool {
        request.is_secure() || self.base.as_ref().is_some_and(Origin::is_secure)
    }

    /// The answer to a preflight. It needs no key, because browsers send none, and it never allows credentials, so
    /// pages of other origins can't use those that a browser stores.
    pub fn preflight(&self, request: &ApiRequest) -> ApiAnswer {
        let answer = ApiAnswer::text(204, String::new()).header("vary", "origin");
        let allowed = match request.header("origin") {
            _ if self.any => "*",
            Some(text) if Origin::parse(text).is_some_and(|origin| self.has(&origin)) => text,
            Some(_) | None => return answer,
        };
        answer
            .header("access-control-allow-origin", allowed)
            .header("access-control-allow-methods", ALLOW_METHODS)
            .header("access-control-allow-headers", ALLOW_HEADERS)
            .header("access-control-expose-headers", EXPOSE_HEADERS)
            .header("access-control-max-age", MAX_AGE)
    }

    /// Checks a request whose credentials a browser sends for any page: HTTP Basic, a cookie, or none if callers need
    /// no key.
    ///
    /// # Errors
    /// [`RequestProblem::ForeignPage`], [`RequestProblem::ForeignHost`].
    pub(crate) fn check_browser(&self, request: &ApiRequest) -> Result<(), Problem> {
        if self.mode == Mode::Off {
            // DNS rebinding: if a page's host name resolves to this machine, the browser treats the API as same-origin.
            if !self.is_own_host(request) {
                return Err(Problem::Request(RequestProblem::ForeignHost));
            }
            if self.sender(request) == Sender::Foreign && !request.navigates_to_page() {
                return Err(Problem::Request(RequestProblem::ForeignPage));
            }
        }
        // Another site's page can send simple requests (Fetch Standard, CORS-safelisted). For all others its browser
        // sends a preflight, whose answer allows no credentials.
        let preflighted = !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "POST") || request.is_json();
        if !request.changes_state() || preflighted || self.is_from_own_page(request) {
            return Ok(());
        }
        Err(Problem::Request(RequestProblem::ForeignPage))
    }

    /// Refuses a request from a page of another origin.
    ///
    /// # Errors
    /// [`RequestProblem::ForeignPage`].
    pub fn check_sender(&self, request: &ApiRequest) -> Result<(), Problem> {
        let foreign = self.sender(request) == Sender::Foreign && !self.is_from_own_page(request);
        if foreign { Err(Problem::Request(RequestProblem::ForeignPage)) } else { Ok(()) }
    }

    /// Whether a page of the API's own origin sent the request. Behind a proxy only the browser's header shows that.
    fn is_from_own_page(&self, request: &ApiRequest) -> bool {
        self.sender(request) == Sender::Ours || request.header("sec-fetch-site") == Some("same-origin")
    }

    fn sender(&self, request: &ApiRequest) -> Sender {
        if let Some(text) = request.header_bytes("origin") {
            let origin = std::str::from_utf8(text).ok().and_then(Origin::parse);
            let ours = origin.is_some_and(|origin| self.has(&origin) || request.own_origin().as_ref() == Some(&origin));
            return if ours { Sender::Ours } else { Sender::Foreign };
        }
        match request.header("sec-fetch-site") {
            Some("same-origin") => Sender::Ours,
            None | Some("none") => Sender::Unknown,
            Some(_) => Sender::Foreign,
        }
    }

    /// Whether an origin is that of PUBLIC_BASE_URL or in CORS_ORIGINS.
    fn has(&self, origin: &Origin) -> bool {
        self.base.as_ref() == Some(origin) || self.named.contains(origin)
    }

    /// Whether a request names the API's own host: that of PUBLIC_BASE_URL, this machine at the same port, or the
    /// gateway's domain name.
    fn is_own_host(&self, request: &ApiRequest) -> bool {
        let Some(host) = request.header("host") else { return false };
        if request.domain.as_deref().is_some_and(|domain| domain.eq_ignore_ascii_case(host)) {
            return true;
        }
        let Some(base) = &self.base else { return false };
        let named = Origin::at(base.is_secure(), host);
        named.is_some_and(|named| named == *base || (named.is_this_machine() && named.port() == base.port()))
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, Request};

    use super::*;

    #[test]
    fn the_base_url_is_the_configured_one_or_else_names_the_host_of_the_request() {
        let check = |configured: Option<&str>, host: Option<&'static str>, expected: Option<&str>| {
            let mut request = Request::new(Body::Empty);
            if let Some(host) = host {
                request.headers_mut().insert("host", host.parse().unwrap());
            }
            let configured = configured.map(|url| Url::parse(url).unwrap());
            let base = base_url(configured.as_ref(), &ApiRequest::of(request));
            assert_eq!(base.as_ref().map(Url::as_str), expected);
        };
        check(Some("https://videos.example/"), Some("api.example"), Some("https://videos.example/"));
        check(None, Some("api.example:8443"), Some("https://api.example:8443/"));
        check(None, Some("a b"), None);
        check(None, None, None);
    }
}

//! Requests through the domain of infra/edge.yaml. The edge's secret authenticates them; only then the caller's address
//! that the edge reports is trusted (ADR 34).

use std::net::{IpAddr, Ipv6Addr};

use reelhook_signing::{SigningKeys, same_secret};

use crate::request::ApiRequest;

/// The header with the edge's secret. The edge overwrites a header that the viewer sent.
const SECRET: &str = "x-reelhook-edge";
/// The header with the viewer's address. The edge overwrites a header that the viewer sent.
const VIEWER: &str = "x-reelhook-viewer";
/// The bits of an IPv6 address that identify the network (RFC 4291, 2.5.1).
const NETWORK: u128 = !0 << 64;

/// The edge in front of the API, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    secrets: Option<SigningKeys>,
}

impl Edge {
    /// The setting that [`Self::read`] looks up.
    pub const SETTING: &str = "EDGE_SECRET";

    /// Reads EDGE_SECRET (several secrets separated by commas, newest first). Without it no request is from the edge.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        Self { secrets: lookup(Self::SETTING).as_deref().and_then(SigningKeys::parse) }
    }

    /// The caller's address: the edge reports it for requests from the edge, else the gateway does.
    pub fn address(&self, request: &ApiRequest) -> String {
        let viewer = if self.is_sender(request) { viewer(request) } else { None };
        viewer.map_or_else(|| request.source_ip.clone(), |address| address.to_string())
    }

    /// The network that rate limits by address count: an IPv4 address, or a /64 of IPv6, which belongs to one customer.
    pub fn network(&self, request: &ApiRequest) -> String {
        let address = self.address(request);
        match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V6(address)) => {
                let network = Ipv6Addr::from_bits(address.to_bits() & NETWORK);
                format!("{network}/64")
            }
            Ok(address @ IpAddr::V4(_)) => address.to_string(),
            Err(_) => address,
        }
    }

    /// Writes the caller of an admitted or refused request to the audit log (docs/contract/access.md, Audit log).
    pub fn audit(&self, request: &ApiRequest, what: &'static str) {
        request.audit(&self.address(request), what);
    }

    fn is_sender(&self, request: &ApiRequest) -> bool {
        request.header(SECRET).zip(self.secrets.as_ref()).is_some_and(|(given, secrets)| same_secret(given, secrets))
    }
}

/// The viewer's address in canonical form, so that each address is one caller.
fn viewer(request: &ApiRequest) -> Option<IpAddr> {
    request.header(VIEWER)?.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http::{HeaderName, HeaderValue};
    use lambda_http::{Body, Request};

    const GATEWAY: &str = "130.176.1.2";

    fn request(headers: &[(&str, &str)]) -> ApiRequest {
        let mut request = Request::new(Body::Empty);
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let mut request = ApiRequest::of(request);
        request.source_ip = GATEWAY.to_owned();
        request
    }

    fn edge(setting: Option<&str>) -> Edge {
        Edge::read(&|name| setting.filter(|_| name == "EDGE_SECRET").map(str::to_owned))
    }

    #[test]
    fn a_viewer_address_is_trusted_only_with_the_secret() {
        let check = |headers: &[(&str, &str)], expected: &str| {
            assert_eq!(edge(Some("newest, older")).address(&request(headers)), expected, "{headers:?}");
        };
        let viewer = ("x-reelhook-viewer", "203.0.113.9");
        check(&[("x-reelhook-edge", "newest"), viewer], "203.0.113.9");
        check(&[("x-reelhook-edge", "older"), viewer], "203.0.113.9");
        check(&[viewer], GATEWAY);
        check(&[("x-reelhook-edge", "guessed"), viewer], GATEWAY);
        check(&[("x-reelhook-edge", ""), viewer], GATEWAY);
        check(&[("x-reelhook-edge", "newest, older"), viewer], GATEWAY);
        check(&[("x-reelhook-edge", "newest")], GATEWAY);
        // Other headers of callers are never trusted.
        check(&[("x-forwarded-for", "203.0.113.9"), ("cloudfront-viewer-address", "203.0.113.9:443")], GATEWAY);
        check(&[("x-reelhook-edge", "newest"), ("x-forwarded-for", "203.0.113.9")], GATEWAY);
    }

    #[test]
    fn an_invalid_address_is_ignored_and_a_valid_one_is_canonical() {
        let check = |viewer: &str, expected: &str| {
            let request = request(&[("x-reelhook-edge", "secret"), ("x-reelhook-viewer", viewer)]);
            assert_eq!(edge(Some("secret")).address(&request), expected, "{viewer}");
        };
        check("2001:DB8:0:0:0:0:0:7", "2001:db8::7");
        check("::ffff:203.0.113.9", "203.0.113.9");
        check("203.0.113.9:443", GATEWAY);
        check("203.0.113.9, 198.51.100.1", GATEWAY);
        check("localhost", GATEWAY);
        check("", GATEWAY);
    }

    #[test]
    fn rate_limits_count_an_ipv6_address_by_its_network() {
        let check = |source_ip: &str, expected: &str| {
            let mut request = request(&[]);
            request.source_ip = source_ip.to_owned();
            assert_eq!(edge(None).network(&request), expected, "{source_ip}");
            assert_eq!(edge(None).address(&request), source_ip, "the audit log has the whole address");
        };
        check("203.0.113.9", "203.0.113.9");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
        check("2001:DB8:1:2::7", "2001:db8:1:2::/64");
        check("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64");
        check("2001:db8:1:3::", "2001:db8:1:3::/64");
        check("::ffff:203.0.113.9", "203.0.113.9");
        check("::1", "::/64");
        check("", "");
        check("unknown", "unknown");
        let headers = [("x-reelhook-edge", "secret"), ("x-reelhook-viewer", "2001:db8:9:8:7::1")];
        assert_eq!(edge(Some("secret")).network(&request(&headers)), "2001:db8:9:8::/64");
    }

    #[test]
    fn without_a_secret_there_is_no_edge() {
        for setting in [None, Some(""), Some(" , ")] {
            let request = request(&[("x-reelhook-edge", ""), ("x-reelhook-viewer", "203.0.113.9")]);
            assert_eq!(edge(setting).address(&request), GATEWAY, "{setting:?}");
        }
    }
}

//! Requests that come through the domain of infra/edge.yaml: its secret proves that they do, and only then the caller's
//! address that it reports counts (ADR 34).

use std::net::{IpAddr, Ipv6Addr};

use reelhook_signing::{SigningKeys, same_secret};

use crate::request::ApiRequest;

/// The header with the edge's secret, which replaces one that the viewer sent.
const SECRET: &str = "x-reelhook-edge";
/// The header with the viewer's address, which replaces one that the viewer sent.
const VIEWER: &str = "x-reelhook-viewer";
/// The bits of an IPv6 address that identify the network (RFC 4291, 2.5.1).
const NETWORK: u128 = !0 << 64;

/// The edge in front of the API, where there is one.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    secrets: Option<SigningKeys>,
}

impl Edge {
    /// The setting that [`Self::read`] looks up.
    pub const SETTING: &str = "EDGE_SECRET";

    /// Reads EDGE_SECRET (several, by commas, newest first). Without it no request counts as one of the edge's.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        Self { secrets: lookup(Self::SETTING).as_deref().and_then(SigningKeys::parse) }
    }

    /// The caller's address: as the edge reports it for its own requests, else as the gateway reports it.
    pub fn address(&self, request: &ApiRequest) -> String {
        let viewer = if self.sent(request) { viewer(request) } else { None };
        viewer.map_or_else(|| request.source_ip.clone(), |address| address.to_string())
    }

    /// The caller as limits by address know it: its address, or of IPv6 the /64, all of which one customer has.
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

    fn sent(&self, request: &ApiRequest) -> bool {
        request.header(SECRET).zip(self.secrets.as_ref()).is_some_and(|(given, secrets)| same_secret(given, secrets))
    }
}

/// In one spelling, so that an address is one caller.
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
    fn a_viewer_s_address_is_believed_only_beside_the_secret() {
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
        // What callers write in other headers never counts.
        check(&[("x-forwarded-for", "203.0.113.9"), ("cloudfront-viewer-address", "203.0.113.9:443")], GATEWAY);
        check(&[("x-reelhook-edge", "newest"), ("x-forwarded-for", "203.0.113.9")], GATEWAY);
    }

    #[test]
    fn what_is_no_address_does_not_count_and_an_address_has_one_spelling() {
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
    fn limits_know_an_address_of_ipv6_by_its_network() {
        let check = |source_ip: &str, expected: &str| {
            let mut request = request(&[]);
            request.source_ip = source_ip.to_owned();
            assert_eq!(edge(None).network(&request), expected, "{source_ip}");
            assert_eq!(edge(None).address(&request), source_ip, "the audit log has all of it");
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

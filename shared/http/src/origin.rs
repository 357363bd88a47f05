//! Web origins (RFC 6454): two are equal if scheme, host and port are equal.

use std::fmt;

/// An http or https origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Parses `https://host` or `http://host:port`; none for anything else, such as `null`, other schemes, a path or a
    /// user.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "https" => Self::at(true, authority),
            "http" => Self::at(false, authority),
            _ => None,
        }
    }

    /// Parses `host` or `host:port`, as in a Host header. A trailing dot is part of the name, as in browsers.
    pub(crate) fn at(secure: bool, authority: &str) -> Option<Self> {
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an IPv6 address are inside brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (authority, None),
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => default_port(secure),
        };
        let fits = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => {
                !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
            }
            None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        };
        fits.then(|| Self { secure, host: host.to_ascii_lowercase(), port })
    }

    /// Whether the scheme is https.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The port; the scheme's default if none is named.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is a name or an address that always means this machine.
    pub fn is_this_machine(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }
}

/// Formats an origin as browsers do, without the default port.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default_port(self.secure) { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_origin_is_parsed() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Origin::parse(text).map(|origin| origin.to_string()).as_deref(), expected, "{text:?}");
        };
        check("https://api.example.com", Some("https://api.example.com"));
        check("HTTPS://API.Example.Com", Some("https://api.example.com"));
        check("https://api.example.com:443", Some("https://api.example.com"));
        check("http://api.example.com:443", Some("http://api.example.com:443"));
        check("http://localhost:80", Some("http://localhost"));
        check("http://127.0.0.1:3000", Some("http://127.0.0.1:3000"));
        check("http://[::1]:3000", Some("http://[::1]:3000"));
        check("http://[::1]", Some("http://[::1]"));
        check("https://api.example.com.", Some("https://api.example.com."));
        for text in [
            "",
            "null",
            "api.example.com",
            "//api.example.com",
            "https://",
            "https://:443",
            "https://api.example.com/",
            "https://api.example.com:",
            "https://api.example.com:+443",
            "https://api.example.com:65536",
            "https://user@api.example.com",
            "https://api.example.com https://evil.example",
            "https://api.example.com, https://evil.example",
            "https://*",
            "https://bücher.example",
            "http://[::1",
            "http://[]",
            "http://::1",
            "chrome-extension://api.example.com",
            "moz-extension://api.example.com",
            "file://",
            "data:text/html,x",
            "ws://api.example.com",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn origins_are_equal_only_if_scheme_host_and_port_are() {
        let same = |one: &str, other: &str| Origin::parse(one).unwrap() == Origin::parse(other).unwrap();
        assert!(same("https://api.example.com", "HTTPS://API.example.com:443"));
        assert!(!same("https://api.example.com", "http://api.example.com"));
        assert!(!same("https://api.example.com", "http://api.example.com:443"));
        assert!(!same("https://api.example.com", "https://api.example.com:8443"));
        assert!(!same("https://api.example.com", "https://api.example.com."));
        assert!(!same("https://api.example.com", "https://api.example.com.evil.example"));
        assert!(!same("http://localhost:3000", "http://127.0.0.1:3000"));
    }
}

//! The sockets that a local launcher permits in addition to public addresses, such as its mock services on loopback.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// The port of the Lambda Runtime API, unless AWS_LAMBDA_RUNTIME_API specifies another one.
const RUNTIME_API_PORT: u16 = 9001;

/// Sockets that may be called although their address is not public; empty unless a launcher configures some.
///
/// The list applies only to IP literals in URLs, never to names.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    entries: Vec<Entry>,
    /// Ports that no entry can open, on any address: a caller of the Runtime API could answer in place of the function.
    protected_ports: Vec<u16>,
}

#[derive(Debug, Clone)]
struct Entry {
    ip: IpAddr,
    ports: RangeInclusive<u16>,
}

/// Why a list is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowListError {
    /// An entry is not of the form `ip:port` or `ip:first-last`.
    #[error("entry `{0}` is not an IP literal with a port or a range of ports")]
    Entry(String),
    /// The Runtime API's port can't be read, so it can't be protected.
    #[error("runtime API address `{0}` is not of the form `host:port`")]
    RuntimeApi(String),
}

impl AllowList {
    /// Parses a list such as `127.0.0.1:4600,[::1]:4610-4699`; a blank text is the empty list.
    ///
    /// `runtime_api` is the value of AWS_LAMBDA_RUNTIME_API. Its port and 9001 stay refused on every address, whatever
    /// the list contains. If the list is blank, it is not parsed.
    ///
    /// # Errors
    /// [`AllowListError`] names the first part that is invalid.
    pub fn parse(list: &str, runtime_api: Option<&str>) -> Result<Self, AllowListError> {
        if list.trim().is_empty() {
            return Ok(Self::default());
        }

        let mut protected_ports = vec![RUNTIME_API_PORT];
        if let Some(api) = runtime_api {
            let port = parse_port_of(api).ok_or_else(|| AllowListError::RuntimeApi(api.into()))?;
            protected_ports.push(port);
        }

        let mut entries = Vec::new();
        for text in list.split(',') {
            let entry = Entry::parse(text.trim());
            entries.push(entry.ok_or_else(|| AllowListError::Entry(text.trim().into()))?);
        }
        Ok(Self { entries, protected_ports })
    }

    /// Whether the list opens this socket.
    pub fn permits(&self, socket: SocketAddr) -> bool {
        !self.protected_ports.contains(&socket.port()) && self.entries.iter().any(|entry| entry.covers(socket))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (host, ports) = text.rsplit_once(':')?;
        let ip = match host.strip_prefix('[') {
            Some(rest) => IpAddr::V6(rest.strip_suffix(']')?.parse().ok()?),
            None => IpAddr::V4(host.parse().ok()?),
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let ports = parse_port(first)?..=parse_port(last)?;
        (!ports.is_empty()).then_some(Self { ip, ports })
    }

    fn covers(&self, socket: SocketAddr) -> bool {
        self.ip == socket.ip() && self.ports.contains(&socket.port())
    }
}

fn parse_port_of(authority: &str) -> Option<u16> {
    let (_host, port) = authority.rsplit_once(':')?;
    parse_port(port)
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, runtime_api: Option<&str>, socket: &str, permitted: bool) {
        let allow = AllowList::parse(list, runtime_api).expect("a list");
        let socket = socket.parse().expect("a socket");
        assert_eq!(allow.permits(socket), permitted, "{socket} by `{list}`");
    }

    #[test]
    fn exactly_the_listed_sockets_are_open() {
        const LIST: &str = "127.0.0.1:4600, 127.0.0.1:4610-4699,[::1]:4600,10.0.0.7:80-80";
        for (socket, permitted) in [
            ("127.0.0.1:4600", true),
            ("127.0.0.1:4599", false),
            ("127.0.0.1:4601", false),
            ("127.0.0.1:4609", false),
            ("127.0.0.1:4610", true),
            ("127.0.0.1:4699", true),
            ("127.0.0.1:4700", false),
            ("127.0.0.2:4600", false),
            ("[::1]:4600", true),
            ("[::1]:4610", false),
            ("[::ffff:127.0.0.1]:4600", false),
            ("10.0.0.7:80", true),
            ("10.0.0.7:81", false),
        ] {
            check(LIST, None, socket, permitted);
        }
    }

    #[test]
    fn a_blank_list_opens_nothing_and_needs_no_runtime_api() {
        for list in ["", " "] {
            check(list, Some("not an authority"), "127.0.0.1:80", false);
        }
    }

    #[test]
    fn the_runtime_api_stays_closed_whatever_is_listed() {
        const LIST: &str = "127.0.0.1:1-65535,127.0.0.2:9001,[::1]:9001-9002,127.0.0.1:9001";
        for (runtime_api, socket, permitted) in [
            (None, "127.0.0.1:9001", false),
            (None, "127.0.0.2:9001", false),
            (None, "[::1]:9001", false),
            (None, "127.0.0.1:9000", true),
            (None, "127.0.0.1:9002", true),
            (Some("127.0.0.1:9002"), "127.0.0.1:9001", false),
            (Some("127.0.0.1:9002"), "127.0.0.1:9002", false),
            (Some("127.0.0.1:9002"), "[::1]:9002", false),
            (Some("localhost:9002"), "127.0.0.1:9002", false),
            (Some("127.0.0.1:9002"), "127.0.0.1:9003", true),
        ] {
            check(LIST, runtime_api, socket, permitted);
        }
    }

    #[test]
    fn an_entry_that_is_not_an_ip_literal_with_a_port_is_refused() {
        for entry in [
            "localhost:4600",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:0-9",
            "127.0.0.1:65536",
            "127.0.0.1:9-8",
            "127.0.0.1:8-",
            "127.0.0.1:*",
            "127.1:80",
            "2130706433:80",
            "0.0.0.0/0:80",
            "::1:80",
            "[::1]",
            "[127.0.0.1]:80",
            "http://127.0.0.1:80",
            "*",
        ] {
            let refused = AllowList::parse(entry, None).expect_err(entry);
            assert_eq!(refused, AllowListError::Entry(entry.into()));
        }
        let refused = AllowList::parse("127.0.0.1:80,", None).expect_err("a trailing comma");
        assert_eq!(refused, AllowListError::Entry(String::new()));
    }

    #[test]
    fn a_runtime_api_that_cannot_be_protected_is_refused() {
        for api in ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:port"] {
            let refused = AllowList::parse("127.0.0.1:80", Some(api)).expect_err(api);
            assert_eq!(refused, AllowListError::RuntimeApi(api.into()));
        }
    }
}

//! Decides which IP addresses are public. This rule keeps users' URLs away from our own network.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{IpNet, Ipv6Net};

/// The global unicast range of IPv6. Every address outside it is refused without a row below: unspecified `::`,
/// loopback `::1`, IPv4-compatible `::/96` and IPv4-mapped `::ffff:0:0/96` (whatever the IPv4 address inside), NAT64
/// `64:ff9b::/96` and `64:ff9b:1::/48`, discard `100::/64`, dummy `100:0:0:1::/64`, SRv6 `5f00::/16`, unique local
/// `fc00::/7`, link local `fe80::/10`, site local `fec0::/10`, multicast `ff00::/8`.
const GLOBAL_UNICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// IANA's special-purpose registries (iana-ipv4-special-registry, iana-ipv6-special-registry) and multicast. Networks
/// that IANA marks as globally reachable (AS112, AMT, relays) are included, because they contain no receivers.
const SPECIAL: [(&str, &str); 23] = [
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link local, with the metadata service"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "IETF protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "AMT"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "AS112 direct delegation"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved, with the broadcast address"),
    ("2001::/23", "IETF protocol assignments, with Teredo and ORCHID"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4, which carries any IPv4 address"),
    ("2620:4f:8000::/48", "AS112 direct delegation"),
    ("3fff::/20", "documentation"),
];

static SPECIAL_NETWORKS: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    SPECIAL.iter().map(|(network, _purpose)| network.parse().expect("a row of SPECIAL is a network")).collect()
});

/// Whether an address is public, so that calling it is safe.
pub fn is_public(ip: IpAddr) -> bool {
    let routed = match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => GLOBAL_UNICAST.contains(&ip),
    };
    routed && !SPECIAL_NETWORKS.iter().any(|network| network.contains(&ip))
}

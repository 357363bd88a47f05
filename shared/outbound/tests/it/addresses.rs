//! Every special-purpose range at both of its ends, and addresses that people meet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use reelhook_outbound::is_public;

/// `+` is public and `-` is not: the address before each range, its first, its last and the one after.
const IPV4_RANGES: &str = "
    0.0.0.0/8          -0.0.0.0 -0.255.255.255 +1.0.0.0
    10.0.0.0/8         +9.255.255.255 -10.0.0.0 -10.255.255.255 +11.0.0.0
    100.64.0.0/10      +100.63.255.255 -100.64.0.0 -100.127.255.255 +100.128.0.0
    127.0.0.0/8        +126.255.255.255 -127.0.0.0 -127.255.255.255 +128.0.0.0
    169.254.0.0/16     +169.253.255.255 -169.254.0.0 -169.254.255.255 +169.255.0.0
    172.16.0.0/12      +172.15.255.255 -172.16.0.0 -172.31.255.255 +172.32.0.0
    192.0.0.0/24       +191.255.255.255 -192.0.0.0 -192.0.0.255 +192.0.1.0
    192.0.2.0/24       +192.0.1.255 -192.0.2.0 -192.0.2.255 +192.0.3.0
    192.31.196.0/24    +192.31.195.255 -192.31.196.0 -192.31.196.255 +192.31.197.0
    192.52.193.0/24    +192.52.192.255 -192.52.193.0 -192.52.193.255 +192.52.194.0
    192.88.99.0/24     +192.88.98.255 -192.88.99.0 -192.88.99.255 +192.88.100.0
    192.168.0.0/16     +192.167.255.255 -192.168.0.0 -192.168.255.255 +192.169.0.0
    192.175.48.0/24    +192.175.47.255 -192.175.48.0 -192.175.48.255 +192.175.49.0
    198.18.0.0/15      +198.17.255.255 -198.18.0.0 -198.19.255.255 +198.20.0.0
    198.51.100.0/24    +198.51.99.255 -198.51.100.0 -198.51.100.255 +198.51.101.0
    203.0.113.0/24     +203.0.112.255 -203.0.113.0 -203.0.113.255 +203.0.114.0
    224.0.0.0/4        +223.255.255.255 -224.0.0.0 -239.255.255.255 -240.0.0.0
    240.0.0.0/4        -239.255.255.255 -240.0.0.0 -255.255.255.255
    255.255.255.255/32 -255.255.255.254 -255.255.255.255
";

/// The same for IPv6; what no registry has allocated is not public either.
const IPV6_RANGES: &str = "
    2001::/23          +2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff -2001:: -2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff +2001:200::
    2001:db8::/32      +2001:db7:ffff:ffff:ffff:ffff:ffff:ffff -2001:db8:: -2001:db8:ffff:ffff:ffff:ffff:ffff:ffff +2001:db9::
    2002::/16          +2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff -2002:: -2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff +2003::
    2620:4f:8000::/48  +2620:4f:7fff:ffff:ffff:ffff:ffff:ffff -2620:4f:8000:: -2620:4f:8000:ffff:ffff:ffff:ffff:ffff +2620:4f:8001::
    3fff::/20          +3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff -3fff:: -3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff +3fff:1000::
    2000::/3           -1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff +2000:: +3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -4000::
    ::/128             -:: -::1
    ::1/128            -:: -::1 -::2
    ::/96              -:: -::ffff:ffff -::1:0:0
    ::ffff:0:0/96      -::fffe:ffff:ffff -::ffff:0:0 -::ffff:ffff:ffff -::1:0:0:0
    64:ff9b::/96       -64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff -64:ff9b:: -64:ff9b::ffff:ffff -64:ff9b::1:0:0
    64:ff9b:1::/48     -64:ff9b:0:ffff:ffff:ffff:ffff:ffff -64:ff9b:1:: -64:ff9b:1:ffff:ffff:ffff:ffff:ffff -64:ff9b:2::
    100::/64           -ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -100:: -100::ffff:ffff:ffff:ffff -100:0:0:1::
    100:0:0:1::/64     -100::ffff:ffff:ffff:ffff -100:0:0:1:: -100::1:ffff:ffff:ffff:ffff -100:0:0:2::
    4000::/3           +3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -4000:: -5fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -6000::
    5f00::/16          -5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -5f00:: -5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff -5f01::
    6000::/3           -5fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -6000:: -7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -8000::
    8000::/3           -7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -8000:: -9fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -a000::
    a000::/3           -9fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -a000:: -bfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -c000::
    c000::/3           -bfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -c000:: -dfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -e000::
    e000::/4           -dfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -e000:: -efff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -f000::
    f000::/5           -efff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -f000:: -f7ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -f800::
    f800::/6           -f7ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -f800:: -fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fc00::
    fc00::/7           -fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fc00:: -fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fe00::
    fe00::/9           -fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fe00:: -fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fe80::
    fe80::/10          -fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fe80:: -febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fec0::
    fec0::/10          -febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff -fec0:: -feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -ff00::
    ff00::/8           -feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff -ff00:: -ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
";

const ACQUAINTANCES: &str = "
    Amazon metadata    -169.254.169.254 -169.254.169.253 -169.254.169.123 -169.254.170.2 -169.254.170.23 -fd00:ec2::254
    other metadata     -100.100.100.200 -192.0.0.192 -fd20:ce::254
    home and office    -10.1.2.3 -172.17.0.1 -172.20.10.1 -192.168.0.1 -192.168.1.254 -fd12:3456:789a::1 -fe80::1
    loopback           -127.0.0.1 -127.0.1.1 -127.1.2.3 -::1
    protocol           -192.0.0.8 -192.0.0.9 -192.0.0.10 -192.0.0.170 -192.0.0.171
    groups             -224.0.0.1 -224.0.0.251 -239.255.255.250 -ff02::1 -ff02::fb -ff05::2 -ff0e::1
    IPv4 within IPv6   -::127.0.0.1 -::8.8.8.8 -::ffff:127.0.0.1 -::ffff:10.0.0.1 -::ffff:8.8.8.8 -::ffff:0:127.0.0.1
    NAT64, any IPv4    -64:ff9b::7f00:1 -64:ff9b::a9fe:a9fe -64:ff9b::808:808 -64:ff9b:1::7f00:1
    6to4, any IPv4     -2002:7f00:1:: -2002:a9fe:a9fe:: -2002:808:808::1
    Teredo             -2001::1 -2001:0:4136:e378:8000:63bf:3fff:fdd2
    ORCHID and others  -2001:1::1 -2001:2::1 -2001:3::1 -2001:4:112::1 -2001:10::1 -2001:20::1 -2001:30::1
    resolvers          +1.1.1.1 +8.8.8.8 +9.9.9.9 +2001:4860:4860::8888 +2606:4700:4700::1111 +2620:fe::fe
    registries         +2001:200::1 +2001:db7::1 +2400::1 +2600::1 +2800::1 +2a00::1 +2c00::1 +3ffe::1
    clouds             +3.5.140.2 +13.107.42.14 +34.117.59.81 +52.94.236.248 +104.16.132.229 +2600:1f18::1 +2a05:d018::1
";

/// Each case of a table: the row that it stands in, the address and whether it is public.
fn cases(table: &'static str) -> impl Iterator<Item = (&'static str, IpAddr, bool)> {
    table.lines().flat_map(|row| {
        row.split_whitespace().filter_map(move |cell| {
            let (public, address) = match cell.split_at(1) {
                ("+", address) => (true, address),
                ("-", address) => (false, address),
                (_, _) => return None,
            };
            Some((row, address.parse().expect(row), public))
        })
    })
}

fn check(table: &'static str) {
    for (row, address, public) in cases(table) {
        assert_eq!(is_public(address), public, "{address} in row {row}");
    }
}

#[test]
fn every_ipv4_range_ends_where_its_registry_says() {
    check(IPV4_RANGES);
}

#[test]
fn every_ipv6_range_ends_where_its_registry_says() {
    check(IPV6_RANGES);
}

#[test]
fn well_known_addresses_are_told_apart() {
    check(ACQUAINTANCES);
}

#[test]
fn the_tables_hold_two_hundred_addresses() {
    let tables = [IPV4_RANGES, IPV6_RANGES, ACQUAINTANCES];
    let distinct: BTreeSet<IpAddr> = tables.into_iter().flat_map(cases).map(|case| case.1).collect();
    assert!(distinct.len() >= 200, "{} addresses", distinct.len());
}

#[test]
fn no_address_of_a_private_network_is_public() {
    for second in 0..=u8::MAX {
        for address in [[10, second, 1, 1], [127, second, 0, 1], [192, 168, second, 1], [169, 254, second, 254]] {
            assert!(!is_public(IpAddr::from(address)), "{address:?}");
        }
    }
}

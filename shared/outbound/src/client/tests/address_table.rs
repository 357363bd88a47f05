//! Tests every special-purpose range at both ends and some well-known addresses: against the rule, as hosts of URLs in
//! every spelling, and as addresses of names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use ipnet::IpNet;
use reqwest::dns::Resolve;

use super::canary::Canary;
use super::*;

const TABLE: &str = include_str!("addresses.txt");

/// Resolves a name to the address that it contains in hexadecimal digits, as some public DNS services do.
struct AddressInName;

#[async_trait]
impl Lookup for AddressInName {
    async fn lookup(&self, name: &str) -> Answer {
        let digits = name.strip_suffix(".test").expect("a name of these tests");
        let number = u128::from_str_radix(digits, 16).map_err(io::Error::other)?;
        let ip = match u32::try_from(number) {
            Ok(number) if digits.len() == 8 => Ipv4Addr::from(number).into(),
            _ => Ipv6Addr::from(number).into(),
        };
        Ok(vec![ip])
    }
}

struct Case {
    ip: IpAddr,
    public: bool,
    row: &'static str,
}

fn rows() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|row| !row.is_empty() && !row.starts_with('#'))
}

fn cases_of(row: &'static str) -> impl Iterator<Item = Case> {
    row.split_whitespace().filter_map(move |cell| {
        let (public, address) = match cell.split_at_checked(1)? {
            ("+", address) => (true, address),
            ("-", address) => (false, address),
            (_, _) => return None,
        };
        Some(Case { ip: address.parse().expect(row), public, row })
    })
}

fn cases() -> Vec<Case> {
    rows().flat_map(cases_of).collect()
}

fn assert_none_wrong(wrong: &[String], cases: usize) {
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// Checks whether the client would dial this URL. A request to a public address has a header that is refused after the
/// check of the URL, so that nothing is dialled; any other request has no such header.
async fn check(client: &GuardedClient, url: &str, public: bool) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
    let host = url.host_str().expect("a host").to_owned();
    let mut request = OutboundRequest { deadline: SHORT_DEADLINE, ..request(url.as_str()) };
    let expected = if public {
        request.headers.push(("host".into(), "other.test".into()));
        OutboundError::BadRequest("header `host` is set by the client".into())
    } else {
        OutboundError::Forbidden { host }
    };
    match client.send(request).await {
        Err(error) if error == expected => Ok(()),
        outcome => Err(format!("{url}: {outcome:?}")),
    }
}

#[test]
fn the_table_has_two_hundred_addresses_and_both_sides_of_every_border() {
    let cases = cases();
    let mut verdicts = BTreeMap::new();
    for case in &cases {
        let before = verdicts.insert(case.ip, case.public);
        assert!(
            before.is_none_or(|before| before == case.public),
            "{} is listed twice with different verdicts: {}",
            case.ip,
            case.row
        );
    }
    let public = verdicts.values().filter(|public| **public).count();
    assert!(verdicts.len() >= 200, "{} addresses", verdicts.len());
    assert!(public >= 50, "{public} of {} addresses are public", verdicts.len());

    for row in rows() {
        let Ok(network) = row.split_whitespace().next().expect("a row").parse::<IpNet>() else { continue };
        let listed: BTreeSet<IpAddr> = cases_of(row).map(|case| case.ip).collect();
        let mut expected = BTreeSet::from([network.network(), network.broadcast()]);
        expected.extend(beside(network));
        assert_eq!(listed, expected, "{row}");
    }
}

/// The addresses before and after a network, as far as they exist.
fn beside(network: IpNet) -> Vec<IpAddr> {
    let (before, after) = match (network.network(), network.broadcast()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (
            u32::from(first).checked_sub(1).map(|ip| Ipv4Addr::from(ip).into()),
            u32::from(last).checked_add(1).map(|ip| Ipv4Addr::from(ip).into()),
        ),
        (IpAddr::V6(first), IpAddr::V6(last)) => (
            u128::from(first).checked_sub(1).map(|ip| Ipv6Addr::from(ip).into()),
            u128::from(last).checked_add(1).map(|ip| Ipv6Addr::from(ip).into()),
        ),
        (_, _) => unreachable!("a network is of one family"),
    };
    before.into_iter().chain(after).collect()
}

#[test]
fn every_range_ends_where_its_registry_says() {
    let cases = cases();
    let judged_wrongly = cases.iter().filter(|case| addresses::is_public(case.ip) != case.public);
    let wrong: Vec<String> = judged_wrongly.map(|case| format!("{} in row {}", case.ip, case.row)).collect();
    assert_none_wrong(&wrong, cases.len());
}

#[test]
fn no_address_of_a_private_network_is_public() {
    for second in 0..=u8::MAX {
        for address in [[10, second, 1, 1], [127, second, 0, 1], [192, 168, second, 1], [169, 254, second, 254]] {
            assert!(!addresses::is_public(IpAddr::from(address)), "{address:?}");
        }
    }
}

#[tokio::test]
async fn an_address_in_a_url_is_called_only_if_it_is_public() {
    let client = GuardedClient::new(AllowList::default(), None).expect("a client");
    let canary = Canary::new();
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let socket = SocketAddr::new(case.ip, canary.port());
        let checked = check(&client, &format!("http://{socket}/"), case.public).await;
        wrong.extend(checked.err().map(|error| format!("{error} in row {}", case.row)));
    }
    assert_none_wrong(&wrong, cases.len());
    canary.assert_never_called();
}

#[tokio::test]
async fn an_address_behind_a_name_is_called_only_if_it_is_public() {
    let lookup: Arc<dyn Lookup> = Arc::new(AddressInName);
    let roots = RootCertStore::empty();
    let dependencies = Dependencies { lookup: Arc::clone(&lookup), rule: addresses::is_public, roots };
    let client = GuardedClient::with_dependencies(dependencies, AllowList::default(), None).expect("a client");
    let resolver = FilteringResolver::new(lookup, addresses::is_public);
    let canary = Canary::new();
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let name = match case.ip {
            IpAddr::V4(ip) => format!("{:08x}.test", u32::from(ip)),
            IpAddr::V6(ip) => format!("{:032x}.test", u128::from(ip)),
        };
        if case.public {
            // Tests must not dial public addresses, so only the resolver is queried; it returns the address to dial.
            let found = resolver.resolve(name.parse().expect("a name")).await.map(Vec::from_iter);
            if !found.as_ref().is_ok_and(|found| *found == [SocketAddr::new(case.ip, 0)]) {
                wrong.push(format!("{} in row {}: {found:?}", case.ip, case.row));
            }
        } else {
            let checked = check(&client, &format!("http://{name}:{}/", canary.port()), false).await;
            wrong.extend(checked.err().map(|error| format!("{error} in row {}", case.row)));
        }
    }
    assert_none_wrong(&wrong, cases.len());
    canary.assert_never_called();
}

/// Other spellings of an IPv4 address as a host; the verdict on all of them is the same.
fn spellings(ip: Ipv4Addr) -> Vec<String> {
    let number = u32::from(ip);
    let [a, b, c, d] = ip.octets();
    let fullwidth = |digit: char| match digit.to_digit(10) {
        Some(digit) => char::from_u32(0xFF10 + digit).expect("a digit"),
        None => '。',
    };
    vec![
        number.to_string(),
        format!("{number}."),
        format!("{number:#x}"),
        format!("0X{number:012X}"),
        format!("0{number:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.0{b:o}.{c:#x}.{d}."),
        format!("{a}.{b}.{}", number & 0xFFFF),
        format!("{a}.{}", number & 0xFF_FFFF),
        ip.to_string().replace('.', "%2E"),
        ip.to_string().chars().map(fullwidth).collect(),
    ]
}

/// IPv6 addresses that lead to an IPv4 address, or that may be mistaken for it.
fn disguises(ip: Ipv4Addr) -> Vec<String> {
    let number = u32::from(ip);
    let (high, low) = (number >> 16, number & 0xFFFF);
    let [a, b, c, d] = ip.octets();
    vec![
        format!("[::ffff:{ip}]"),
        format!("[::FFFF:{high:X}:{low:X}]"),
        format!("[0:0:0:0:0:ffff:{ip}]"),
        format!("[::{ip}]"),
        format!("[::ffff:0:{ip}]"),
        format!("[64:ff9b::{ip}]"),
        format!("[64:ff9b:1::{ip}]"),
        format!("[64:ff9b:1:{high:x}:{c:x}:{d:x}00::]"),
        format!("[64:ff9b:1:{a:02x}{b:02x}:{c:02x}:{d:02x}00::1]"),
        format!("[2002:{high:x}:{low:x}::]"),
        format!("[2002:{high:x}:{low:x}::{ip}]"),
        format!("[2001:0:{high:x}:{low:x}::1]"),
        format!("[2001::ffff:{:x}:{:x}]", high ^ 0xFFFF, low ^ 0xFFFF),
    ]
}

#[tokio::test]
async fn neither_spelling_nor_ipv6_changes_the_verdict_on_an_ipv4_address() {
    let client = GuardedClient::new(AllowList::default(), None).expect("a client");
    let canary = Canary::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in cases() {
        let IpAddr::V4(ip) = case.ip else { continue };
        let hosts = spellings(ip).into_iter().map(|host| (host, case.public));
        for (host, public) in hosts.chain(disguises(ip).into_iter().map(|host| (host, false))) {
            count += 1;
            let url = format!("http://{host}:{}/", canary.port());
            let read = Url::parse(&url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
            let kept = host.starts_with('[') || read == Some(Host::Ipv4(ip));
            assert!(kept, "{host} is not {ip} but {read:?}");
            let checked = check(&client, &url, public).await;
            wrong.extend(checked.err().map(|error| format!("{host}: {error} in row {}", case.row)));
        }
    }
    assert_none_wrong(&wrong, count);
    assert!(count >= 2000, "{count} cases");
    canary.assert_never_called();
}

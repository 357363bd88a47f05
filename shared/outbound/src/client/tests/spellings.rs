//! URLs as attackers write them, and how each of them is interpreted. Every name resolves to loopback.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::canary::Canary;
use super::*;

/// A resolver under an attacker's control: every name resolves to this machine.
struct LoopbackResolver;

#[async_trait]
impl Lookup for LoopbackResolver {
    async fn lookup(&self, _name: &str) -> Answer {
        Ok(vec![PRIVATE, Ipv6Addr::LOCALHOST.into()])
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The address or the scheme is not permitted.
    Refused,
    /// The host is a name; the addresses that it resolves to are checked, and refused here.
    Name,
    /// The address is permitted, but the credentials in the URL are not.
    Credentials,
    /// The address is permitted; nothing is dialled in the test.
    Public,
    /// The text is not a valid URL.
    Unreadable,
}

use Verdict::{Credentials, Name, Public, Refused, Unreadable};

/// The verdict, the URL, and its peculiarity; `PORT` is replaced by the canary's port.
const URLS: &[(Verdict, &str, &str)] = &[
    // Loopback with fewer parts, and in other bases.
    (Refused, "http://127.0.0.1:PORT/", "as it is"),
    (Refused, "http://127.1:PORT/", "two parts"),
    (Refused, "http://127.0.1:PORT/", "three parts"),
    (Refused, "http://127.0.256:PORT/", "a last part of two bytes"),
    (Refused, "http://127.65536:PORT/", "a last part of three bytes"),
    (Refused, "http://2130706433:PORT/", "decimal"),
    (Refused, "http://2130706433.:PORT/", "decimal with a dot"),
    (Refused, "http://017700000001:PORT/", "octal"),
    (Refused, "http://0x7f000001:PORT/", "hexadecimal"),
    (Refused, "http://0x000000007f000001:PORT/", "hexadecimal with zeros"),
    (Refused, "http://0X7F.0x0.0x0.0x1:PORT/", "hexadecimal parts"),
    (Refused, "http://0177.0.0.1:PORT/", "octal part"),
    (Refused, "http://0177.0.0.01:PORT/", "octal parts"),
    (Refused, "http://00000177.0.0.1:PORT/", "octal part with zeros"),
    (Refused, "http://0x7f.1:PORT/", "hexadecimal in two parts"),
    (Refused, "http://0x7f.0.1.:PORT/", "hexadecimal in three parts with a dot"),
    (Refused, "http://0x7f.0.0x0.01:PORT/", "every base at once"),
    (Refused, "http://127.0x.0X.1:PORT/", "0x is zero"),
    (Unreadable, "http://256.0.0.1:PORT/", "a part too large"),
    (Unreadable, "http://127.0.0.256:PORT/", "a last part too large"),
    (Unreadable, "http://127.0.65536:PORT/", "a last part too large for two bytes"),
    (Unreadable, "http://127.16777216:PORT/", "a last part too large for three bytes"),
    (Unreadable, "http://4294967296:PORT/", "a number too large"),
    (Unreadable, "http://4294967296127.0.0.1:PORT/", "a part that overflows"),
    (Unreadable, "http://18446744075840258049:PORT/", "127.0.0.1 past 64 bits"),
    (Unreadable, "http://0x17f000001:PORT/", "hexadecimal past 32 bits"),
    (Unreadable, "http://040000000000:PORT/", "octal past 32 bits"),
    (Unreadable, "http://127.0.0.1.1:PORT/", "five parts"),
    (Unreadable, "http://0x7f.0.0.0.1:PORT/", "five parts, one hexadecimal"),
    (Unreadable, "http://127.0.0.09:PORT/", "no octal digit"),
    (Unreadable, "http://0x7g.1:PORT/", "no hexadecimal digit"),
    (Unreadable, "http://127..0.1:PORT/", "an empty part"),
    (Unreadable, "http://.127.0.0.1:PORT/", "a dot before"),
    (Unreadable, "http://-127.0.0.1:PORT/", "a minus"),
    (Unreadable, "http://+127.0.0.1:PORT/", "a plus"),
    (Name, "http://127.0.0.1e:PORT/", "no number at the end"),
    (Name, "http://0xg:PORT/", "no number at all"),
    // Trailing dots.
    (Refused, "http://127.0.0.1.:PORT/", "a dot behind"),
    (Refused, "http://127.0.0.1%2e:PORT/", "an encoded dot behind"),
    (Refused, "http://127.0.0.1。:PORT/", "an ideographic dot behind"),
    (Name, "http://127.0.0.1..:PORT/", "two dots behind"),
    (Name, "http://localhost.:PORT/", "a name with a dot"),
    (Name, "http://localhost..:PORT/", "a name with two dots"),
    (Name, "http://localhost%2e:PORT/", "a name with an encoded dot"),
    (Public, "http://8.8.8.8.:PORT/", "a public address with a dot"),
    // Percent-encoded, and with characters that parsers remove.
    (Refused, "http://%31%32%37.0.0.1:PORT/", "encoded digits"),
    (Refused, "http://127.0.0.%31:PORT/", "one encoded digit"),
    (Refused, "http://127%2e0%2e0%2e1:PORT/", "encoded dots"),
    (Refused, "http://%32%31%33%30%37%30%36%34%33%33:PORT/", "an encoded number"),
    (Refused, "http://127\t.0.0.1:PORT/", "a tab"),
    (Refused, "http://127.0.0\n.1:PORT/", "a line feed"),
    (Refused, "http://127.0.0.1\r\n:PORT/", "a line break"),
    (Refused, "http://127.\u{ad}0.0.1:PORT/", "a soft hyphen"),
    (Refused, "http://127.0.0\u{200b}.1:PORT/", "a space of no width"),
    (Refused, "http://127.0.0%E2%81%A0.1:PORT/", "an encoded joiner"),
    (Unreadable, "http://127.0.0.1%00.example.com:PORT/", "a null"),
    (Unreadable, "http://127.0.0.1%20:PORT/", "a space"),
    (Unreadable, "http://127.0.0.1%0a:PORT/", "an encoded line feed"),
    (Unreadable, "http://127.0.0.1%ff:PORT/", "no UTF-8"),
    (Unreadable, "http://127.0.0.1%252e:PORT/", "encoded twice"),
    (Unreadable, "http://exa mple.com:PORT/", "a space in a name"),
    // Digits and dots of other scripts.
    (Refused, "http://①②⑦.⓪.⓪.①:PORT/", "circled"),
    (Refused, "http://１２７.０.０.１:PORT/", "fullwidth"),
    (Refused, "http://1２7.0.0.1:PORT/", "one fullwidth"),
    (Refused, "http://127。0。0。1:PORT/", "ideographic dots"),
    (Refused, "http://127．0．0．1:PORT/", "fullwidth dots"),
    (Refused, "http://127｡0｡0｡1:PORT/", "halfwidth dots"),
    (Refused, "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏:PORT/", "bold"),
    (Refused, "http://𝟙𝟚𝟟.𝟘.𝟘.𝟙:PORT/", "double-struck"),
    (Refused, "http://¹²⁷.⁰.⁰.¹:PORT/", "superscript"),
    (Refused, "http://₁₂₇.₀.₀.₁:PORT/", "subscript"),
    (Refused, "http://０ｘ7f.1:PORT/", "fullwidth hexadecimal"),
    (Refused, "http://0ⓧ7f.1:PORT/", "circled x"),
    (Refused, "http://⑩。⓪。⓪。①:PORT/", "a circled ten"),
    (Public, "http://①.①.①.①:PORT/", "circled and public"),
    (Public, "http://㉑.0.0.1:PORT/", "a circled twenty-one, which is public"),
    (Unreadable, "http://⑴⑵⑺.0.0.1:PORT/", "parenthesized"),
    (Unreadable, "http://⒈⒉⒎.0.0.1:PORT/", "full stops inside"),
    (Unreadable, "http://١٢٧.٠.٠.١:PORT/", "Arabic-Indic in a label of digits"),
    (Name, "http://۱۲۷.۰.۰.۱:PORT/", "Persian digits are letters of a name"),
    (Name, "http://१२७.०.०.१:PORT/", "Devanagari digits are letters of a name"),
    (Unreadable, "http://xn--127-0:PORT/", "punycode of nothing"),
    // The name `localhost`.
    (Name, "http://localhost:PORT/", "as it is"),
    (Name, "http://LOCALHOST:PORT/", "capitals"),
    (Name, "http://loc%61lhost:PORT/", "encoded"),
    (Name, "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/", "circled"),
    (Name, "http://ＬＯＣＡＬＨＯＳＴ:PORT/", "fullwidth"),
    (Name, "http://localhoſt:PORT/", "a long s"),
    (Name, "http://ⅼocalhost:PORT/", "a Roman fifty"),
    (Name, "http://lоcalhost:PORT/", "a Cyrillic o"),
    (Name, "http://local\u{200b}host:PORT/", "a space of no width"),
    (Name, "http://a.localhost:PORT/", "a label before"),
    (Name, "http://.localhost:PORT/", "a dot before"),
    (Name, "http://ip6-localhost:PORT/", "of IPv6"),
    (Name, "https://localhost:PORT/", "by TLS"),
    (Unreadable, "http://localhost%00:PORT/", "a null behind"),
    // Names that resolve to loopback.
    (Name, "http://127.0.0.1.nip.io:PORT/", "a service that echoes addresses"),
    (Name, "http://7f000001.rbndr.us:PORT/", "a service that changes its mind"),
    (Name, "http://127.0.0.1.in-addr.arpa:PORT/", "a reverse name"),
    (Name, "http://metadata.google.internal:PORT/", "metadata by name"),
    (Name, "http://host.docker.internal:PORT/", "a container's host"),
    (Name, "http://kubernetes.default.svc:PORT/", "a cluster's API"),
    (Name, "http://_:PORT/", "an underscore"),
    (Name, "http://*:PORT/", "a star"),
    (Name, "http://-:PORT/", "a hyphen"),
    // Other loopback addresses, and all addresses of this machine.
    (Refused, "http://127.0.0.2:PORT/", "the second"),
    (Refused, "http://127.255.255.254:PORT/", "the last"),
    (Refused, "http://0.0.0.0:PORT/", "unspecified"),
    (Refused, "http://0:PORT/", "one zero"),
    (Refused, "http://00:PORT/", "two zeros"),
    (Refused, "http://0x:PORT/", "hexadecimal nothing"),
    (Refused, "http://0x.0x.0x.0x:PORT/", "hexadecimal nothing four times"),
    (Refused, "http://0.0.0.1:PORT/", "this network"),
    // IPv6 with brackets and zones.
    (Refused, "http://[::1]:PORT/", "loopback"),
    (Refused, "http://[0:0:0:0:0:0:0:1]:PORT/", "in full"),
    (Refused, "http://[0000:0000:0000:0000:0000:0000:0000:0001]:PORT/", "with zeros"),
    (Refused, "http://[::0:1]:PORT/", "with one zero"),
    (Refused, "http://[::0.0.0.1]:PORT/", "with an IPv4 end"),
    (Refused, "http://[::]:PORT/", "unspecified"),
    (Refused, "http://[::127.0.0.1]:PORT/", "compatible"),
    (Refused, "http://[::ffff:127.0.0.1]:PORT/", "mapped"),
    (Refused, "http://[::ffff:7f00:1]:PORT/", "mapped in hexadecimal"),
    (Refused, "http://[::FFFF:7F00:0001]:PORT/", "mapped in capitals"),
    (Refused, "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/", "mapped in full"),
    (Refused, "http://[::ffff:0.0.0.0]:PORT/", "mapped unspecified"),
    (Refused, "http://[::ffff:0:127.0.0.1]:PORT/", "translated"),
    (Refused, "http://[::ffff:8.8.8.8]:PORT/", "mapped and public"),
    (Refused, "http://[64:ff9b::127.0.0.1]:PORT/", "NAT64"),
    (Refused, "http://[64:ff9b:1::127.0.0.1]:PORT/", "local NAT64"),
    (Refused, "http://[2002:7f00:1::]:PORT/", "6to4"),
    (Refused, "http://[2001:0:7f00:1::]:PORT/", "Teredo, the server"),
    (Refused, "http://[2001::80ff:fffe]:PORT/", "Teredo, the client"),
    (Refused, "http://[fec0::1]:PORT/", "site local"),
    (Refused, "http://[fe80::1]:PORT/", "link local without its zone"),
    (Unreadable, "http://[fe80::1%lo]:PORT/", "a zone"),
    (Unreadable, "http://[fe80::1%25lo]:PORT/", "an encoded zone"),
    (Unreadable, "http://[::1%1]:PORT/", "a numbered zone"),
    (Unreadable, "http://[::1%25]:PORT/", "an empty zone"),
    (Unreadable, "http://[::1:PORT/", "no bracket behind"),
    (Unreadable, "http://::1:PORT/", "no brackets"),
    (Unreadable, "http://::1]:PORT/", "no bracket before"),
    (Unreadable, "http://[[::1]]:PORT/", "two brackets"),
    (Unreadable, "http://[::1].:PORT/", "a dot behind"),
    (Unreadable, "http://[::1]example.com:PORT/", "a name behind"),
    (Unreadable, "http://[]:PORT/", "nothing in brackets"),
    (Unreadable, "http://[127.0.0.1]:PORT/", "IPv4 in brackets"),
    (Unreadable, "http://[localhost]:PORT/", "a name in brackets"),
    (Unreadable, "http://%5B::1%5D:PORT/", "encoded brackets"),
    (Unreadable, "http://[::%31]:PORT/", "an encoded digit"),
    (Unreadable, "http://[：：1]:PORT/", "fullwidth colons"),
    (Unreadable, "http://[::00001]:PORT/", "five digits"),
    (Unreadable, "http://[0::0::1]:PORT/", "two gaps"),
    (Unreadable, "http://[::ffff:127.1]:PORT/", "an IPv4 end of two parts"),
    (Unreadable, "http://[::ffff:0177.0.0.1]:PORT/", "an octal IPv4 end"),
    (Unreadable, "http://[::ffff:2130706433]:PORT/", "a decimal IPv4 end"),
    (Unreadable, "http://[v1.fe80::a]:PORT/", "an address of the future"),
    // Credentials, and what looks like them.
    (Refused, "http://8.8.8.8@127.0.0.1:PORT/", "a public address as the user"),
    (Refused, "http://8.8.8.8:80@127.0.0.1:PORT/", "a public socket as user and password"),
    (Refused, "http://example.com@127.0.0.1:PORT/", "a name as the user"),
    (Refused, "http://example.com%2f@127.0.0.1:PORT/", "a name and a slash as the user"),
    (Refused, "http://8.8.8.8@@127.0.0.1:PORT/", "two at signs"),
    (Refused, "http://8.8.8.8 @127.0.0.1:PORT/", "a space before the at sign"),
    (Refused, "http://8.8.8.8&@127.0.0.1:PORT#@8.8.8.8/", "an at sign on both sides"),
    (Refused, "http://@127.0.0.1:PORT/", "an empty user"),
    (Refused, "http://:@127.0.0.1:PORT/", "an empty user and password"),
    (Refused, "http://127.0.0.1:PORT#@8.8.8.8/", "a public address in the fragment"),
    (Refused, "http://127.0.0.1:PORT?@8.8.8.8/", "a public address in the query"),
    (Refused, "http://127.0.0.1:PORT\\@8.8.8.8/", "a public address in the path"),
    (Refused, "http://user:secret@[::1]:PORT/", "before brackets"),
    (Credentials, "http://127.0.0.1:PORT@8.8.8.8/", "loopback as user and password"),
    (Credentials, "http://127.0.0.1%2f@8.8.8.8/", "loopback and a slash as the user"),
    (Credentials, "http://127.0.0.1:PORT@example.com/", "loopback before a name"),
    (Credentials, "http://user@localhost:PORT/", "a user at a name"),
    (Credentials, "http://:secret@localhost:PORT/", "a password at a name"),
    (Public, "http://8.8.8.8\\@127.0.0.1:PORT/", "loopback in the path"),
    (Public, "http://8.8.8.8?@127.0.0.1:PORT/", "loopback in the query"),
    (Public, "http://8.8.8.8#@127.0.0.1:PORT/", "loopback in the fragment"),
    (Public, "http://@8.8.8.8/", "an empty user is none"),
    (Name, "http://example.com#@127.0.0.1:PORT/", "a name before a fragment"),
    (Unreadable, "http://8.8.8.8%40127.0.0.1:PORT/", "an encoded at sign"),
    (Unreadable, "http://8.8.8.8%2f127.0.0.1:PORT/", "an encoded slash"),
    (Unreadable, "http://8.8.8.8;127.0.0.1:PORT/", "a semicolon"),
    (Unreadable, "http://8.8.8.8,127.0.0.1:PORT/", "a comma"),
    (Unreadable, "http://8.8.8.8\t127.0.0.1:PORT/", "a tab that is dropped"),
    // Slashes, schemes and ports.
    (Refused, "http:127.0.0.1:PORT/", "no slashes"),
    (Refused, "http:/127.0.0.1:PORT/", "one slash"),
    (Refused, "http:////127.0.0.1:PORT/", "four slashes"),
    (Refused, "http:\\\\127.0.0.1:PORT\\", "backslashes"),
    (Refused, "http:///127.0.0.1:PORT/", "an empty host that is none"),
    (Refused, "HTTP://127.0.0.1:PORT/", "capitals"),
    (Refused, "ht\ttp://127.0.0.1:PORT/", "a tab in the scheme"),
    (Refused, " http://127.0.0.1:PORT/ ", "spaces around"),
    (Refused, "https://127.0.0.1:PORT/", "by TLS"),
    (Refused, "http://127.0.0.1:00PORT/", "zeros before the port"),
    (Refused, "http://127.0.0.1:/", "an empty port"),
    (Refused, "http://127.0.0.1:0/", "port zero"),
    (Refused, "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "the Runtime API"),
    (Refused, "ftp://127.0.0.1:PORT/", "another scheme"),
    (Refused, "ftp://example.com/", "another scheme at a name"),
    (Refused, "ws://127.0.0.1:PORT/", "a socket's scheme"),
    (Refused, "wss://example.com/", "a secure socket's scheme"),
    (Refused, "gopher://127.0.0.1:PORT/_FLUSHALL", "a scheme that carries any bytes"),
    (Refused, "dict://127.0.0.1:PORT/stat", "a scheme that carries a line"),
    (Refused, "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "a socket of this machine"),
    (Refused, "file:///etc/passwd", "a file"),
    (Refused, "file://localhost/etc/passwd", "a file at a host"),
    (Refused, "blob:http://127.0.0.1:PORT/a", "a URL in a URL"),
    (Refused, "view-source:http://127.0.0.1:PORT/", "a URL behind a scheme"),
    (Refused, "data:text/plain,hello", "data"),
    (Refused, "javascript:alert(1)", "a script"),
    (Refused, "mailto:a@127.0.0.1", "a mailbox"),
    (Unreadable, "http://127.0.0.1:99999/", "a port too large"),
    (Unreadable, "http://127.0.0.1:-1/", "a port below zero"),
    (Unreadable, "http://127.0.0.1:PORT:80/", "two ports"),
    (Unreadable, "http://127.0.0.1:８０/", "a fullwidth port"),
    (Unreadable, "http://", "nothing"),
    (Unreadable, "http:///", "nothing but slashes"),
    (Unreadable, "http://:PORT/", "nothing but a port"),
    (Unreadable, "//127.0.0.1:PORT/", "no scheme"),
    (Unreadable, "127.0.0.1:PORT", "no scheme and no slashes"),
    // Other internal addresses.
    (Refused, "http://169.254.169.254/latest/meta-data/", "metadata"),
    (Refused, "http://169.254.169.254:80/latest/api/token", "metadata's token"),
    (Refused, "http://2852039166/latest/meta-data/", "metadata in decimal"),
    (Refused, "http://0xa9.0xfe.0xa9.0xfe/", "metadata in hexadecimal"),
    (Refused, "http://0251.0376.0251.0376/", "metadata in octal"),
    (Refused, "http://169.254.43518/", "metadata in three parts"),
    (Refused, "http://[::ffff:169.254.169.254]/", "metadata, mapped"),
    (Refused, "http://[::ffff:a9fe:a9fe]/", "metadata, mapped in hexadecimal"),
    (Refused, "http://[64:ff9b::169.254.169.254]/", "metadata by NAT64"),
    (Refused, "http://[fd00:ec2::254]/latest/meta-data/", "metadata by IPv6"),
    (Refused, "http://169.254.170.2/v2/credentials", "a task's credentials"),
    (Refused, "http://100.100.100.200/", "metadata of another cloud"),
    (Refused, "http://012.0.0.1/", "10.0.0.1 in octal"),
    (Refused, "http://0xa000001/", "10.0.0.1 in hexadecimal"),
    (Refused, "http://2886729729/", "172.16.0.1 in decimal"),
    (Refused, "http://0300.0250.0.1/", "192.168.0.1 in octal"),
    (Refused, "http://3232235521/", "192.168.0.1 in decimal"),
    (Refused, "http://4294967295/", "broadcast in decimal"),
    (Refused, "http://037777777777/", "broadcast in octal"),
    // Public addresses that a crude rule would refuse.
    (Public, "http://010.8.8.8/", "octal eight, not ten"),
    (Public, "http://134744072/", "decimal"),
    (Public, "http://0x01010101/", "hexadecimal"),
    (Public, "http://8.526344/", "two parts"),
    (Public, "http://1.0.0.127/", "loopback from behind"),
    (Public, "https://[2001:4860:4860::8888]/", "IPv6"),
    (Public, "https://[2606:4700:4700::127.0.0.1]/", "public IPv6 with an IPv4 end"),
    (Public, "http://8.8.8.8/127.0.0.1:PORT", "loopback in the path"),
    (Unreadable, "http://08.8.8.8/", "no octal digit"),
];

/// Describes what happens to a URL if that differs from the expected verdict.
async fn fault(client: &GuardedClient, verdict: Verdict, url: &str) -> Option<String> {
    let url = match (Url::parse(url), verdict) {
        (Err(_), Unreadable) => return None,
        (Err(error), Refused | Name | Credentials | Public) => return Some(format!("is unreadable: {error}")),
        (Ok(url), Unreadable) => return Some(format!("is read as {url}")),
        (Ok(url), Refused | Name | Credentials | Public) => url,
    };
    let is_name = matches!(url.scheme(), "http" | "https") && matches!(url.host(), Some(Host::Domain(_)));
    let host = host_of(&url);
    let mut request = OutboundRequest { deadline: SHORT_DEADLINE, ..request(url.as_str()) };
    let expected = match verdict {
        Refused if !is_name => OutboundError::Forbidden { host },
        Name if is_name => OutboundError::Forbidden { host },
        Refused | Name => return Some(format!("has the host {host}")),
        Credentials => OutboundError::BadRequest("the URL carries credentials".into()),
        Public => {
            // This header is refused after the check of the URL, so that nothing is dialled.
            request.headers.push(("host".into(), "other.test".into()));
            OutboundError::BadRequest("header `host` is set by the client".into())
        }
        Unreadable => unreachable!("it was not read"),
    };
    let outcome = client.send(request).await;
    (outcome.as_ref().err() != Some(&expected)).then(|| format!("ends as {outcome:?}"))
}

#[tokio::test]
async fn no_spelling_reaches_an_internal_address() {
    let lookup = Arc::new(LoopbackResolver);
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let dependencies = Dependencies { lookup, rule: addresses::is_public, roots };
    let client = GuardedClient::with_dependencies(dependencies, AllowList::default(), None).expect("a client");
    let canary = Canary::new();
    let port = canary.port().to_string();
    let mut wrong = Vec::new();
    for (verdict, url, why) in URLS {
        if let Some(fault) = fault(&client, *verdict, &url.replace("PORT", &port)).await {
            wrong.push(format!("{url:?} ({why}) should be {verdict:?} and {fault}"));
        }
    }
    let count = URLS.iter().map(|(_verdict, url, _why)| url).collect::<BTreeSet<_>>().len();
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 200, "{count} cases");
    canary.assert_never_called();
}

//! URLs that must not be called, in every spelling, while a listener shows that nothing was dialled.

use reelhook_app::outbound::{HttpSender, OutboundError};
use reelhook_outbound::{AllowList, GuardedClient};
use url::Url;

use crate::server::{Server, answer, client_of, get};

/// Spellings of 127.0.0.1 and of names for it; the listener's port is put behind each.
const LOOPBACK_IPV4: [&str; 26] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0X7F.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "00000177.0.0.1",
    "0x7f.1",
    "0x7f.0.1.",
    "%31%32%37.0.0.1",
    "127.0.0.%31",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127.0.0.1",
    "1２7.0.0.1",
    "127\t.0.0.1",
    "127.0.0\n.1",
    "127.\u{ad}0.0.1",
    "localhost",
    "LOCALHOST",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "local\u{200b}host",
];

/// Spellings that reach an IPv4 or IPv6 loopback listener where the network stack allows them to.
const LOOPBACK_OTHERWISE: [&str; 10] = [
    "0.0.0.0",
    "0",
    "127.0.0.2",
    "127.255.255.254",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
];

/// URLs that have no business with a listener of ours; nothing is sent, so nothing answers late.
const OTHERS: [&str; 44] = [
    "http://127.0.0.1/",
    "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
    "https://127.0.0.1/",
    "https://localhost/",
    "http://localhost:9001/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254:80/latest/api/token",
    "http://2852039166/latest/meta-data/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://169.254.170.2/v2/credentials",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://192.0.0.1/",
    "http://198.18.0.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://0/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001::1]/",
    "http://[fec0::1]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "ftp://example.com/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ws://example.com/",
    "data:text/plain,hello",
];

/// What no URL parser should let through at all; if one does, the client has to refuse it.
const MALFORMED: [&str; 12] = [
    "http://",
    "http:///",
    "http://256.0.0.1/",
    "http://127.0.0.1.1/",
    "http://0x7f.0.0.0.1/",
    "http://4294967296/",
    "http://127.0.0.1:99999/",
    "http://[fe80::1%25lo]/",
    "http://[::1/",
    "http://127.0.0.1%00.example.com/",
    "http://exa mple.com/",
    "//127.0.0.1/",
];

fn nothing_listed() -> GuardedClient {
    GuardedClient::new(AllowList::default(), None).expect("a client")
}

/// Refused by the parser, or by the client with the name of the host and nothing else of the URL.
async fn check_refused(client: &GuardedClient, url: &str) {
    let Ok(parsed) = Url::parse(url) else { return };
    let host = parsed.host_str().filter(|host| !host.is_empty());
    let host = host.unwrap_or(parsed.scheme()).to_owned();
    let refused = client.send(get(parsed)).await.expect_err(url);
    assert_eq!(refused, OutboundError::Forbidden { host }, "{url}");
    assert_eq!(refused.code(), "ENOTFOUND");
}

#[tokio::test]
async fn no_spelling_of_loopback_is_dialled() {
    let client = nothing_listed();
    let mut server = Server::start(vec![answer("200 OK", "", b"")]).await;
    let port = server.address.port();
    for host in LOOPBACK_IPV4.iter().chain(&LOOPBACK_OTHERWISE) {
        let url = format!("http://{host}:{port}/");
        assert!(Url::parse(&url).is_ok(), "{url} tests nothing");
        check_refused(&client, &url).await;
    }
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn no_spelling_of_ipv6_loopback_is_dialled() {
    // A machine without IPv6 has nothing to dial here.
    let Ok(mut server) = Server::start_at("[::]:0", vec![answer("200 OK", "", b"")]).await else { return };
    let port = server.address.port();
    server.address = format!("[::1]:{port}").parse().expect("a socket");
    for host in LOOPBACK_IPV4.iter().chain(&LOOPBACK_OTHERWISE) {
        check_refused(&nothing_listed(), &format!("http://{host}:{port}/")).await;
    }
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn no_private_address_and_no_other_scheme_is_called() {
    let client = nothing_listed();
    for url in OTHERS {
        assert!(Url::parse(url).is_ok(), "{url} tests nothing");
        check_refused(&client, url).await;
    }
}

#[tokio::test]
async fn malformed_urls_are_refused_by_the_parser_or_by_us() {
    let client = nothing_listed();
    for url in MALFORMED {
        check_refused(&client, url).await;
    }
}

#[tokio::test]
async fn the_allow_list_opens_one_socket_and_no_name() {
    let mut listed = Server::start(vec![answer("200 OK", "", b"")]).await;
    let mut other = Server::start(vec![answer("200 OK", "", b"")]).await;
    let client = client_of(&listed);
    let port = listed.address.port();

    check_refused(&client, other.url("/").as_str()).await;
    for host in ["localhost", "LOCALHOST", "127.0.0.2", "0", "[::ffff:127.0.0.1]", "[::1]"] {
        check_refused(&client, &format!("http://{host}:{port}/")).await;
    }
    for scheme in ["ftp", "ws", "gopher", "foo"] {
        check_refused(&client, &format!("{scheme}://127.0.0.1:{port}/")).await;
    }
    assert_eq!(listed.connections().await, 0);
    assert_eq!(other.connections().await, 0);

    for host in ["127.0.0.1", "2130706433", "0x7f.1"] {
        let url = Url::parse(&format!("http://{host}:{port}/")).expect("a URL");
        client.send(get(url)).await.expect("an answer");
    }
    assert_eq!(listed.connections().await, 1);
}

#[tokio::test]
async fn the_runtime_api_is_not_called_even_when_it_is_listed() {
    let mut api = Server::start(vec![answer("200 OK", "", b"")]).await;
    let socket = api.address.to_string();
    let allow = AllowList::parse(&format!("{socket},127.0.0.1:9001"), Some(&socket)).expect("a list");
    let client = GuardedClient::new(allow, None).expect("a client");
    check_refused(&client, api.url("/2018-06-01/runtime/invocation/next").as_str()).await;
    check_refused(&client, "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next").await;
    assert_eq!(api.connections().await, 0);
}

#[tokio::test]
async fn credentials_in_the_url_are_refused_and_not_shown() {
    let mut server = Server::start(vec![answer("200 OK", "", b"")]).await;
    let client = client_of(&server);
    for userinfo in ["user", "user:secret", ":secret", "%75ser"] {
        for host in [server.address.to_string(), "example.com".into(), "8.8.8.8".into()] {
            let url = Url::parse(&format!("http://{userinfo}@{host}/")).expect("a URL");
            let refused = client.send(get(url)).await.expect_err(userinfo);
            assert_eq!(refused, OutboundError::BadRequest("the URL carries credentials".into()));
        }
        check_refused(&client, &format!("http://{userinfo}@127.0.0.1/")).await;
        check_refused(&client, &format!("http://8.8.8.8@{userinfo}@127.0.0.1/")).await;
    }
    assert_eq!(server.connections().await, 0);
}

//! Forbidden URLs in several spellings; a listener detects connections.

use reelhook_app::outbound::{HttpSender, OutboundError};
use reelhook_outbound::{AllowList, GuardedClient};
use url::Url;

use crate::server::{Server, answer, client_of, get};

/// Spellings of loopback and of its name; the listener's port is appended to each. `client/tests/spellings.rs` has the
/// complete table; these need the system's resolver.
const LOOPBACK: [&str; 14] = [
    "127.0.0.1",
    "127.0.0.2",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "localhost",
    "LOCALHOST",
    "loc%61lhost",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ＬＯＣＡＬＨＯＳＴ",
    "localhoſt",
    "ⅼocalhost",
    "local\u{200b}host",
];

fn nothing_listed() -> GuardedClient {
    GuardedClient::new(AllowList::default(), None).expect("a client")
}

/// Checks that a URL is refused, and that the error contains only its host.
async fn check_refused(client: &GuardedClient, url: &str) {
    let parsed = Url::parse(url).expect(url);
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
    for host in LOOPBACK {
        check_refused(&client, &format!("http://{host}:{port}/")).await;
    }
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn no_spelling_of_ipv6_loopback_is_dialled() {
    // Without IPv6 there is nothing to dial.
    let Ok(mut server) = Server::start_at("[::]:0", vec![answer("200 OK", "", b"")]).await else { return };
    let port = server.address.port();
    server.address = format!("[::1]:{port}").parse().expect("a socket");
    for host in LOOPBACK {
        check_refused(&nothing_listed(), &format!("http://{host}:{port}/")).await;
    }
    assert_eq!(server.connections().await, 0);
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

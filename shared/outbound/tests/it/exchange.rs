//! The bytes on the wire in both directions in successful exchanges.

use bytes::Bytes;
use reelhook_app::outbound::{HttpSender, Method, OutboundError, OutboundRequest};
use reelhook_outbound::{AllowList, BuildError, GuardedClient};

use crate::server::{Server, Step, answer, client_of, get};

fn post(server: &Server, headers: &[(&str, &str)], body: &'static [u8]) -> OutboundRequest {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    OutboundRequest {
        method: Method::Post,
        headers: headers.collect(),
        body: Bytes::from_static(body),
        ..get(server.url("/hook?token=a%20b"))
    }
}

/// All bytes that the client sends for one request.
async fn bytes_sent(user_agent: Option<&str>, request: impl Fn(&Server) -> OutboundRequest) -> String {
    let server = Server::start(vec![answer("200 OK", "", b"ok")]).await;
    let allow = AllowList::parse(&server.address.to_string(), None).expect("a list");
    let client = GuardedClient::new(allow, user_agent).expect("a client");
    client.send(request(&server)).await.expect("an answer");
    let sent = server.requests().concat();
    let sent = String::from_utf8(sent).expect("text");
    sent.replace(&server.address.to_string(), "HOST").replace("\r\n", "\n")
}

#[tokio::test]
async fn a_post_arrives_as_given() {
    let headers = [
        ("content-type", "application/json"),
        ("webhook-signature", "v1,abc= v1a,def="),
        ("X-Twice", "one"),
        ("x-twice", "two"),
        ("accept-encoding", "identity"),
    ];
    let sent = bytes_sent(None, |server| post(server, &headers, b"{\"a\": \"\xC3\xA9\"}\r\n ")).await;
    assert_eq!(
        sent,
        "POST /hook?token=a%20b HTTP/1.1\n\
         content-type: application/json\n\
         webhook-signature: v1,abc= v1a,def=\n\
         x-twice: one\n\
         x-twice: two\n\
         accept-encoding: identity\n\
         accept: */*\n\
         host: HOST\n\
         content-length: 14\n\
         \n\
         {\"a\": \"é\"}\n "
    );
}

#[tokio::test]
async fn an_empty_post_says_that_it_is_empty() {
    let sent = bytes_sent(None, |server| post(server, &[], b"")).await;
    assert_eq!(sent, "POST /hook?token=a%20b HTTP/1.1\ncontent-length: 0\naccept: */*\nhost: HOST\n\n");
}

#[tokio::test]
async fn a_get_has_no_body_and_asks_for_no_encoding() {
    let sent = bytes_sent(None, |server| get(server.url("/a/../b#fragment"))).await;
    assert_eq!(sent, "GET /b HTTP/1.1\naccept: */*\nhost: HOST\n\n");
}

#[tokio::test]
async fn a_delete_has_no_body() {
    let sent =
        bytes_sent(None, |server| OutboundRequest { method: Method::Delete, ..get(server.url("/tasks/1")) }).await;
    assert_eq!(sent, "DELETE /tasks/1 HTTP/1.1\naccept: */*\nhost: HOST\n\n");
}

#[tokio::test]
async fn the_user_agent_is_ours_unless_the_request_brings_one() {
    let sent = bytes_sent(Some("reelhook/1"), |server| get(server.url("/"))).await;
    assert!(sent.contains("\nuser-agent: reelhook/1\n"), "{sent}");

    let own = [("User-Agent", "other")];
    let sent = bytes_sent(Some("reelhook/1"), |server| post(server, &own, b"")).await;
    assert_eq!(sent.matches("user-agent: ").count(), 1, "{sent}");
    assert!(sent.contains("\nuser-agent: other\n"), "{sent}");
}

#[test]
fn a_user_agent_that_is_no_header_value_is_refused() {
    let refused = GuardedClient::new(AllowList::default(), Some("a\nb"));
    assert!(matches!(refused, Err(BuildError::UserAgent(_))));
}

#[tokio::test]
async fn a_response_is_returned_as_sent() {
    let body = [0, 255, b'\r', b'\n', 0xC3, 0x28];
    let headers = "Retry-After: 7\r\nX-Twice: one\r\nX-Twice: two\r\nX-Text: S\u{e9}rie\r\n";
    let server = Server::start(vec![answer("429 Slow Down", headers, &body)]).await;
    let response = client_of(&server).send(get(server.url("/"))).await.expect("an answer");

    assert_eq!(response.status, 429);
    assert_eq!(response.body.as_ref(), body);
    assert!(!response.truncated);
    assert_eq!(response.peer, Some(server.address));
    assert!(response.first_byte <= response.total);
    let headers: Vec<(&str, &str)> =
        response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("retry-after", "7"),
        ("x-twice", "one"),
        ("x-twice", "two"),
        ("x-text", "S\u{e9}rie"),
        ("content-length", "6"),
    ];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn every_status_is_a_response() {
    for status in [101, 200, 201, 204, 301, 302, 304, 307, 308, 400, 401, 404, 410, 429, 500, 503, 599, 999] {
        let script = match status {
            101 | 204 | 304 => Step::Send(format!("HTTP/1.1 {status} x\r\n\r\n").into()),
            _ => answer(&format!("{status} x"), "", b""),
        };
        let server = Server::start(vec![script]).await;
        let response = client_of(&server).send(get(server.url("/"))).await.expect("an answer");
        assert_eq!(response.status, status);
    }
}

#[tokio::test]
async fn a_compressed_body_is_left_as_it_is() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let headers = format!("content-encoding: {encoding}\r\n");
        let server = Server::start(vec![answer("200 OK", &headers, &gzip)]).await;
        let response = client_of(&server).send(get(server.url("/"))).await.expect("an answer");
        assert_eq!(response.body.as_ref(), gzip);
        assert_eq!(response.header("content-encoding"), Some(encoding));
    }
}

#[tokio::test]
async fn no_cookie_and_no_referer_go_into_the_next_request() {
    let script = vec![answer("200 OK", "set-cookie: a=b; path=/\r\n", b"")];
    let server = Server::start(script).await;
    let client = client_of(&server);
    for _ in 0..2 {
        client.send(get(server.url("/"))).await.expect("an answer");
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let mut server = Server::start(vec![answer("200 OK", "", b"ok")]).await;
    let client = client_of(&server);
    for _ in 0..2 {
        client.send(get(server.url("/"))).await.expect("an answer");
    }
    assert_eq!(server.requests().len(), 2);
    assert_eq!(server.connections().await, 1);
}

#[tokio::test]
async fn a_connection_that_the_receiver_ends_is_not_kept() {
    let ended = answer("200 OK", "connection: close\r\n", b"ok");
    let mut server = Server::start(vec![ended, Step::Close]).await;
    let client = client_of(&server);
    for _ in 0..2 {
        client.send(get(server.url("/"))).await.expect("an answer");
    }
    assert_eq!(server.connections().await, 2);
}

#[tokio::test]
async fn surplus_bytes_are_not_the_next_response() {
    let surplus = b"okHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    let mut server = Server::start(vec![Step::Send([head, surplus.as_slice()].concat())]).await;
    let client = client_of(&server);
    for _ in 0..3 {
        let response = client.send(get(server.url("/"))).await.expect("an answer");
        assert_eq!(response.body.as_ref(), b"ok");
    }
    assert_eq!(server.connections().await, 3);
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    for status in ["301", "302", "303", "307", "308"] {
        for target in ["/elsewhere", "http://169.254.169.254/latest/meta-data/", "http://localhost/"] {
            let headers = format!("location: {target}\r\n");
            let script = vec![answer(&format!("{status} Moved"), &headers, b"")];
            let mut server = Server::start(script).await;
            let client = client_of(&server);
            let response = client.send(post(&server, &[], b"{}")).await.expect("an answer");
            assert_eq!(response.status.to_string(), status);
            assert_eq!(response.header("location"), Some(target));
            assert_eq!(server.requests().len(), 1);
            assert_eq!(server.connections().await, 1);
        }
    }
}

#[tokio::test]
async fn connection_headers_and_invalid_headers_are_refused() {
    let mut server = Server::start(vec![answer("200 OK", "", b"")]).await;
    let client = client_of(&server);
    for (name, value, reason) in [
        ("Connection", "close", "header `connection` is set by the client"),
        ("content-length", "0", "header `content-length` is set by the client"),
        ("Host", "internal", "header `host` is set by the client"),
        ("keep-alive", "timeout=5", "header `keep-alive` is set by the client"),
        ("Proxy-Connection", "close", "header `proxy-connection` is set by the client"),
        ("TE", "trailers", "header `te` is set by the client"),
        ("Trailer", "x", "header `trailer` is set by the client"),
        ("Transfer-Encoding", "chunked", "header `transfer-encoding` is set by the client"),
        ("Upgrade", "websocket", "header `upgrade` is set by the client"),
        ("x-key", "secret\r\nhost: other", "value of header `x-key` is not valid"),
        ("x-key", "secret\n", "value of header `x-key` is not valid"),
        ("x-key", "secret\0", "value of header `x-key` is not valid"),
        ("", "secret", "name of header 2 is not valid"),
        ("bad name", "secret", "name of header 2 is not valid"),
        ("authorization: secret", "x", "name of header 2 is not valid"),
        ("x-é", "secret", "name of header 2 is not valid"),
        ("x\r\nhost", "secret", "name of header 2 is not valid"),
    ] {
        let refused = client.send(post(&server, &[("x-first", "1"), (name, value)], b"GET / HTTP/1.1\r\n\r\n"));
        let refused = refused.await.expect_err(name);
        assert_eq!(refused, OutboundError::BadRequest(reason.into()));
    }
    assert_eq!(server.connections().await, 0);
}

#[tokio::test]
async fn a_url_that_is_too_long_is_neither_sent_nor_shown() {
    let mut server = Server::start(vec![answer("200 OK", "", b"")]).await;
    let url = server.url(&format!("/{}", "secret".repeat(20_000)));
    let refused = client_of(&server).send(get(url)).await.expect_err("120,000 bytes");
    assert_eq!(refused, OutboundError::BadRequest("the URL can't be sent in an HTTP request".into()));
    assert_eq!(server.connections().await, 0);
}

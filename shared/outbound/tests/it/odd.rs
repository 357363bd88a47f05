//! Nonconforming response heads that occur in practice, and that common clients accept.

use reelhook_app::outbound::{HttpSender, OutboundResponse};

use crate::server::{Server, Step, client_of, get};

async fn response_to(head: &[u8]) -> OutboundResponse {
    let server = Server::start(vec![Step::Send(head.to_vec())]).await;
    let sent = client_of(&server).send(get(server.url("/"))).await;
    sent.unwrap_or_else(|error| panic!("{}: {error:?}", String::from_utf8_lossy(head)))
}

#[tokio::test]
async fn status_lines_of_every_kind_are_read() {
    for (head, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 202 \u{e9}t\u{e9}\r\ncontent-length: 2\r\n\r\nok", 202),
        ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.0 503\r\ncontent-length: 2\r\n\r\nok", 503),
        ("HTTP/1.1 299 Something of their own\ncontent-length: 2\n\nok", 299),
        ("\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
             HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok",
            201,
        ),
    ] {
        let response = response_to(head.as_bytes()).await;
        assert_eq!((response.status, response.body.as_ref()), (status, b"ok".as_slice()), "{head:?}");
        assert_eq!(response.cut_short, None, "{head:?}");
    }
}

#[tokio::test]
async fn odd_headers_are_read_or_ignored() {
    for (case, lines, name, value) in [
        ("a space before the colon", "Retry-After : 7\r\n", "retry-after", Some("7")),
        ("no space behind it", "Retry-After:7\r\n", "retry-after", Some("7")),
        ("spaces around the value", "Retry-After: \t 7 \t \r\n", "retry-after", Some("7")),
        ("a folded value", "X-Long: one\r\n two\r\n\tthree\r\nRetry-After: 7\r\n", "x-long", Some("one two three")),
        ("a header behind a folded one", "X-Long: one\r\n two\r\nRetry-After: 7\r\n", "retry-after", Some("7")),
        ("a header without a name", ": what\r\nRetry-After: 7\r\n", "retry-after", Some("7")),
        ("a line without a colon", "what\r\nRetry-After: 7\r\n", "retry-after", Some("7")),
        ("a name with spaces", "my header: what\r\nRetry-After: 7\r\n", "retry-after", Some("7")),
        ("a name of other letters", "X-\u{e9}: what\r\nRetry-After: 7\r\n", "retry-after", Some("7")),
        ("an empty value", "Retry-After:\r\n", "retry-after", Some("")),
        ("the same header twice", "Retry-After: 7\r\nRetry-After: 9\r\n", "retry-after", Some("7")),
        ("a value in UTF-8", "Location: /Caf\u{e9}\r\n", "location", Some("/Caf\u{e9}")),
        ("nothing of it", "X-Other: 7\r\n", "retry-after", None),
    ] {
        let head = format!("HTTP/1.1 503 x\r\n{lines}Content-Length : 2\r\n\r\nok");
        let response = response_to(head.as_bytes()).await;
        assert_eq!((response.status, response.body.as_ref()), (503, b"ok".as_slice()), "{case}");
        let found = response.header(name).map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(found.as_deref(), value, "{case}");
    }
    let response = response_to(b"HTTP/1.1 302 x\r\nLocation: /caf\xe9\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(response.header("location"), Some("/caf\u{e9}"), "a value in Latin-1");
}

#[tokio::test]
async fn many_and_long_headers_are_read() {
    let many: String = (0..400).map(|number| format!("X-{number}: {number}\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "a".repeat(100_000));
    for lines in [many, long] {
        let head = format!("HTTP/1.1 200 OK\r\n{lines}Retry-After: 7\r\nContent-Length: 2\r\n\r\nok");
        let response = response_to(head.as_bytes()).await;
        assert_eq!((response.status, response.header("retry-after")), (200, Some("7")));
    }
}

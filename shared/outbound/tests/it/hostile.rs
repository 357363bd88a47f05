//! Malicious receivers: endless bodies, decompression bombs, floods and redirect loops. Each exchange ends in time and
//! within its limit.

use std::time::{Duration, Instant};

use reelhook_app::outbound::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};
use reelhook_outbound::{AllowList, GuardedClient};
use tokio::net::TcpListener;
use url::Url;

use crate::server::{Server, Step, answer, client_of, get};

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
const TEN_GIBIBYTES: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n";

/// The start of the output of `gzip -9n` for endless zeros: each further zero byte decompresses to 1032 bytes.
const BOMB: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xec\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee\x08\x0a";

/// Much longer than the deadlines, but short enough that no test hangs.
const LATE: Duration = Duration::from_secs(5);

fn send(bytes: &[u8]) -> Step {
    Step::Send(bytes.to_vec())
}

/// The same bytes repeatedly, in chunks that fit into a socket buffer.
fn flood(bytes: &[u8]) -> Step {
    Step::Flood(bytes.repeat(64 * 1024 / bytes.len()))
}

async fn result_of(
    script: &[Step],
    deadline_ms: u64,
    response_limit: usize,
) -> Result<OutboundResponse, OutboundError> {
    let server = Server::start(script.to_vec()).await;
    let deadline = Duration::from_millis(deadline_ms);
    let request = OutboundRequest { deadline, response_limit, ..get(server.url("/")) };
    client_of(&server).send(request).await
}

#[tokio::test]
async fn ten_gibibytes_are_neither_waited_for_nor_kept() {
    let piece = [b'a'; 1000];
    let late = Some(OutboundError::TimedOut(300));
    let broken = Some(OutboundError::Reset);
    for (case, after, limit, kept, truncated, cut_short) in [
        ("they come", vec![flood(&piece)], 1500, 1500, true, None),
        ("they come and nothing is kept", vec![flood(&piece)], 0, 0, true, None),
        ("they stall past the limit", vec![send(&piece), Step::Stall], 999, 999, true, None),
        ("they stall at the limit", vec![send(&piece), Step::Stall], 1000, 1000, false, late.clone()),
        ("they never begin", vec![Step::Stall], usize::MAX, 0, false, late.clone()),
        ("the connection breaks", vec![send(&piece), Step::Close], usize::MAX, 1000, false, broken.clone()),
    ] {
        let script = [vec![send(TEN_GIBIBYTES)], after].concat();
        let deadline = if cut_short == late { 300 } else { 20_000 };
        let response = result_of(&script, deadline, limit).await.expect(case);
        let found = (response.body.len(), response.truncated, response.cut_short);
        assert_eq!(found, (kept, truncated, cut_short), "{case}");
    }
    // How much is read before the reset depends on the kernel.
    let reset = [send(TEN_GIBIBYTES), send(&piece), Step::Reset];
    let response = result_of(&reset, 20_000, usize::MAX).await.expect("an answer");
    assert_eq!((response.truncated, response.cut_short), (false, broken));
}

#[tokio::test]
async fn a_decompression_bomb_is_not_unpacked() {
    const LIMIT: usize = 64 * 1024;
    // Decompressed these are 67 MB; as received they are exactly the limit.
    let bomb = [BOMB, &vec![0; LIMIT - BOMB.len()]].concat();
    for encoding in ["content-encoding: gzip\r\n", "content-encoding: gzip, gzip\r\ncontent-type: application/gzip\r\n"]
    {
        let response = result_of(&[answer("200 OK", encoding, &bomb)], 20_000, LIMIT).await.expect("an answer");
        assert!(response.body == bomb && !response.truncated, "{} bytes of {encoding}", response.body.len());
        assert!(response.header("content-encoding").is_some(), "{response:?}");

        // The same, but endless.
        let head = format!("HTTP/1.1 200 OK\r\n{encoding}\r\n");
        let script = [send(head.as_bytes()), send(BOMB), flood(&[0])];
        let response = result_of(&script, 20_000, LIMIT).await.expect("an answer");
        assert!(response.body == bomb && response.truncated, "{} bytes of {encoding}", response.body.len());
    }
}

#[tokio::test]
async fn a_compressed_transfer_encoding_is_not_decoded() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n";
    let chunk = [b"18\r\n", BOMB, b"\r\n3e8\r\n", &[0; 1000], b"\r\n0\r\n\r\n"].concat();
    let response = result_of(&[send(head), send(&chunk)], 20_000, 2000).await.expect("an answer");
    assert_eq!(response.body, [BOMB, &[0; 1000]].concat());
}

#[tokio::test]
async fn an_endless_stream_ends_at_the_deadline() {
    for (case, head, drops, answered) in [
        ("100 Continue", b"".as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n".as_slice(), false),
        ("102 Processing", b"", b"HTTP/1.1 102 Processing\r\n\r\n", false),
        ("103 Early Hints", b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n", false),
        ("one byte a chunk", CHUNKED, b"1\r\na\r\n", true),
        ("a body until close", UNTIL_CLOSE, b"a", true),
    ] {
        let started = Instant::now();
        let outcome = result_of(&[send(head), flood(drops)], 250, usize::MAX).await;
        let elapsed = started.elapsed();
        let late = OutboundError::TimedOut(250);
        let expected = if answered { Ok((200, Some(late))) } else { Err(late) };
        assert_eq!(outcome.map(|response| (response.status, response.cut_short)), expected, "{case}");
        assert!(elapsed < LATE, "{case}: {elapsed:?}");
    }
}

#[tokio::test]
async fn message_framing_has_its_own_limits() {
    for (case, before, drops, answered) in [
        ("headers without end", b"HTTP/1.1 200 OK\r\n".as_slice(), b"a: b\r\n".as_slice(), false),
        ("a header without end", b"HTTP/1.1 200 OK\r\na: ", b"b", false),
        ("a reason without end", b"HTTP/1.1 200 ", b"O", false),
        ("a chunk's length without end", CHUNKED, b"1", true),
        ("a chunk's extension without end", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", b"a", true),
        ("trailers without end", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n", true),
    ] {
        let error = match result_of(&[send(before), flood(drops)], 20_000, 1000).await {
            Ok(response) if answered => response.cut_short.expect(case),
            outcome => outcome.expect_err(case),
        };
        let OutboundError::Other(words) = &error else { panic!("{case}: {error:?}") };
        assert!(!words.is_empty() && words.len() < 200, "{case}: {words}");
    }
}

#[tokio::test]
async fn the_response_after_many_early_hints_is_returned() {
    let hints = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
    let response = result_of(&[send(&hints), answer("200 OK", "", b"ok")], 20_000, 1000).await.expect("an answer");
    assert_eq!((response.status, response.body.as_ref()), (200, b"ok".as_slice()));
}

#[tokio::test]
async fn a_response_without_a_body_has_none_whatever_its_headers_say() {
    for status in ["304 Not Modified", "204 No Content"] {
        for (headers, body) in [
            ("", ""),
            ("content-length: 10737418240\r\n", ""),
            ("content-length: 6\r\n", "forged"),
            ("transfer-encoding: chunked\r\n", "6\r\nforged\r\n0\r\n\r\n"),
            ("location: /elsewhere\r\netag: \"a\"\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"),
        ] {
            let script = vec![send(format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}").as_bytes())];
            let mut server = Server::start(script).await;
            let client = client_of(&server);
            for _ in 0..2 {
                let response = client.send(get(server.url("/"))).await.expect("an answer");
                assert!(status.starts_with(&response.status.to_string()), "{response:?}");
                assert!(response.body.is_empty() && !response.truncated, "{response:?}");
            }
            assert_eq!(server.requests().len(), 2);
            let connections = server.connections().await;
            assert_eq!(connections, if body.is_empty() { 1 } else { 2 }, "{headers} {body}");
        }
    }
}

#[tokio::test]
async fn a_redirect_loop_ends_with_its_first_response() {
    let mut inside = Server::start(vec![answer("200 OK", "", b"secret")]).await;
    let mut other = Server::start(vec![answer("200 OK", "", b"")]).await;
    let canary = inside.url("/").to_string();
    let elsewhere = other.url("/").to_string();
    let by_name = format!("http://localhost:{}/", inside.address.port());
    for headers in [
        "location: /\r\n".to_owned(),
        "location: \r\n".to_owned(),
        "location: ?again\r\n".to_owned(),
        format!("location: {elsewhere}\r\n"),
        format!("location: {canary}\r\n"),
        format!("location: {by_name}\r\n"),
        format!("location: //user@{}/\r\n", inside.address),
        format!("location: /\r\nlocation: {canary}\r\n"),
        format!("refresh: 0; url={canary}\r\ncontent-location: {canary}\r\nlocation: {elsewhere}\r\n"),
        format!("alt-svc: h2=\"{}\"\r\nlocation: {elsewhere}\r\n", inside.address),
        "location: file:///etc/passwd\r\n".to_owned(),
    ] {
        for status in [300, 301, 302, 303, 305, 307, 308] {
            let mut server = Server::start(vec![answer(&format!("{status} x"), &headers, b"")]).await;
            // Both addresses are permitted, so that only the client's own rule prevents the redirect.
            let allow = AllowList::parse(&format!("{},{}", server.address, other.address), None).expect("a list");
            let client = GuardedClient::new(allow, None).expect("a client");
            for _ in 0..2 {
                let response = client.send(get(server.url("/"))).await.expect("an answer");
                assert_eq!(response.status, status, "{headers}");
            }
            assert_eq!(server.requests().len(), 2, "{headers}");
            assert_eq!(server.connections().await, 1, "{headers}");
        }
    }
    assert_eq!(other.connections().await, 0);
    assert_eq!(inside.connections().await, 0);
}

#[tokio::test]
async fn a_receiver_that_breaks_the_connection_while_we_send_is_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let socket = listener.local_addr().expect("an address").to_string();
    let client = GuardedClient::new(AllowList::parse(&socket, None).expect("a list"), None).expect("a client");
    let url = Url::parse(&format!("http://{socket}/")).expect("a URL");
    let request = OutboundRequest { body: vec![b'a'; 32 << 20].into(), ..get(url) };
    let break_off = async {
        let (stream, _peer) = listener.accept().await.expect("a client");
        stream.readable().await.expect("the beginning of a request");
        stream.set_zero_linger().expect("a socket");
    };
    let (outcome, ()) = tokio::join!(client.send(request), break_off);
    assert_eq!(outcome.expect_err("no answer"), OutboundError::Reset);
}

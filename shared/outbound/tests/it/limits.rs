//! Slow, endless, oversized and broken responses: each ends in time with its own result.

use std::time::{Duration, Instant};

use reelhook_app::outbound::{HttpSender, OutboundError, OutboundRequest, OutboundResponse};
use reelhook_outbound::{AllowList, GuardedClient};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};
use url::Url;

use crate::server::{Server, Step, answer, client_of, get};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// Much longer than the deadlines, but short enough that no test hangs.
const LATE: Duration = Duration::from_secs(5);

fn send(bytes: &[u8]) -> Step {
    Step::Send(bytes.to_vec())
}

fn drip(bytes: &[u8], every_ms: u64, times: usize) -> Step {
    Step::Drip(bytes.to_vec(), Duration::from_millis(every_ms), times)
}

async fn result_of(
    script: &[Step],
    deadline_ms: u64,
    response_limit: usize,
) -> Result<OutboundResponse, OutboundError> {
    let server = Server::start(script.to_vec()).await;
    let request = OutboundRequest {
        deadline: Duration::from_millis(deadline_ms),
        response_limit,
        ..get(server.url("/secret-path?token=secret"))
    };
    let result = client_of(&server).send(request).await;
    if let Err(error) = &result {
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
    result
}

/// The received body, and why it is incomplete.
fn body_of(result: Result<OutboundResponse, OutboundError>) -> Result<(Vec<u8>, Option<OutboundError>), OutboundError> {
    result.map(|response| {
        assert_eq!((response.status, response.truncated), (200, false));
        (response.body.to_vec(), response.cut_short)
    })
}

#[tokio::test]
async fn a_slow_head_times_out() {
    for (case, script) in [
        ("silence", vec![Step::Stall]),
        ("half a head", vec![send(HEAD), Step::Stall]),
        ("a head in drips", vec![drip(b"H", 20, 1000)]),
        ("headers without end", vec![send(HEAD), drip(b"a: b\r\n", 20, 1000)]),
        ("hints without end", vec![drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", 20, 1000)]),
    ] {
        let started = Instant::now();
        let refused = result_of(&script, 150, 1000).await.expect_err(case);
        let elapsed = started.elapsed();
        assert_eq!(refused, OutboundError::TimedOut(150), "{case}");
        assert!(Duration::from_millis(150) <= elapsed && elapsed < LATE, "{case}: {elapsed:?}");
    }
}

#[tokio::test]
async fn a_slow_body_ends_at_the_deadline_and_keeps_the_status() {
    for (case, script, came) in [
        ("no body", vec![send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"), Step::Stall], ""),
        ("half a body", vec![send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na"), Step::Stall], "a"),
        ("a body until close", vec![send(UNTIL_CLOSE), send(b"ok"), Step::Stall], "ok"),
        ("no last chunk", vec![send(CHUNKED), send(b"2\r\nok\r\n"), Step::Stall], "ok"),
        ("half a chunk", vec![send(CHUNKED), send(b"2\r\no"), Step::Stall], "o"),
    ] {
        let started = Instant::now();
        let result = body_of(result_of(&script, 500, 1000).await);
        let elapsed = started.elapsed();
        assert_eq!(result, Ok((came.into(), Some(OutboundError::TimedOut(500)))), "{case}");
        assert!(Duration::from_millis(500) <= elapsed && elapsed < LATE, "{case}: {elapsed:?}");
    }
    // Any number of chunks may have arrived.
    let dripping = [send(CHUNKED), drip(b"1\r\na\r\n", 20, 1000)];
    let (body, why) = body_of(result_of(&dripping, 500, 1000).await).expect("an answer");
    assert!(body.iter().all(|byte| *byte == b'a') && body.len() < 1000, "{body:?}");
    assert_eq!(why, Some(OutboundError::TimedOut(500)));
}

#[tokio::test]
async fn the_deadline_covers_the_whole_exchange() {
    let script = [drip(CHUNKED, 120, 1), drip(b"1\r\na\r\n", 120, 4), send(b"0\r\n\r\n")];
    let response = result_of(&script, 400, 1000).await.expect("an answer whose body takes 480 ms more");
    assert_eq!(response.cut_short, Some(OutboundError::TimedOut(400)));
    assert!(response.body.len() < 4, "{response:?}");

    let response = result_of(&script, 20_000, 1000).await.expect("an answer");
    assert_eq!((response.body.as_ref(), response.cut_short), (b"aaaa".as_slice(), None));
    assert!(response.first_byte >= Duration::from_millis(120), "{:?}", response.first_byte);
    assert!(response.total >= Duration::from_millis(600), "{:?}", response.total);
}

#[tokio::test]
async fn a_receiver_that_never_reads_times_out() {
    // The kernel completes the handshake, but nothing reads the request.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let socket = listener.local_addr().expect("an address").to_string();
    let allow = AllowList::parse(&socket, None).expect("a list");
    let client = GuardedClient::new(allow, None).expect("a client");
    for (scheme, body) in [("http", 0), ("http", 32 << 20), ("https", 0)] {
        let url = Url::parse(&format!("{scheme}://{socket}/")).expect("a URL");
        let request =
            OutboundRequest { body: vec![b'a'; body].into(), deadline: Duration::from_millis(100), ..get(url) };
        let refused = client.send(request).await.expect_err(scheme);
        assert_eq!(refused, OutboundError::TimedOut(100));
    }
}

#[tokio::test]
async fn the_limit_is_exact_however_the_body_is_framed() {
    const BODY: &[u8] = b"0123456789";
    let sized = vec![answer("200 OK", "", BODY)];
    let chunked = vec![send(CHUNKED), send(b"4\r\n0123\r\n"), send(b"6\r\n456789\r\n0\r\n\r\n")];
    let until_close = vec![send(UNTIL_CLOSE), send(BODY), Step::Close];
    for script in [sized, chunked, until_close] {
        for (limit, kept, truncated) in [
            (0, 0, true),
            (1, 1, true),
            (3, 3, true),
            (4, 4, true),
            (5, 5, true),
            (9, 9, true),
            (10, 10, false),
            (11, 10, false),
            (usize::MAX, 10, false),
        ] {
            let response = result_of(&script, 20_000, limit).await.expect("an answer");
            assert_eq!(response.body, BODY[..kept], "limit {limit} of {script:?}");
            assert_eq!(response.truncated, truncated, "limit {limit} of {script:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_body_is_whole_at_limit_zero() {
    let response = result_of(&[answer("200 OK", "", b"")], 20_000, 0).await.expect("an answer");
    assert!(response.body.is_empty() && !response.truncated);
}

#[tokio::test]
async fn a_longer_body_is_truncated_at_the_limit() {
    let piece = vec![b'a'; 64 * 1024];
    let chunk = [b"10000\r\n", piece.as_slice(), b"\r\n"].concat();
    for (case, script) in [
        ("an endless body", vec![send(UNTIL_CLOSE), Step::Flood(piece.clone())]),
        ("endless chunks", vec![send(CHUNKED), Step::Flood(chunk)]),
        (
            "a body of the maximum length",
            vec![send(b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551000\r\n\r\n"), Step::Flood(piece.clone())],
        ),
        (
            "a body that stalls past the limit",
            vec![send(b"HTTP/1.1 200 OK\r\ncontent-length: 18000000\r\n\r\n"), send(&piece), send(b"a"), Step::Stall],
        ),
    ] {
        let response = result_of(&script, 20_000, piece.len()).await.expect(case);
        assert_eq!(response.body, piece, "{case}");
        assert!(response.truncated, "{case}");
    }
}

#[tokio::test]
async fn a_connection_with_unread_data_is_not_reused() {
    let script = vec![send(CHUNKED), drip(b"1\r\na\r\n", 5, 1000)];
    let mut server = Server::start(script).await;
    let client = client_of(&server);
    for _ in 0..2 {
        let request = OutboundRequest { response_limit: 3, ..get(server.url("/")) };
        let response = client.send(request).await.expect("an answer");
        assert_eq!((response.body.as_ref(), response.truncated), (b"aaa".as_slice(), true));
    }
    assert_eq!(server.connections().await, 2);
}

#[tokio::test]
async fn a_connection_that_timed_out_is_not_reused() {
    let mut server = Server::start(vec![Step::Stall]).await;
    let client = client_of(&server);
    for _ in 0..2 {
        let request = OutboundRequest { deadline: Duration::from_millis(100), ..get(server.url("/")) };
        let refused = client.send(request).await.expect_err("silence");
        assert_eq!(refused, OutboundError::TimedOut(100));
    }
    assert_eq!(server.connections().await, 2);
}

#[tokio::test]
async fn an_incomplete_head_is_a_reset() {
    for (case, before) in [("no head", vec![]), ("half a head", vec![send(HEAD)])] {
        for end in [Step::Close, Step::Reset] {
            let script = [before.clone(), vec![end]].concat();
            let refused = result_of(&script, 20_000, 1000).await.expect_err(case);
            assert_eq!(refused, OutboundError::Reset, "{case}, {script:?}");
        }
    }
}

#[tokio::test]
async fn an_incomplete_body_keeps_the_status() {
    for (case, before, came) in [
        ("no body", vec![send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")], ""),
        ("half a body", vec![send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na")], "a"),
        ("a body shorter than announced", vec![send(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nok")], "ok"),
        ("no chunk", vec![send(CHUNKED)], ""),
        ("half a chunk", vec![send(&[CHUNKED, b"2\r\na"].concat())], "a"),
        ("no last chunk", vec![send(&[CHUNKED, b"2\r\nok\r\n"].concat())], "ok"),
    ] {
        for end in [Step::Close, Step::Reset] {
            let script = [before.clone(), vec![end]].concat();
            let result = body_of(result_of(&script, 20_000, 1000).await);
            assert_eq!(result, Ok((came.into(), Some(OutboundError::Reset))), "{case}, {script:?}");
        }
    }
    let script = [send(UNTIL_CLOSE), send(b"ok"), drip(b"ok", 20, 1), Step::Reset];
    let (body, why) = body_of(result_of(&script, 20_000, 1000).await).expect("an answer");
    assert!(b"okok".starts_with(&body), "{body:?}");
    assert_eq!(why, Some(OutboundError::Reset), "a body until a reset");
    for garbage in [&b"xyz\r\n"[..], b"2\r\nokno\r\n0\r\n\r\n", b"fffffffffffffffff\r\nok"] {
        let script = [send(&[CHUNKED, garbage].concat()), Step::Stall];
        let response = result_of(&script, 20_000, 1000).await.expect("an answer");
        let why = response.cut_short.expect("an invalid chunk");
        assert!(matches!(why, OutboundError::Other(_)), "{why:?}");
        assert_eq!(response.status, 200);
    }
}

#[tokio::test]
async fn a_caller_can_require_the_whole_body() {
    let cut = [send(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok"), Step::Close];
    let response = result_of(&cut, 20_000, 1000).await.expect("an answer");
    assert_eq!(response.whole().expect_err("a part"), OutboundError::Reset);
    let response = result_of(&[answer("200 OK", "", b"ok")], 20_000, 1000).await.expect("an answer");
    assert_eq!(response.whole().expect("all of it").body.as_ref(), b"ok");
}

#[tokio::test]
async fn invalid_http_is_an_error_with_the_message_of_the_parser() {
    let oversized = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(1 << 20));
    let numerous = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1000));
    for (case, bytes) in [
        ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        ("a status of words", "HTTP/1.1 fine\r\n\r\n"),
        ("a status of two digits", "HTTP/1.1 20\r\n\r\n"),
        ("a version in lower case", "http/1.1 200 OK\r\n\r\n"),
        ("HTTP/2", "HTTP/2 200\r\n\r\n"),
        ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ("a length of words", "HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nab"),
        ("an oversized head", &oversized),
        ("too many headers", &numerous),
    ] {
        let script = [send(bytes.as_bytes()), Step::Stall];
        let refused = result_of(&script, 20_000, 1000).await.expect_err(case);
        let OutboundError::Other(words) = &refused else { panic!("{case}: {refused:?}") };
        assert!(!words.is_empty() && words.len() < 200, "{case}: {words}");
    }
}

#[tokio::test]
async fn a_port_without_a_listener_refuses() {
    // The port is bound, so that no other test gets it, but nothing listens.
    let bound = TcpSocket::new_v4().expect("a socket");
    bound.bind("127.0.0.1:0".parse().expect("a socket address")).expect("a port");
    let socket = bound.local_addr().expect("an address").to_string();
    let allow = AllowList::parse(&socket, None).expect("a list");
    let client = GuardedClient::new(allow, None).expect("a client");
    for scheme in ["http", "https"] {
        let url = Url::parse(&format!("{scheme}://{socket}/")).expect("a URL");
        let refused = client.send(get(url)).await.expect_err(scheme);
        assert_eq!(refused, OutboundError::Refused);
    }
}

#[tokio::test]
async fn a_receiver_that_does_not_speak_tls_fails_the_handshake() {
    // Use plain sockets: `Server` would wait for a request that never arrives.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let socket = listener.local_addr().expect("an address").to_string();
    let allow = AllowList::parse(&socket, None).expect("a list");
    let client = GuardedClient::new(allow, None).expect("a client");
    let url = Url::parse(&format!("https://{socket}/")).expect("a URL");

    let plain_text = async {
        let (mut stream, _peer) = listener.accept().await.expect("a client");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("a client");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = client.send(get(url.clone())) => {
            let refused = result.expect_err("plain text");
            assert!(matches!(refused, OutboundError::Tls(_)), "{refused:?}");
        }
        () = plain_text => unreachable!("it waits for the client"),
    }

    let hang_up = async { drop(listener.accept().await.expect("a client")) };
    let (result, ()) = tokio::join!(client.send(get(url)), hang_up);
    assert_eq!(result.expect_err("nothing"), OutboundError::Reset);
}

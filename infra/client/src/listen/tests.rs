//! Webhooks over a real connection: output and responses.

use std::io::Read as _;
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use sha2::Sha256;
use tokio::runtime::Runtime;

use super::*;

mod outputs;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI=";
const BODY: &str = r#"{"event":"job.completed","data":{"job_id":"job_1","size":1.0}}"#;
/// How long a test's sender waits for a response.
const DEADLINE: Duration = Duration::from_secs(20);

/// The output of a receiver.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Listening {
    port: u16,
    printed: Printed,
    _runtime: Runtime,
}

/// What a test changes about a receiver.
struct Settings {
    answer: u16,
    fail: u64,
    slow_ms: u64,
    form: Form,
    forward: Option<Forward>,
}

impl Default for Settings {
    fn default() -> Self {
        let form = Form::Text { colours: Colours::PLAIN, raw: false };
        Self { answer: 200, fail: 0, slow_ms: 0, form, forward: None }
    }
}

impl Listening {
    fn with(verifier: Verifier) -> Self {
        Self::new(verifier, REQUEST_TIMEOUT, |_| {})
    }

    fn new(verifier: Verifier, request_timeout: Duration, set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        set(&mut settings);
        let Settings { answer, fail, slow_ms, form, forward } = settings;
        let printed = Printed::default();
        let receiver = Arc::new(Receiver {
            answers: AnswerOptions { answer, fail, slow_ms },
            form,
            verifier,
            forward,
            request_timeout,
            closed: Notify::new(),
            state: Mutex::new(State::new(fail, Box::new(printed.clone()))),
        });
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(receiver.accept(listener));
        Self { port, printed, _runtime: runtime }
    }

    /// The whole response to these bytes.
    fn response(&self, sent: &[u8]) -> String {
        read(self.send(sent))
    }

    /// The whole response to a sender that sends no more than these bytes.
    fn last_response(&self, sent: &[u8]) -> String {
        let stream = self.send(sent);
        stream.shutdown(Shutdown::Write).unwrap();
        read(stream)
    }

    fn send(&self, sent: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(sent).unwrap();
        stream
    }

    fn status(&self, sent: &[u8]) -> u16 {
        self.response(sent)[9..12].parse().unwrap()
    }

    /// Sends a webhook, which the receiver prints before it responds.
    fn post(&self, headers: &[(&str, String)], body: &str) -> u16 {
        let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
        self.status(format!("{head}{body}").as_bytes())
    }

    /// Waits for a text: a malformed head is printed after its response.
    fn until_printed(&self, text: &str) {
        let end = Instant::now() + DEADLINE;
        while !self.printed().contains(text) {
            assert!(Instant::now() < end, "{text}: {}", self.printed());
            std::thread::yield_now();
        }
    }

    fn printed(&self) -> String {
        String::from_utf8(self.printed.0.lock().unwrap().clone()).unwrap()
    }
}

fn read(mut stream: TcpStream) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn verifier(secrets: &[&str], public_keys: &[&str]) -> Verifier {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    Verifier::new(&texts(secrets), &texts(public_keys), None).unwrap()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn mac(key: &[u8], content: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(content).finalize().into_bytes().to_vec()
}

fn headers(id: &str, timestamp: u64, tokens: &str) -> Vec<(&'static str, String)> {
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", tokens.to_owned()),
    ]
}

fn signed(secret: &str, id: &str, body: &str) -> Vec<(&'static str, String)> {
    signed_at(now(), secret, id, body)
}

fn signed_at(timestamp: u64, secret: &str, id: &str, body: &str) -> Vec<(&'static str, String)> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let token = STANDARD.encode(mac(&key, format!("{id}.{timestamp}.{body}").as_bytes()));
    headers(id, timestamp, &format!("v1,{token}"))
}

fn key_pair(seed: u8) -> (Ed25519KeyPair, String) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = format!("whpk_{}", STANDARD.encode(pair.public_key().as_ref()));
    (pair, public)
}

fn signed_with_key(pair: &Ed25519KeyPair, id: &str) -> Vec<(&'static str, String)> {
    let timestamp = now();
    let signature = pair.sign(format!("{id}.{timestamp}.{BODY}").as_bytes());
    headers(id, timestamp, &format!("v1a,{}", STANDARD.encode(signature.as_ref())))
}

/// The value of a line in a block.
fn line<'a>(printed: &'a str, name: &str) -> Option<&'a str> {
    printed.lines().find_map(|line| line.strip_prefix("  ")?.strip_prefix(name)).map(str::trim)
}

#[test]
fn a_signed_webhook_is_shown_with_the_matching_secrets() {
    let listening = Listening::with(verifier(&[OTHER, SECRET], &[]));
    let mut headers = signed(SECRET, "wh_1", BODY);
    headers.extend([
        ("X-StreamGank-Event", "job.completed".to_owned()),
        ("X-StreamGank-Signature", format!("sha256={}", hex::encode(mac(SECRET.as_bytes(), BODY.as_bytes())))),
        ("webhook-sequence", "7".to_owned()),
        ("webhook-replay", "true".to_owned()),
    ]);
    assert_eq!(listening.post(&headers, BODY), 200);
    let printed = listening.printed();
    let first = printed.lines().next().unwrap();
    assert!(first.ends_with("Z  job.completed  answered 200"), "{first}");
    assert_eq!(line(&printed, "webhook-id"), Some("wh_1"));
    assert_eq!(line(&printed, "marks"), Some("sequence 7, replay"));
    assert_eq!(line(&printed, "verified"), Some("v1 by secret 2"));
    assert_eq!(line(&printed, "streamgank"), Some("by secret 2"));
    assert!(line(&printed, "signed").unwrap().ends_with(" s ago"), "{printed}");
    assert!(printed.ends_with("      \"job_id\": \"job_1\",\n      \"size\": 1.0\n    }\n  }\n\n"), "{printed}");
}

#[test]
fn the_event_of_each_format_is_shown() {
    let listening = Listening::with(verifier(&[], &[]));
    let by_vidbuilder = [("x-webhook-event", "completed".to_owned())];
    listening.post(&by_vidbuilder, r#"{"jobId":"1","type":"product-video"}"#);
    listening.post(&[], r#"{"type":"job.failed","timestamp":"2024-01-01T12:00:00.000Z","data":{}}"#);
    let printed = listening.printed();
    for event in ["Z  completed  answered 200\n", "Z  job.failed  answered 200\n"] {
        assert!(printed.contains(event), "{event}: {printed}");
    }
}

#[test]
fn repeated_webhooks_are_numbered() {
    let listening = Listening::with(verifier(&[SECRET], &[]));
    for id in ["wh_1", "wh_2", "wh_1", "wh_1"] {
        listening.post(&signed(SECRET, id, BODY), BODY);
    }
    let printed = listening.printed();
    let ids: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("  webhook-id    ")).collect();
    assert_eq!(ids, ["wh_1", "wh_2", "wh_1   repeat 2", "wh_1   repeat 3"]);
}

#[test]
fn long_ids_are_not_remembered() {
    let listening = Listening::with(verifier(&[], &[]));
    for (id, repeats) in [("x".repeat(MAX_REMEMBERED_ID_BYTES + 1), 0), ("x".repeat(MAX_REMEMBERED_ID_BYTES), 1)] {
        for _ in 0..2 {
            listening.post(&[("webhook-id", id.clone())], BODY);
        }
        assert_eq!(listening.printed().matches("   repeat 2\n").count(), repeats);
    }
}

#[test]
fn an_unverified_webhook_is_shown_with_the_reason_and_gets_the_usual_response() {
    let good = signed(SECRET, "wh_1", BODY);
    let mut unsigned = good.clone();
    unsigned.pop();
    let cases = [
        (signed(OTHER, "wh_1", BODY), "the signature does not match; its versions are v1"),
        (headers("wh_1", now(), "v1a,AAAA v1,AAAA"), "the signature does not match; its versions are v1a, v1"),
        (unsigned, "a header of the signature is missing: webhook-signature"),
        (headers("wh.1", now(), "v1,AAAA"), "the id or the timestamp is malformed"),
        (signed_at(now() - 400, SECRET, "wh_1", BODY), "the webhook is too old"),
        (signed_at(now() + 400, SECRET, "wh_1", BODY), "the webhook is from the future"),
    ];
    for (headers, reason) in cases {
        let listening = Listening::new(verifier(&[SECRET], &[]), REQUEST_TIMEOUT, |settings| settings.answer = 204);
        assert_eq!(listening.post(&headers, BODY), 204);
        let printed = listening.printed();
        assert_eq!(line(&printed, "NOT VERIFIED"), Some(reason), "{printed}");
        assert_eq!(line(&printed, "verified"), None);
    }
    let listening = Listening::with(verifier(&[SECRET], &[]));
    let mut headers = good;
    headers.push(("x-streamgank-signature", "sha256=00".to_owned()));
    listening.post(&headers, BODY);
    let printed = listening.printed();
    assert_eq!(line(&printed, "streamgank"), Some("x-streamgank-signature matches no secret"));
    assert_eq!(line(&printed, "verified"), Some("v1 by secret 1"));
}

#[test]
fn without_keys_nothing_is_verified() {
    let listening = Listening::with(verifier(&["", " "], &[]));
    listening.post(&signed(SECRET, "wh_1", BODY), BODY);
    assert_eq!(line(&listening.printed(), "not verified"), Some("no secret or public key was given"));
}

#[test]
fn a_public_key_verifies_v1a_and_both_kinds_are_named() {
    let (pair, public) = key_pair(1);
    let mut headers = signed_with_key(&pair, "wh_1");
    let listening = Listening::with(verifier(&[SECRET], &[&key_pair(2).1, &public]));
    listening.post(&headers, BODY);
    assert_eq!(line(&listening.printed(), "verified"), Some("v1a by key 2"));
    let timestamp: u64 = headers[1].1.parse().unwrap();
    let tokens = format!("{} {}", signed_at(timestamp, SECRET, "wh_1", BODY)[2].1, headers[2].1);
    headers[2].1 = tokens;
    let listening = Listening::with(verifier(&[SECRET], &[&public]));
    listening.post(&headers, BODY);
    assert_eq!(line(&listening.printed(), "verified"), Some("v1 by secret 1, v1a by key 1"));
}

#[test]
fn published_keys_are_read_again_once_a_minute_at_most() {
    let ((old, old_public), (new, new_public), (foreign, _)) = (key_pair(1), key_pair(2), key_pair(3));
    let reads = Arc::new(Mutex::new(0));
    let count = Arc::clone(&reads);
    let published = PublishedKeys::new(move || {
        *count.lock().unwrap() += 1;
        let first = *count.lock().unwrap() == 1;
        let (kid, key) = if first { ("sec_1", &old_public) } else { ("sec_2", &new_public) };
        verifier::published_keys(&json!({"keys": [{"kid": kid, "endpointId": "ep_1", "whpk": key}]}))
    });
    let verifier = Verifier::new(&[], &[], Some(published.unwrap())).unwrap();
    assert_eq!(verifier.counts(), (0, 1));
    let listening = Listening::with(verifier);
    for (pair, expected) in
        [(&old, Some("v1a by sec_1 of ep_1")), (&new, Some("v1a by sec_2 of ep_1")), (&foreign, None), (&foreign, None)]
    {
        let before = listening.printed().len();
        listening.post(&signed_with_key(pair, "wh_1"), BODY);
        assert_eq!(line(&listening.printed()[before..], "verified"), expected);
    }
    assert_eq!(*reads.lock().unwrap(), 2);
}

#[test]
fn invalid_keys_are_named_by_their_number_and_not_repeated() {
    let error = |secrets: &[&str], public_keys: &[&str]| {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        format!("{:#}", Verifier::new(&texts(secrets), &texts(public_keys), None).err().unwrap())
    };
    assert_eq!(error(&[SECRET, "whsk_AAAA"], &[]), "secret 2 is invalid");
    assert_eq!(error(&[], &["whpk_AAAA"]), "public key 1 must be `whpk_` and base64 of 32 bytes");
    assert!(verifier::published_keys(&json!({"keys": [{"kid": "sec_1", "whpk": "x"}]})).is_err());
    assert!(verifier::published_keys(&json!([])).is_err());
}

#[test]
fn the_first_webhooks_fail_as_requested() {
    let listening = Listening::new(verifier(&[], &[]), REQUEST_TIMEOUT, |settings| {
        (settings.fail, settings.answer, settings.slow_ms) = (2, 503, 30);
    });
    let began = Instant::now();
    assert_eq!([(); 4].map(|()| listening.post(&[], BODY)), [500, 500, 503, 503]);
    assert!(began.elapsed() >= Duration::from_millis(120));
}

#[test]
fn large_and_malformed_requests_are_rejected_and_the_next_one_is_accepted() {
    let listening = Listening::with(verifier(&[], &[]));
    let large = vec![b'x'; request::BODY_LIMIT + 1];
    let mut sent = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", large.len()).into_bytes();
    sent.extend(large);
    assert_eq!(listening.status(&sent), 413);
    let head = format!("POST / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(request::HEAD_LIMIT));
    assert_eq!(listening.status(head.as_bytes()), 431);
    assert_eq!(listening.status(b"POST\x1b[31m\r\n\r\n"), 400);
    assert!(listening.response(b"DELETE / HTTP/1.1\r\n\r\n").contains("\r\nAllow: POST\r\n"));
    for line in [
        "rejected with 413: the body must not exceed 1 MiB",
        "rejected with 431: the headers must not exceed 32 KiB",
        "rejected with 400: not HTTP/1.1: ",
        "rejected with 405: DELETE /: webhooks are sent by POST",
    ] {
        listening.until_printed(line);
    }
    assert!(
        listening.response(b"GET / HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nreelhook listen: POST webhooks to this URL\n")
    );
    assert_eq!(listening.post(&[], "{}"), 200);
}

#[test]
fn each_kind_of_malformed_request_has_its_status() {
    let listening = Listening::with(verifier(&[], &[]));
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n{body}");
    let chunked = |body: &str| post("Transfer-Encoding: chunked", body);
    let most = "x".repeat(request::BODY_LIMIT);
    let cases = [
        // The sender has gone.
        ("", String::new()),
        ("", "\r\n\r\n".to_owned()),
        ("", "POST / HTTP/1.1\r\nContent-Length: 3".to_owned()),
        ("200", post("Content-Length: 3", "{ }rest")),
        ("200", "\r\nPOST / HTTP/1.0\r\n\r\n".to_owned()),
        ("200", chunked("1;x=y\r\n{\r\n0000A\r\n\r\n23456789\r\n0\r\nTrailer: x\r\n\r\n")),
        ("200", chunked(&format!("100000\r\n{most}\r\n0\r\n\r\n"))),
        ("405", "GET /x HTTP/1.1\r\n\r\n".to_owned()),
        ("405", "PUT / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n".to_owned()),
        ("400", "POST / HTTP/2.0\r\n\r\n".to_owned()),
        ("400", "\u{16}\u{3}\u{1}\n\n".to_owned()),
        ("400", post("no colon", "")),
        ("400", post("Content-Length: 3", "{}")),
        ("400", post("Content-Length: +3", "{ }")),
        ("400", post("Content-Length:", "{ }")),
        ("400", post("Content-Length: 2\r\nContent-Length: 3", "{ }")),
        ("400", post("Content-Length: 99999999999999999999999", "")),
        ("400", post("Transfer-Encoding: gzip", "")),
        ("400", chunked("ffffffffffffffffff\r\n")),
        ("400", chunked("\r\n\r\n")),
        ("400", chunked("-1\r\n")),
        ("400", chunked("2\r\n{}xx0\r\n\r\n")),
        ("400", chunked("0\r\n")),
        ("400", chunked("")),
        ("413", post(&format!("Content-Length: {}", request::BODY_LIMIT + 1), "")),
        ("413", post(&format!("Expect: 100-continue\r\nContent-Length: {}", request::BODY_LIMIT + 1), "")),
        ("413", chunked(&format!("100000\r\n{most}\r\n1\r\nx\r\n0\r\n\r\n"))),
        ("431", post(&format!("x: {}", "x".repeat(request::HEAD_LIMIT)), "")),
        ("431", format!("POST /{} HTTP/1.1\r\n\r\n", "x".repeat(request::HEAD_LIMIT))),
        ("431", post(&["x: y"; 101].join("\r\n"), "")),
    ];
    for (expected, sent) in cases {
        let response = listening.last_response(sent.as_bytes());
        let status = response.split(' ').nth(1).unwrap_or_default();
        assert_eq!(status, expected, "{:?}: {response}", sent.chars().take(100).collect::<String>());
    }
}

#[test]
fn a_sender_that_is_too_slow_is_rejected() {
    let listening = Listening::new(verifier(&[], &[]), Duration::from_millis(50), |_| {});
    assert_eq!(listening.status(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{"), 408);
    assert!(listening.printed().contains("rejected with 408"));
    assert_eq!(listening.response(b"POST / HTTP/1.1\r\nContent-"), "");
    listening.until_printed("closed the connection: the headers were not complete in time");
}

#[test]
fn chunks_are_joined_before_verification() {
    let listening = Listening::with(verifier(&[SECRET], &[]));
    let fields: String =
        signed(SECRET, "wh_1", BODY).iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (one, two) = BODY.split_at(10);
    let chunks = format!("a\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", two.len());
    let head = format!("POST /hook?x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n{fields}\r\n");
    let response = listening.response(format!("{head}{chunks}").as_bytes());
    assert!(response.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{response}");
    let printed = listening.printed();
    assert_eq!(line(&printed, "verified"), Some("v1 by secret 1"));
    assert!(printed.contains("job.completed  /hook?x  answered 200\n"), "{printed}");
}

#[test]
fn long_bodies_are_truncated_and_raw_ones_stay_unformatted() {
    let listening = Listening::new(verifier(&[], &[]), REQUEST_TIMEOUT, |settings| {
        settings.form = Form::Text { colours: Colours::PLAIN, raw: true };
    });
    let text = format!("{}é{}", "x".repeat(4095), "y".repeat(1000));
    listening.post(&[], &text);
    let printed = listening.printed();
    assert!(printed.ends_with(&format!("\n{}\n[truncated: 1002 bytes more]\n\n", "x".repeat(4095))), "{printed}");
    listening.post(&[], "{\"a\" :1}");
    assert!(listening.printed().ends_with("\n{\"a\" :1}\n\n"));
    listening.post(&[], "");
    assert!(listening.printed().ends_with("\n(no body)\n\n"));
}

#[test]
fn untrusted_text_cannot_control_the_terminal() {
    let listening = Listening::with(verifier(&[SECRET], &[]));
    let tricks = "\u{1b}[2J\u{9b}31m\u{7}\r\u{202e}";
    // Headers contain only the control characters that httparse accepts.
    let mut headers = headers("\u{9b}31m\u{202e}", now(), "\u{9b}1m,AAAA");
    headers.push(("x-streamgank-event", "job.\u{9b}31m".to_owned()));
    assert_eq!(listening.post(&headers, tricks), 200);
    assert_eq!(listening.post(&[], &json!({"event": tricks, "data": tricks}).to_string()), 200);
    let printed = listening.printed();
    assert!(printed.contains("job.\\u{9b}31m") && printed.contains("\\u{1b}[2J"), "{printed}");
    assert!(printed.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{printed:?}");
}

//! Tests that need their own resolver, address rule or root certificates: changing names, all spellings of hosts, TLS.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::thread::{self, JoinHandle};

use super::*;

mod address_table;
mod canary;
mod spellings;
mod tls;

/// Represents a public address; the only address that the tests' rule permits.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// A deadline for requests that are refused before anything is dialled. If a defect lets them be dialled, the test ends
/// soon.
const SHORT_DEADLINE: Duration = Duration::from_secs(1);

type Answer = io::Result<Vec<IpAddr>>;

/// Returns each answer once, in order, and panics at the next lookup.
struct Answers(Mutex<VecDeque<Answer>>);

#[async_trait]
impl Lookup for Answers {
    async fn lookup(&self, _name: &str) -> Answer {
        let next = self.0.lock().expect("no panic").pop_front();
        next.expect("one lookup per connection")
    }
}

/// A resolver that never answers.
struct UnresponsiveResolver;

#[async_trait]
impl Lookup for UnresponsiveResolver {
    async fn lookup(&self, _name: &str) -> Answer {
        std::future::pending().await
    }
}

fn is_stand_in(ip: IpAddr) -> bool {
    ip == PUBLIC
}

fn client_with_answers(answers: Vec<Answer>, rule: AddressRule, roots: RootCertStore) -> GuardedClient {
    let dependencies = Dependencies { lookup: Arc::new(Answers(Mutex::new(answers.into()))), rule, roots };
    GuardedClient::with_dependencies(dependencies, AllowList::default(), None).expect("a client")
}

fn request(url: &str) -> OutboundRequest {
    OutboundRequest {
        method: Method::Get,
        url: Url::parse(url).expect("a URL"),
        headers: Vec::new(),
        body: Bytes::new(),
        deadline: Duration::from_secs(20),
        response_limit: 1000,
    }
}

/// Two listeners on one port: one on the private address, which must not be reached, and one on the public address.
fn private_and_public() -> (TcpListener, TcpListener, u16) {
    for _ in 0..100 {
        let private = TcpListener::bind((PRIVATE, 0)).expect("a port");
        private.set_nonblocking(true).expect("a socket");
        let port = private.local_addr().expect("an address").port();
        if let Ok(public) = TcpListener::bind((PUBLIC, port)) {
            return (private, public, port);
        }
    }
    panic!("no port is free on both addresses");
}

/// The kernel completes a connection before the client learns of it, so no connection can still be pending.
fn assert_never_dialled(listener: &TcpListener) {
    let error = listener.accept().expect_err("no connection");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

/// Answers this number of connections, each with one request.
fn answering(listener: TcpListener, connections: usize, answer: &'static [u8]) -> JoinHandle<io::Result<()>> {
    thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _peer) = listener.accept()?;
            converse(stream, answer)?;
        }
        Ok(())
    })
}

fn converse(mut stream: impl Read + Write, answer: &[u8]) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    stream.write_all(answer)?;
    stream.flush()
}

#[tokio::test]
async fn a_name_that_turns_private_is_not_dialled() {
    let (private, public, port) = private_and_public();
    let server = answering(public, 2, ANSWER);
    let answers = vec![Ok(vec![PUBLIC]), Ok(vec![PRIVATE]), Ok(vec![METADATA]), Ok(vec![PUBLIC])];
    let client = client_with_answers(answers, is_stand_in, RootCertStore::empty());
    let url = format!("http://rebinding.test:{port}/");

    let host = "rebinding.test".to_owned();
    let refused = Err(OutboundError::Forbidden { host });
    let reached = Ok(Some(SocketAddr::new(PUBLIC, port)));
    for expected in [reached.clone(), refused.clone(), refused, reached] {
        let outcome = client.send(request(&url)).await;
        assert_eq!(outcome.map(|response| response.peer), expected);
    }
    assert_never_dialled(&private);
    server.join().expect("no panic").expect("two connections");
}

#[tokio::test]
async fn only_the_public_addresses_of_a_mixed_answer_are_dialled() {
    let (private, public, port) = private_and_public();
    let server = answering(public, 3, ANSWER);
    let answers =
        vec![Ok(vec![PRIVATE, PUBLIC]), Ok(vec![PUBLIC, PRIVATE]), Ok(vec![METADATA, PRIVATE, PUBLIC, PRIVATE])];
    let client = client_with_answers(answers, is_stand_in, RootCertStore::empty());
    for _ in 0..3 {
        let sent = client.send(request(&format!("http://mixed.test:{port}/"))).await;
        assert_eq!(sent.expect("an answer").peer, Some(SocketAddr::new(PUBLIC, port)));
    }
    assert_never_dialled(&private);
    server.join().expect("no panic").expect("three connections");
}

#[tokio::test]
async fn a_refused_public_address_is_not_replaced_by_a_private_one() {
    let (private, public, port) = private_and_public();
    drop(public);
    let answers = vec![Ok(vec![PUBLIC, PRIVATE]), Ok(vec![PRIVATE, PUBLIC])];
    let client = client_with_answers(answers, is_stand_in, RootCertStore::empty());
    for _ in 0..2 {
        let refused = client.send(request(&format!("http://mixed.test:{port}/"))).await;
        assert_eq!(refused.expect_err("no listener"), OutboundError::Refused);
    }
    assert_never_dialled(&private);
}

#[tokio::test]
async fn a_broken_connection_does_not_cause_another_lookup() {
    let (private, public, port) = private_and_public();
    let hang_up = thread::spawn(move || public.accept().map(drop));
    // The second answer would be used by another lookup.
    let answers = vec![Ok(vec![PUBLIC]), Ok(vec![PRIVATE])];
    let client = client_with_answers(answers, is_stand_in, RootCertStore::empty());
    let url = format!("http://rebinding.test:{port}/");
    let broken = client.send(request(&url)).await;
    assert_eq!(broken.expect_err("no answer"), OutboundError::Reset);
    hang_up.join().expect("no panic").expect("one connection");

    let host = "rebinding.test".to_owned();
    let refused = client.send(request(&url)).await;
    assert_eq!(refused.expect_err("the second answer"), OutboundError::Forbidden { host });
    assert_never_dialled(&private);
}

#[tokio::test]
async fn a_redirect_to_a_name_that_turned_private_is_not_followed() {
    let (private, public, port) = private_and_public();
    let server = answering(public, 1, b"HTTP/1.1 307 Moved\r\nconnection: close\r\nlocation: /\r\n\r\n");
    let answers = vec![Ok(vec![PUBLIC]), Ok(vec![PRIVATE])];
    let client = client_with_answers(answers, |_any| true, RootCertStore::empty());
    let sent = client.send(request(&format!("http://rebinding.test:{port}/"))).await;
    assert_eq!(sent.expect("an answer").status, 307);
    assert_never_dialled(&private);
    server.join().expect("no panic").expect("one connection");
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    for address in ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:8.8.8.8", "fd00::1"] {
        for host in ["localhost", "localhost.", "receiver.test", "receiver.test.", "a_b", "xn--bcher-kva.test"] {
            let found = vec![Ok(vec![address.parse().expect("an address"), PRIVATE])];
            let client = client_with_answers(found, addresses::is_public, RootCertStore::empty());
            let refused = client.send(request(&format!("http://{host}/path?secret"))).await;
            let host = host.to_owned();
            assert_eq!(refused.expect_err(address), OutboundError::Forbidden { host });
        }
    }
}

#[tokio::test]
async fn a_lookup_without_an_answer_is_a_name_that_does_not_exist() {
    let too_many_files = io::Error::from_raw_os_error(24);
    let words = too_many_files.to_string();
    let host = "gone.test".to_owned();
    for (answer, expected) in [
        (Ok(Vec::new()), OutboundError::NotFound { host: host.clone() }),
        (Err(io::Error::other("no such name")), OutboundError::NotFound { host }),
        (Err(too_many_files), OutboundError::Other(words)),
    ] {
        let client = client_with_answers(vec![answer], addresses::is_public, RootCertStore::empty());
        let refused = client.send(request("https://gone.test/path?secret")).await;
        assert_eq!(refused.expect_err("no address"), expected);
    }
}

#[tokio::test]
async fn a_lookup_that_hangs_ends_at_the_deadline() {
    let dependencies = Dependencies {
        lookup: Arc::new(UnresponsiveResolver),
        rule: addresses::is_public,
        roots: RootCertStore::empty(),
    };
    let client = GuardedClient::with_dependencies(dependencies, AllowList::default(), None).expect("a client");
    let deadline = Duration::from_millis(100);
    let refused = client.send(OutboundRequest { deadline, ..request("http://silent.test/") }).await;
    assert_eq!(refused.expect_err("silence"), OutboundError::TimedOut(100));
}

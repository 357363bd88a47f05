//! TLS: trusted receivers, untrusted certificates and receivers that close early.

use std::net::TcpStream;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// Made for these tests: `openssl ca -selfsign` with keys from `openssl genpkey -algorithm EC -pkeyopt
/// ec_paramgen_curve:P-256`, `/CN=receiver.test`, `basicConstraints=critical,CA:FALSE` and, except for the nameless
/// one, `subjectAltName=DNS:receiver.test`; valid from 2000 to 2100 unless the file name indicates otherwise.
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/it/fixtures/", $name))
    };
}
const RECEIVER: &[u8] = fixture!("receiver.crt.der");
const KEY: &[u8] = fixture!("receiver.key.der");
/// Valid from 2000 to 2001.
const EXPIRED: &[u8] = fixture!("expired.crt.der");
/// Valid from 2099 to 2100.
const EARLY: &[u8] = fixture!("early.crt.der");
/// Has the name only in its subject.
const NAMELESS: &[u8] = fixture!("nameless.crt.der");
/// Has `extendedKeyUsage=clientAuth`.
const CLIENT: &[u8] = fixture!("client.crt.der");
/// Has the same names, but is self-signed with another key.
const STRANGER: &[u8] = fixture!("stranger.crt.der");
const STRANGERS_KEY: &[u8] = fixture!("stranger.key.der");

type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// Accepts one TLS connection; the key need not match the certificate.
fn speaking_tls<T: Send + 'static>(
    listener: TcpListener,
    certificate: &'static [u8],
    key: &'static [u8],
    conversation: impl FnOnce(TlsStream) -> io::Result<T> + Send + 'static,
) -> JoinHandle<io::Result<T>> {
    let key = any_supported_type(&PrivatePkcs8KeyDer::from(key).into()).expect("a key");
    let certified = CertifiedKey::new(vec![CertificateDer::from(certificate)], key);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    thread::spawn(move || {
        let (stream, _peer) = listener.accept()?;
        let connection = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        conversation(StreamOwned::new(connection, stream))
    })
}

fn mozillas_roots() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

fn roots_with(certificate: &'static [u8]) -> RootCertStore {
    let mut roots = mozillas_roots();
    roots.add(CertificateDer::from(certificate)).expect("the tests' certificate");
    roots
}

#[tokio::test]
async fn a_trusted_receiver_is_called_by_tls() {
    let (private, public, port) = private_and_public();
    let server = speaking_tls(public, RECEIVER, KEY, |mut stream| {
        converse(&mut stream, ANSWER)?;
        Ok(stream.conn.alpn_protocol().map(<[u8]>::to_vec))
    });
    let client = client_with_answers(vec![Ok(vec![PRIVATE, PUBLIC])], is_stand_in, roots_with(RECEIVER));
    let response = client.send(request(&format!("https://receiver.test:{port}/"))).await;
    let response = response.expect("an answer");
    assert_eq!((response.status, response.body.as_ref()), (200, b"ok".as_slice()));
    assert_eq!(response.peer, Some(SocketAddr::new(PUBLIC, port)));
    let protocol = server.join().expect("no panic").expect("one connection");
    assert_eq!(protocol.as_deref(), Some(b"http/1.1".as_slice()));
    assert_never_dialled(&private);
}

#[tokio::test]
async fn an_untrusted_certificate_fails_the_handshake() {
    for (case, host, certificate, key, roots, words) in [
        ("another name", "other.test", RECEIVER, KEY, roots_with(RECEIVER), "not valid for name"),
        ("a name below", "a.receiver.test", RECEIVER, KEY, roots_with(RECEIVER), "not valid for name"),
        ("an address", "127.0.0.2", RECEIVER, KEY, roots_with(RECEIVER), "not valid for name"),
        ("no name", "receiver.test", NAMELESS, KEY, roots_with(RECEIVER), "not valid for any names"),
        ("expired", "receiver.test", EXPIRED, KEY, roots_with(RECEIVER), "certificate expired"),
        ("too early", "receiver.test", EARLY, KEY, roots_with(RECEIVER), "not valid yet"),
        (
            "a client's certificate",
            "receiver.test",
            CLIENT,
            KEY,
            roots_with(RECEIVER),
            "does not allow extended key usage",
        ),
        ("signed by itself", "receiver.test", RECEIVER, KEY, mozillas_roots(), "UnknownIssuer"),
        ("signed in another's name", "receiver.test", STRANGER, STRANGERS_KEY, roots_with(RECEIVER), "BadSignature"),
        ("without its key", "receiver.test", RECEIVER, STRANGERS_KEY, roots_with(RECEIVER), "BadSignature"),
    ] {
        let (_private, public, port) = private_and_public();
        let server = speaking_tls(public, certificate, key, |mut stream| converse(&mut stream, ANSWER));
        let client = client_with_answers(vec![Ok(vec![PUBLIC])], is_stand_in, roots);
        let refused = client.send(request(&format!("https://{host}:{port}/secret"))).await;
        let refused = refused.expect_err(case);
        let OutboundError::Tls(message) = &refused else { panic!("{case}: {refused:?}") };
        assert!(message.contains(words), "{case}: {message}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert!(server.join().expect("no panic").is_err(), "{case}: no request may arrive");
    }
}

/// What a receiver does after the handshake, and the result.
#[tokio::test]
async fn a_receiver_that_closes_early_gives_no_response_or_an_incomplete_one() {
    const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok";
    const CUT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok";
    let broken = Some(OutboundError::Reset);
    for (case, answer, farewell, expected) in [
        ("a body until close", UNTIL_CLOSE, true, Ok(None)),
        ("a body until close without farewell", UNTIL_CLOSE, false, Ok(broken.clone())),
        ("an incomplete body", CUT, true, Ok(broken.clone())),
        ("an incomplete body without farewell", CUT, false, Ok(broken)),
        ("no answer", b"".as_slice(), true, Err(OutboundError::Reset)),
        ("no answer and no farewell", b"".as_slice(), false, Err(OutboundError::Reset)),
    ] {
        let (_private, public, port) = private_and_public();
        let server = speaking_tls(public, RECEIVER, KEY, move |mut stream| {
            converse(&mut stream, answer)?;
            if farewell {
                stream.conn.send_close_notify();
                stream.flush()?;
            }
            Ok(())
        });
        let client = client_with_answers(vec![Ok(vec![PUBLIC])], is_stand_in, roots_with(RECEIVER));
        let outcome = client.send(request(&format!("https://receiver.test:{port}/"))).await;
        let found = outcome.map(|response| {
            assert_eq!((response.status, response.body.as_ref()), (200, b"ok".as_slice()), "{case}");
            response.cut_short
        });
        assert_eq!(found, expected, "{case}");
        server.join().expect("no panic").expect("one request");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_tls_after_the_request_is_no_failed_handshake() {
    let (_private, public, port) = private_and_public();
    let server = speaking_tls(public, RECEIVER, KEY, |mut stream| {
        converse(&mut stream, b"")?;
        stream.sock.write_all(b"this is no record of TLS")?;
        // Reading ends when the client closes the connection.
        Ok(stream.sock.read_to_end(&mut Vec::new()).unwrap_or(0))
    });
    let client = client_with_answers(vec![Ok(vec![PUBLIC])], is_stand_in, roots_with(RECEIVER));
    let broken = client.send(request(&format!("https://receiver.test:{port}/"))).await;
    assert_eq!(broken.expect_err("no record"), OutboundError::Reset, "the request was sent");
    // Wait on another thread, because this thread's runtime closes the connection.
    let left = tokio::task::spawn_blocking(|| server.join()).await.expect("no panic");
    left.expect("no panic").expect("one request");
}

#[tokio::test]
async fn a_receiver_that_is_silent_after_the_handshake_times_out() {
    let (_private, public, port) = private_and_public();
    let server = speaking_tls(public, RECEIVER, KEY, |mut stream| {
        converse(&mut stream, b"")?;
        // Reading ends when the client closes the connection.
        Ok(stream.read(&mut [0]).unwrap_or(0))
    });
    let client = client_with_answers(vec![Ok(vec![PUBLIC])], is_stand_in, roots_with(RECEIVER));
    let deadline = Duration::from_secs(2);
    let silent = request(&format!("https://receiver.test:{port}/"));
    let refused = client.send(OutboundRequest { deadline, ..silent }).await;
    assert_eq!(refused.expect_err("silence"), OutboundError::TimedOut(2000));
    // Wait on another thread, because this thread's runtime closes the connection.
    let left = tokio::task::spawn_blocking(|| server.join()).await.expect("no panic");
    assert_eq!(left.expect("no panic").expect("one request"), 0);
}

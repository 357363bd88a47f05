//! Redirects that are followed on request: each step is checked like the first URL.

use std::time::{Duration, Instant};

use reelhook_app::outbound::OutboundError;
use reelhook_app::outbound::redirects::{End, Fetch, Fetched, Stop, fetch};
use reelhook_outbound::{AllowList, GuardedClient};
use url::Url;

use crate::server::{Server, Step, answer, client_of};

fn request_for(url: Url) -> Fetch {
    Fetch { url, accept: "*/*", deadline: Duration::from_secs(20), response_limit: 1000 }
}

/// A client that may call both receivers.
fn client_of_both(one: &Server, other: &Server) -> GuardedClient {
    let allow = AllowList::parse(&format!("{},{}", one.address, other.address), None).expect("a list");
    GuardedClient::new(allow, None).expect("a client")
}

async fn moved_to(location: &str) -> Server {
    Server::start(vec![answer("302 Found", &format!("location: {location}\r\n"), b"")]).await
}

fn body_of(fetched: &Fetched) -> &[u8] {
    let End::Response(response) = &fetched.end else { panic!("{fetched:?}") };
    assert_eq!(response.status, 200, "{fetched:?}");
    &response.body
}

#[tokio::test]
async fn a_redirect_to_a_permitted_address_is_followed() {
    let target = Server::start(vec![answer("200 OK", "", b"here")]).await;
    for location in [
        target.url("/image?size=1").to_string(),
        format!("//{}/image?size=1", target.address),
        target.url("/image?size=1#part").to_string(),
    ] {
        let origin = moved_to(&location).await;
        let client = client_of_both(&origin, &target);
        let fetched = fetch(&client, request_for(origin.url("/first"))).await;
        assert_eq!(body_of(&fetched), b"here");
        assert_eq!((fetched.redirects, fetched.url.path()), (1, "/image"));
        assert_eq!(origin.requests().len(), 1);
    }
    for request in target.requests() {
        let head = String::from_utf8(request).expect("text");
        assert!(head.starts_with("GET /image?size=1 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\naccept-encoding: identity\r\n") && !head.contains("referer"), "{head}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_address_is_refused() {
    let mut inside = Server::start(vec![answer("200 OK", "", b"secret")]).await;
    let port = inside.address.port();
    for (location, host) in [
        (inside.url("/secret").to_string(), "127.0.0.1"),
        (format!("http://localhost:{port}/secret"), "localhost"),
        (format!("//2130706433:{port}/secret"), "127.0.0.1"),
        (format!("http://[::ffff:127.0.0.1]:{port}/secret"), "[::ffff:7f00:1]"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "169.254.169.254"),
        ("https://10.0.0.1/".to_owned(), "10.0.0.1"),
    ] {
        let origin = moved_to(&location).await;
        let fetched = fetch(&client_of(&origin), request_for(origin.url("/first"))).await;
        let End::NoResponse(error) = &fetched.end else { panic!("{location}: {fetched:?}") };
        assert_eq!(*error, OutboundError::Forbidden { host: host.to_owned() }, "{location}");
        assert_eq!(fetched.redirects, 1, "{location}");
    }
    let origin = moved_to(&format!("http://user:secret@{}/", inside.address)).await;
    let fetched = fetch(&client_of_both(&origin, &inside), request_for(origin.url("/"))).await;
    assert!(matches!(&fetched.end, End::NoResponse(OutboundError::BadRequest(_))), "{fetched:?}");
    assert_eq!(inside.connections().await, 0);
}

#[tokio::test]
async fn a_redirect_to_no_web_address_is_returned() {
    for location in
        ["", " ", "file:///etc/passwd", "ftp://127.0.0.1/", "data:image/png;base64,AA", "javascript:alert(1)"]
    {
        let origin = moved_to(location).await;
        let fetched = fetch(&client_of(&origin), request_for(origin.url("/"))).await;
        let End::Response(response) = &fetched.end else { panic!("{location}: {fetched:?}") };
        assert_eq!((response.status, fetched.redirects), (302, 0), "{location}");
    }
    // Only these statuses are redirects.
    for status in
        ["200 OK", "201 Created", "300 Multiple Choices", "304 Not Modified", "305 Use Proxy", "404 Not Found"]
    {
        let origin = Server::start(vec![answer(status, "location: /elsewhere\r\n", b"")]).await;
        let fetched = fetch(&client_of(&origin), request_for(origin.url("/"))).await;
        assert!(matches!(&fetched.end, End::Response(_)), "{status}: {fetched:?}");
        assert_eq!(origin.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_loop_ends_after_four_redirects() {
    for location in ["/", "/?again", "#part"] {
        let origin = moved_to(location).await;
        let fetched = fetch(&client_of(&origin), request_for(origin.url("/"))).await;
        assert!(matches!(&fetched.end, End::Stopped(Stop::TooMany, _)), "{location}: {fetched:?}");
        assert_eq!((origin.requests().len(), fetched.redirects), (5, 4), "{location}");
    }
}

#[tokio::test]
async fn all_steps_share_one_deadline() {
    let slow = vec![
        Step::Drip(b"HTTP/1.1 302 Found\r\n".to_vec(), Duration::from_millis(150), 1),
        Step::Send(b"location: /again\r\ncontent-length: 0\r\n\r\n".to_vec()),
    ];
    let origin = Server::start(slow).await;
    let deadline = Duration::from_millis(400);
    let began = Instant::now();
    let fetched = fetch(&client_of(&origin), Fetch { deadline, ..request_for(origin.url("/")) }).await;
    assert!(matches!(&fetched.end, End::NoResponse(OutboundError::TimedOut(400))), "{fetched:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

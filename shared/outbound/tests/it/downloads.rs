//! Downloads go to the disk, within the same rules and limits as other exchanges.

use std::path::PathBuf;
use std::time::Duration;

use reelhook_app::outbound::download::{Downloader, fetch_to};
use reelhook_app::outbound::redirects::{End, Fetch};
use reelhook_app::outbound::{OutboundError, OutboundRequest, OutboundResponse};
use reelhook_outbound::{AllowList, GuardedClient};

use crate::server::{Server, Step, answer, client_of, get};

/// A file of this test, removed when it is dropped.
struct Target(PathBuf);

impl Target {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("reelhook download {name} {}", std::process::id())))
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.0).expect("a file")
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

async fn download(script: Vec<Step>, limit: usize, to: &Target) -> Result<OutboundResponse, OutboundError> {
    let server = Server::start(script).await;
    let request = OutboundRequest { response_limit: limit, ..get(server.url("/video.mp4")) };
    client_of(&server).download(request, &to.0).await
}

#[tokio::test]
async fn the_body_is_in_the_file_and_not_in_memory() {
    let to = Target::new("whole");
    std::fs::write(&to.0, "an older and longer file").expect("a file");
    let body = vec![7; 20_000];
    let response = download(vec![answer("200 OK", "content-type: video/mp4\r\n", &body)], 20_000, &to).await.unwrap();
    assert_eq!((response.status, response.truncated, response.body.len()), (200, false, 0));
    assert_eq!((response.header("content-type"), &response.cut_short), (Some("video/mp4"), &None));
    assert!(to.bytes() == body);
}

#[tokio::test]
async fn a_longer_body_is_cut_at_the_limit() {
    let to = Target::new("limit");
    let response = download(vec![answer("200 OK", "", &[7; 20_000])], 19_999, &to).await.unwrap();
    assert!(response.truncated);
    assert_eq!(to.bytes().len(), 19_999);
}

#[tokio::test]
async fn a_broken_body_says_that_it_is_incomplete() {
    let to = Target::new("broken");
    let script = vec![Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()), Step::Close];
    let response = download(script, 100, &to).await.unwrap();
    assert_eq!(response.cut_short, Some(OutboundError::Reset));
}

#[tokio::test]
async fn a_private_address_is_forbidden() {
    let to = Target::new("forbidden");
    let server = Server::start(vec![answer("200 OK", "", b"secret")]).await;
    let client = GuardedClient::new(AllowList::default(), None).expect("a client");
    let refused = client.download(get(server.url("/")), &to.0).await.unwrap_err();
    assert_eq!(refused, OutboundError::Forbidden { host: "127.0.0.1".to_owned() });
    assert!(to.bytes().is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_no_fault_of_the_server() {
    let server = Server::start(vec![answer("200 OK", "", b"a video")]).await;
    let refused = client_of(&server).download(get(server.url("/")), &std::env::temp_dir()).await.unwrap_err();
    assert!(matches!(&refused, OutboundError::Other(why) if why.contains("disk")), "{refused:?}");
}

#[tokio::test]
async fn the_file_has_the_body_behind_a_redirect() {
    let to = Target::new("redirect");
    let last = Server::start(vec![answer("200 OK", "", b"a video")]).await;
    let location = format!("location: {}\r\n", last.url("/video.mp4"));
    let first = Server::start(vec![answer("302 Found", &location, b"a much longer text about the redirect")]).await;
    let allowed = format!("{},{}", first.address, last.address);
    let client = GuardedClient::new(AllowList::parse(&allowed, None).expect("a list"), None).expect("a client");
    let request =
        Fetch { url: first.url("/"), accept: "video/*", deadline: Duration::from_secs(20), response_limit: 1024 };
    let fetched = fetch_to(&client, request, &to.0).await;
    assert!(matches!(&fetched.end, End::Response(response) if response.status == 200), "{fetched:?}");
    assert_eq!((fetched.redirects, to.bytes()), (1, b"a video".to_vec()));
}

//! `download`: continued, checked, named at the end, and without the key for other servers.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::{KEY, Place};
use crate::server::{Reply, Server};

const UUID: &str = "3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b";
const STATE: &str = "GET /api/job-status/3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b";
const LINK: &str = "GET /api/download/3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b";
const OBJECT: &str = "GET /videos/1.mp4?signature=s";
const FILM: &[u8] = b"0123456789abcdefghij";

/// An API that redirects to an object store.
fn api(store: &Server) -> Server {
    let state = json!({ "jobId": UUID, "status": "completed", "progress": 100,
        "videoUrl": format!("/api/download/{UUID}") });
    let found = Reply::bytes(302, b"").with("Location", format!("{}/videos/1.mp4?signature=s", store.url));
    Server::scripted(vec![(STATE, vec![Reply::json(200, &state)]), (LINK, vec![found])])
}

fn whole(etag: &str) -> Reply {
    Reply::bytes(200, FILM).with("ETag", etag)
}

fn rest(start: usize) -> Reply {
    let range = format!("bytes {start}-{}/{}", FILM.len() - 1, FILM.len());
    Reply::bytes(206, &FILM[start..]).with("Content-Range", range)
}

fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_download_that_broke_off_continues_where_it_was() {
    let store = Server::scripted(vec![(OBJECT, vec![whole("\"v1\"").cut(8), rest(8).cut(4), rest(12)])]);
    let (api, place) = (api(&store), Place::new());
    let ended = place.run(&api.url, &["download", UUID, "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let expected = json!({ "id": UUID, "kind": "video", "file": format!("./{UUID}.mp4"), "bytes": FILM.len() });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&ended.out).unwrap(), expected);
    assert_eq!(fs::read(place.path().join(format!("{UUID}.mp4"))).unwrap(), FILM);
    assert_eq!(names(&place), [format!("{UUID}.mp4")]);
    let requests = store.requests();
    let ranges: Vec<&str> = requests.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, ["", "bytes=8-", "bytes=12-"]);
    let tags: Vec<&str> = requests.iter().map(|request| request.header("if-match")).collect();
    assert_eq!(tags, ["", "\"v1\"", "\"v1\""]);
    assert!(requests.iter().all(|request| request.header("authorization").is_empty()), "the store gets no key");
    assert!(api.requests().iter().all(|request| request.header("authorization") == format!("Bearer {KEY}")));
}

#[test]
fn a_later_run_continues_what_an_earlier_one_left() {
    let broken = Reply::json(403, &json!({ "message": "Expired" }));
    let store = Server::scripted(vec![(OBJECT, vec![whole("\"v1\"").cut(8), broken, rest(8)])]);
    let (api, place) = (api(&store), Place::new());
    let first = place.run(&api.url, &["download", UUID, "--to", "film.mp4"]);
    assert_eq!(first.code, 3, "{first:?}");
    assert_eq!(names(&place), ["film.mp4.part", "film.mp4.part.etag"]);
    let second = place.run(&api.url, &["download", UUID, "--to", "film.mp4"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert_eq!(fs::read(place.path().join("film.mp4")).unwrap(), FILM);
    assert_eq!(names(&place), ["film.mp4"]);
}

#[test]
fn a_file_that_has_changed_is_downloaded_anew() {
    let changed = Reply::bytes(412, b"");
    let store = Server::scripted(vec![(OBJECT, vec![whole("\"v1\"").cut(8), changed, whole("\"v2\"")])]);
    let (api, place) = (api(&store), Place::new());
    let ended = place.run(&api.url, &["download", UUID, "--to", "film.mp4"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("the file has changed since its first part came"), "{}", ended.err);
    assert_eq!(fs::read(place.path().join("film.mp4")).unwrap(), FILM);
}

#[test]
fn a_page_is_no_video() {
    let page = Reply::bytes(200, b"<html>Sign in</html>").with("Content-Type", "text/HTML; charset=utf-8");
    let store = Server::scripted(vec![(OBJECT, vec![page])]);
    let (api, place) = (api(&store), Place::new());
    let ended = place.run(&api.url, &["download", UUID, "--to", "film.mp4"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(
        ended.err.ends_with("error: 127.0.0.1 answered with an HTML page and not with the file\n"),
        "{}",
        ended.err
    );
    assert!(names(&place).is_empty(), "{:?}", names(&place));
}

#[test]
fn a_download_waits_as_its_server_says() {
    let busy = Reply::json(429, &json!({ "message": "Slow down" })).with("Retry-After", "2");
    let store = Server::scripted(vec![(OBJECT, vec![busy, whole("\"v1\"")])]);
    let (api, place) = (api(&store), Place::new());
    let began = Instant::now();
    let ended = place.run(&api.url, &["download", UUID, "--to", "film.mp4"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(began.elapsed() >= Duration::from_secs(2), "{ended:?}");
    assert!(ended.err.contains("the download continues in 2.0 s"), "{}", ended.err);
}

#[test]
fn a_file_that_exists_is_kept_unless_it_is_to_be_replaced() {
    let store = Server::scripted(vec![(OBJECT, vec![whole("\"v1\"")])]);
    let (api, place) = (api(&store), Place::new());
    place.file("film.mp4", "mine");
    let kept = place.run(&api.url, &["download", UUID, "--to", "film.mp4"]);
    assert_eq!(kept.code, 2, "{kept:?}");
    assert_eq!(fs::read(place.path().join("film.mp4")).unwrap(), b"mine");
    let replaced = place.run(&api.url, &["download", UUID, "--to", "film.mp4", "--force"]);
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert_eq!(fs::read(place.path().join("film.mp4")).unwrap(), FILM);
}

#[test]
fn what_has_not_ended_or_failed_has_no_download() {
    for (state, code) in [
        (json!({ "status": "processing", "progress": 20 }), 6),
        (json!({ "status": "failed", "error": "scenes[1]: no image" }), 5),
        (json!({ "status": "completed", "videoUrl": null }), 5),
    ] {
        let server = Server::scripted(vec![(STATE, vec![Reply::json(200, &state)])]);
        let ended = Place::new().run(&server.url, &["download", UUID]);
        assert_eq!(ended.code, code, "{ended:?}");
    }
}

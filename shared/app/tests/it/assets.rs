//! Assets from the web: redirects, compressed and broken bodies, and errors that name only the server.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use reelhook_app::outbound::{Method, OutboundError};
use reelhook_app::videos::assets::{AssetLoader, AssetSource};
use reelhook_app::videos::draw_error::DrawError;
use reelhook_domain::videos::film::ImageRef;
use reelhook_domain::{JobId, WebUrl};
use reelhook_testkit::{Answer, MemoryObjectStore, ScriptedHttp, headers, response, with_header};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand more";

fn with_body(body: Vec<u8>) -> Answer {
    let mut found = response(200, "");
    found.body = body.into();
    Ok(found)
}

fn compressed(coding: &str, body: Vec<u8>) -> Answer {
    Ok(with_header(with_body(body)?, "Content-Encoding", coding))
}

fn moved(status: u16, location: &str) -> Answer {
    Ok(with_header(response(status, ""), "Location", location))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
    compressed.write_all(bytes).unwrap();
    compressed.finish().unwrap()
}

async fn load(http: &ScriptedHttp, url: &str) -> Result<Vec<u8>, DrawError> {
    let films = MemoryObjectStore::default();
    let job = JobId::parse("job_1_a").unwrap();
    let found = AssetLoader { images: &films, http }.asset(&job, &ImageRef::Url(WebUrl::parse(url).unwrap())).await;
    if let Ok(bytes) = &found {
        assert!(films.stored().values().any(|kept| kept == bytes), "the stored bytes are the loaded ones");
    }
    found
}

/// The result of these responses, in order, and the number of requests.
async fn after(answers: Vec<Answer>) -> (Result<Vec<u8>, String>, usize) {
    let http = ScriptedHttp::each(answers);
    let found = load(&http, "https://shop.example/secret/shoe.png?key=secret").await;
    let found = found.map_err(|error| match error {
        DrawError::Input(sentence) => format!("never: {sentence}"),
        DrawError::Renderer(sentence) => format!("later: {sentence}"),
        // The caller, which knows the film, adds the path.
        named @ (DrawError::Asset { .. } | DrawError::Store(_)) => named.to_string(),
    });
    if let Err(sentence) = &found {
        assert!(!sentence.contains("secret"), "{sentence}");
    }
    (found, http.requests().len())
}

#[tokio::test]
async fn an_image_request_has_plain_headers() {
    let http = ScriptedHttp::new(|_| with_body(PNG.to_vec()));
    assert_eq!(load(&http, "https://shop.example/shoe.png").await.unwrap(), PNG);
    let request = http.only_request();
    let sent = headers(&request);
    assert_eq!((request.method, request.body.len(), sent.len()), (Method::Get, 0, 2));
    assert_eq!(sent["accept"], "image/png, image/jpeg, image/webp, image/gif");
    assert_eq!(sent["accept-encoding"], "identity");
}

#[tokio::test]
async fn redirects_are_followed() {
    for (status, location, url) in [
        (301, "/b.png", "https://shop.example/b.png"),
        (302, "https://cdn.example/b.png?size=1", "https://cdn.example/b.png?size=1"),
        (303, "b.png", "https://shop.example/secret/b.png"),
        (307, "//cdn.example/b.png", "https://cdn.example/b.png"),
        (308, "https://shop.example/b.png#part", "https://shop.example/b.png#part"),
        (302, "?size=1", "https://shop.example/secret/shoe.png?size=1"),
        (302, "/Série à b.png", "https://shop.example/S%C3%A9rie%20%C3%A0%20b.png"),
    ] {
        let http = ScriptedHttp::each([moved(status, location), with_body(PNG.to_vec())]);
        let found = load(&http, "https://shop.example/secret/shoe.png?key=secret").await;
        assert_eq!(found.unwrap(), PNG, "{location}");
        let requests = http.requests();
        assert_eq!((requests.len(), requests[1].url.as_str()), (2, url), "{location}");
        assert!(requests[1].deadline < requests[0].deadline, "all steps share one deadline");
        assert!(!headers(&requests[1]).contains_key("authorization"));
    }
    let up = ScriptedHttp::each([moved(301, "https://shop.example/b.png"), with_body(PNG.to_vec())]);
    assert_eq!(load(&up, "http://shop.example/b.png").await.unwrap(), PNG, "from http to https");
    let four: Vec<Answer> =
        (0..4).map(|number| moved(302, &format!("/{number}"))).chain([with_body(PNG.to_vec())]).collect();
    assert_eq!(after(four).await, (Ok(PNG.to_vec()), 5));
}

#[tokio::test]
async fn the_error_of_a_broken_redirect_names_the_servers() {
    let check = async |answers: Vec<Answer>, sentence: &str, requests: usize| {
        assert_eq!(after(answers).await, (Err(sentence.to_owned()), requests));
    };
    check(vec![moved(302, "/secret")], "never: the image at shop.example redirects more than 4 times", 5).await;
    let down = vec![moved(301, "http://shop.example/secret")];
    check(down, "never: the image at shop.example redirects from https to http", 1).await;
    let gone = vec![moved(302, "https://cdn.example/secret"), Ok(response(404, ""))];
    check(gone, "never: the image at shop.example, redirected to cdn.example, answered 404", 2).await;
    let busy = vec![moved(302, "https://cdn.example/secret"), Ok(response(503, ""))];
    check(busy, "later: the image at shop.example, redirected to cdn.example, answered 503", 2).await;
    // A forbidden address has the same error as an unknown host.
    let forbidden = OutboundError::Forbidden { host: "169.254.169.254".to_owned() };
    let inside = vec![moved(302, "https://169.254.169.254/secret"), Err(forbidden)];
    let sentence = "never: the image at shop.example, redirected to 169.254.169.254, could not be fetched: ENOTFOUND";
    check(inside, sentence, 2).await;
    for location in ["file:///secret", "ftp://shop.example/secret", "", "javascript:secret()"] {
        check(vec![moved(302, location)], "never: the image at shop.example answered 302", 1).await;
    }
    check(vec![Ok(response(301, ""))], "never: the image at shop.example answered 301", 1).await;
}

#[tokio::test]
async fn a_compressed_image_is_decompressed_within_its_limit() {
    for coding in ["gzip", "x-gzip", "GZIP"] {
        assert_eq!(after(vec![compressed(coding, gzip(PNG))]).await, (Ok(PNG.to_vec()), 1), "{coding}");
    }
    assert_eq!(after(vec![compressed("identity", PNG.to_vec())]).await, (Ok(PNG.to_vec()), 1));
    let whole = [PNG, &vec![0_u8; 10 * 1024 * 1024 - PNG.len()]].concat();
    assert_eq!(after(vec![compressed("gzip", gzip(&whole))]).await.0.map(|bytes| bytes.len()), Ok(10 * 1024 * 1024));
    let bomb = gzip(&[PNG, &vec![0_u8; 64 << 20]].concat());
    let sentence =
        |why: &str| -> (Result<Vec<u8>, String>, usize) { (Err(format!("never: the image at shop.example {why}")), 1) };
    assert_eq!(after(vec![compressed("gzip", bomb)]).await, sentence("is larger than 10 MB"));
    let half = gzip(PNG)[..20].to_vec();
    let damaged = "can't be read: it is not valid `gzip` (`content-encoding`)";
    assert_eq!(after(vec![compressed("gzip", half)]).await, sentence(damaged));
    let unknown = "can't be read: its content coding is `br`; only gzip and deflate are supported (`content-encoding`)";
    assert_eq!(after(vec![compressed("br", PNG.to_vec())]).await, sentence(unknown));
}

#[tokio::test]
async fn a_truncated_image_is_fetched_again_by_the_next_attempt() {
    for (why, code) in [(OutboundError::Reset, "ECONNRESET"), (OutboundError::TimedOut(20_000), "ETIMEDOUT")] {
        let mut cut = with_body(PNG.to_vec()).unwrap();
        cut.cut_short = Some(why.clone());
        let sentence = format!("later: the image at shop.example could not be fetched: {code}");
        assert_eq!(after(vec![Ok(cut)]).await, (Err(sentence.clone()), 1));
        assert_eq!(after(vec![Err(why)]).await, (Err(sentence), 1));
    }
    let missing = (Err("never: the image at shop.example answered 404".to_owned()), 1);
    assert_eq!(after(vec![Ok(response(404, ""))]).await, missing);
}

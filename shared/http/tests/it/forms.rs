//! Video orders as forms: boundaries, file names, character sets, and the fields that browsers add.

use lambda_http::Body;
use reelhook_domain::videos::film::ImageRef;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::videos::problem::VideoProblem;
use serde_json::{Value, json};

use crate::support::{form, gzip, order, part, request};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const CONFIG: &str = "Content-Disposition: form-data; name=\"config\"";

/// A configuration whose scene shows the image with this name.
fn showing(image: &str) -> Value {
    json!({ "scenes": [{ "type": "hero-title", "content": { "title": "Comédie", "image": image } }] })
}

fn image(name: &str) -> Vec<u8> {
    part(&format!("Content-Disposition: form-data; name=\"images\"; {name}\r\nContent-Type: image/png"), PNG)
}

/// Whether the scene shows the first image of the form.
fn shows_it(request: &ApiRequest) -> bool {
    let order = order(request).expect("an order");
    order.film.scenes[0].content.images == [ImageRef::Key(order.uploads[0].0.key.clone())]
}

fn refused(request: &ApiRequest) -> (&'static str, String) {
    let (_, code, sentence) = order(request).expect_err("it was read").parts();
    (code, sentence)
}

#[test]
fn the_error_of_a_form_without_a_boundary_says_so() {
    for content_type in ["multipart/form-data", "multipart/form-data; charset=utf-8", "Multipart/Form-Data; boundary="]
    {
        let headers = [("content-type", content_type)];
        let body = Body::Binary(part(CONFIG, showing("a.png").to_string()));
        let (code, sentence) = refused(&request("POST", "/api/generate-video-async", &headers, body));
        assert_eq!(code, "bad_form");
        assert!(sentence.contains("the boundary is missing"), "{sentence}");
    }
}

#[test]
fn a_file_is_found_by_its_name_however_that_is_written() {
    for (meant, name) in [
        ("café.png", "filename=\"cafe\u{301}.png\""),
        ("cafe\u{301}.png", "filename=\"café.png\""),
        ("café.png", "filename=\"caf%C3%A9.png\""),
        ("caf%C3%A9.png", "filename=\"café.png\""),
        ("naïve.png", "filename*=UTF-8''na%C3%AFve.png"),
        ("naïve.png", "filename*=UTF-8''nai%CC%88ve.png"),
        ("naïve.png", "filename=\"naive.png\"; filename*=UTF-8''na%C3%AFve.png"),
        ("my \"logo\".png", "filename=\"my %22logo%22.png\""),
        ("my \"logo\".png", "filename=\"my \\\"logo\\\".png\""),
        ("logo.png", "filename=logo.png"),
    ] {
        let form = form(&[], &[part(CONFIG, showing(meant).to_string()), image(name)]);
        assert!(shows_it(&form), "{meant}: {name}");
    }
    let other_case = form(&[], &[part(CONFIG, showing("logo.png").to_string()), image("filename=\"Logo.png\"")]);
    let (code, sentence) = refused(&other_case);
    assert_eq!(code, "bad_field");
    assert!(sentence.contains("scenes[0].content.image"), "{sentence}");
}

#[test]
fn empty_file_inputs_are_ignored() {
    let empty =
        "Content-Disposition: form-data; name=\"images\"; filename=\"\"\r\nContent-Type: application/octet-stream";
    let unnamed = "Content-Disposition: form-data; name=\"images[]\"";
    let parts =
        [part(CONFIG, showing("a.png").to_string()), part(empty, ""), part(unnamed, ""), image("filename=a.png")];
    assert!(shows_it(&form(&[], &parts)));
    let named = "Content-Disposition: form-data; name=\"images\"; filename=\"a.png\"";
    let (code, sentence) = refused(&form(&[], &[part(CONFIG, showing("a.png").to_string()), part(named, "")]));
    assert_eq!(code, "bad_field");
    assert!(sentence.contains("images[0]"), "an empty file is not treated as a missing one: {sentence}");
}

#[test]
fn the_configuration_may_have_a_byte_order_mark_or_another_character_set() {
    let plain = json!({ "scenes": [{ "type": "stats" }], "title": "Comédie" }).to_string();
    let latin = plain.replace('é', "\u{1}").into_bytes().into_iter().map(|byte| if byte == 1 { 0xe9 } else { byte });
    let latin: Vec<u8> = latin.collect();
    let said = format!("{CONFIG}\r\nContent-Type: application/json; charset=iso-8859-1");
    let marked = [b"\xef\xbb\xbf".as_slice(), plain.as_bytes()].concat();
    let hidden = part("Content-Disposition: form-data; name=\"_charset_\"", "windows-1252");
    for parts in [
        vec![part(CONFIG, &plain)],
        vec![part(CONFIG, marked)],
        vec![part(&said, &latin)],
        vec![part(CONFIG, &latin), hidden],
    ] {
        let title = order(&form(&[], &parts)).map(|order| order.film.title);
        assert_eq!(title, Ok(Some("Comédie".to_owned())));
    }
    let problem = order(&form(&[], &[part(CONFIG, &latin)])).unwrap_err();
    assert!(matches!(&problem, Problem::Video(VideoProblem::BadConfig(why)) if why.contains("UTF-8")), "{problem:?}");
    let unknown = format!("{CONFIG}\r\nContent-Type: application/json; charset=klingon");
    assert_eq!(refused(&form(&[], &[part(&unknown, &plain)])).0, "unsupported_encoding");
    let hook = part("Content-Disposition: form-data; name=\"webhookUrl\"", b"https://client.example/caf\xe9");
    assert_eq!(refused(&form(&[], &[part(CONFIG, &plain), hook])).0, "bad_form");
}

#[test]
fn a_form_may_be_compressed() {
    let parts = [part(CONFIG, showing("a.png").to_string()), image("filename=a.png"), b"--part--\r\n".to_vec()];
    let headers = [("content-type", "multipart/form-data; boundary=part"), ("content-encoding", "gzip")];
    let body = Body::Binary(gzip(&parts.concat()));
    assert!(shows_it(&request("POST", "/api/generate-video-async", &headers, body)));
    let bomb = Body::Binary(gzip(&vec![b'-'; 5 * 1024 * 1024]));
    assert_eq!(refused(&request("POST", "/api/generate-video-async", &headers, bomb)).0, "form_too_large");
}

#[test]
fn a_form_of_very_many_parts_or_a_very_long_name_is_refused() {
    let many = vec![part("Content-Disposition: form-data; name=\"x\"", "y"); 201];
    assert_eq!(refused(&form(&[], &many)).0, "bad_form");
    let long = image(&format!("filename=\"{}.png\"", "x".repeat(2000)));
    assert_eq!(refused(&form(&[], &[part(CONFIG, showing("a.png").to_string()), long])).0, "bad_form");
}

//! JSON bodies with byte order marks, compressed, and in other character sets.

use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use serde_json::{Value, json};

use crate::support::{binary, gzip, text};

const BOM: &[u8] = b"\xef\xbb\xbf";

fn genre(request: &ApiRequest) -> Result<String, Problem> {
    request.json().map(|body| body["genre"].as_str().unwrap_or_default().to_owned())
}

/// The status and the code of the error.
fn refused(request: &ApiRequest) -> (u16, &'static str, String) {
    request.json().expect_err("it was read").parts()
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_body() {
    let body = "{\"genre\": \"Comédie\"}".as_bytes();
    for marked in [text(&[], &[BOM, body].concat()), binary(&[], &[BOM, body].concat()), text(&[], body)] {
        assert_eq!(genre(&marked).as_deref(), Ok("Comédie"));
    }
    let twice = refused(&text(&[], &[BOM, BOM, body].concat()));
    assert_eq!((twice.0, twice.1), (400, "bad_json"), "only one byte order mark is allowed");
    let packed = binary(&[("content-encoding", "gzip")], &gzip(&[BOM, body].concat()));
    assert_eq!(genre(&packed).as_deref(), Ok("Comédie"));
}

#[test]
fn utf_16_is_named() {
    let body = "{\"genre\": \"Comédie\"}";
    let little: Vec<u8> = [0xfeff].into_iter().chain(body.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = [0xfeff].into_iter().chain(body.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for bytes in [&little, &big] {
        let (status, code, sentence) = refused(&binary(&[], bytes));
        assert_eq!((status, code), (400, "bad_json"));
        assert!(sentence.contains("UTF-16"), "{sentence}");
        let (status, code, _) = refused(&text(&[], bytes));
        assert_eq!((status, code), (400, "bad_json"));
        let request = binary(&[("content-type", "application/json; charset=utf-16")], bytes);
        assert_eq!(refused(&request).0, 415);
    }
}

#[test]
fn compressed_bodies_are_read_if_complete_and_named_in_the_error_otherwise() {
    let body = "{\"genre\": \"Comédie\"}".as_bytes();
    let packed = gzip(body);
    let coding = [("content-encoding", "gzip")];
    assert_eq!(genre(&binary(&coding, &packed)).as_deref(), Ok("Comédie"));
    // A gateway that passes the body as text has damaged it.
    let (status, code, sentence) = refused(&text(&coding, &packed));
    assert_eq!((status, code), (415, "unsupported_encoding"));
    assert!(sentence.contains("application/octet-stream"), "{sentence}");
    // A gateway that decompresses the body leaves the header unchanged.
    assert_eq!(genre(&text(&coding, body)).as_deref(), Ok("Comédie"));
    assert_eq!(genre(&text(&[("content-encoding", "identity")], body)).as_deref(), Ok("Comédie"));
    for other in ["br", "zstd"] {
        let headers = [("content-encoding", other)];
        for request in [binary(&headers, &packed), text(&headers, body)] {
            let problem = request.json().unwrap_err();
            let answer = problem.streamgank("r-1");
            assert_eq!(answer.status, 415, "{other}");
            assert!(answer.headers.contains(&("accept-encoding", "gzip, deflate".to_owned())));
        }
    }
    let (status, code, _) = refused(&binary(&coding, body));
    assert_eq!((status, code), (400, "bad_encoding"));
}

#[test]
fn a_small_body_that_decompresses_too_large_is_refused() {
    let large = json!({ "genre": "x".repeat(1024 * 1024) }).to_string();
    let packed = gzip(large.as_bytes());
    assert!(packed.len() < 10_000, "{}", packed.len());
    let (status, code, _) = refused(&binary(&[("content-encoding", "gzip")], &packed));
    assert_eq!((status, code), (413, "body_too_large"));
    assert_eq!(refused(&text(&[], large.as_bytes())).0, 413);
}

#[test]
fn other_character_sets_are_read_if_complete_and_named_in_the_error_otherwise() {
    let latin = b"{\"genre\": \"Com\xe9die\"}";
    for charset in ["iso-8859-1", "ISO-8859-15", "windows-1252", "\"latin1\""] {
        let content_type = format!("application/json; charset={charset}");
        let headers = [("content-type", content_type.as_str())];
        assert_eq!(genre(&binary(&headers, latin)).as_deref(), Ok("Comédie"), "{charset}");
        let (status, code, sentence) = refused(&text(&headers, latin));
        assert_eq!((status, code), (415, "unsupported_encoding"), "{charset}");
        assert!(sentence.contains("UTF-8"), "{sentence}");
        assert_eq!(genre(&text(&headers, b"{\"genre\": \"Drama\"}")).as_deref(), Ok("Drama"), "{charset}");
    }
    let unknown = [("content-type", "application/json; charset=klingon")];
    assert_eq!(refused(&binary(&unknown, latin)).0, 415);
}

#[test]
fn what_is_not_utf_8_is_never_replaced() {
    let latin = b"{\"genre\": \"Com\xe9die\"}";
    for content_type in ["application/json", "application/json; charset=utf-8", "application/json; charset=us-ascii"] {
        let headers = [("content-type", content_type)];
        for request in [text(&headers, latin), binary(&headers, latin)] {
            let (status, code, sentence) = refused(&request);
            assert_eq!((status, code), (400, "bad_json"), "{content_type}");
            assert!(sentence.contains("UTF-8"), "{sentence}");
        }
    }
    // A client may send the replacement character itself.
    let meant = json!({ "genre": "\u{fffd}" });
    assert_eq!(text(&[], b"{\"genre\": \"\\ufffd\"}").json(), Ok(meant.clone()));
    assert_eq!(binary(&[], meant.to_string().as_bytes()).json(), Ok(meant.clone()));
    // A callback is not sent again, so it is accepted as it is.
    assert_eq!(text(&[], meant.to_string().as_bytes()).callback_json(), Ok(meant));
    assert!(binary(&[], latin).callback_json().is_err());
}

#[test]
fn a_body_that_may_be_left_out_may_be_nothing_in_any_coding() {
    assert_eq!(text(&[], b"").json_or_nothing(), Ok(Value::Null));
    assert_eq!(binary(&[("content-encoding", "gzip")], &gzip(b"{}")).json_or_nothing(), Ok(json!({})));
}

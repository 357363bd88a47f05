//! Standard Webhooks, compared with the published vector and the official library.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use reelhook_signing::VerifyError;
use reelhook_signing::standard::{is_secret, secret_of, sign, verify};
use standardwebhooks::Webhook;

use super::keys;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const TIMESTAMP: i64 = 1649367553;
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

#[test]
fn official_vector_gives_the_published_signature() {
    assert_eq!(sign(ID, TIMESTAMP, BODY, &keys(&[SECRET])), SIGNATURE);
}

#[test]
fn each_secret_adds_a_token_newest_first() {
    let both = sign(ID, TIMESTAMP, BODY, &keys(&["newer", SECRET]));
    assert_eq!(both, format!("{} {SIGNATURE}", sign(ID, TIMESTAMP, BODY, &keys(&["newer"]))));
}

/// A receiver with the official library that has this secret.
fn official(secret: &str) -> Webhook {
    if secret.starts_with("whsec_") {
        return Webhook::new(secret).unwrap();
    }
    Webhook::new(&format!("whsec_{}", STANDARD.encode(secret))).unwrap()
}

const SECRETS: [&str; 4] = [SECRET, "a plain secret", "schlüssel", "whsec_c2hvcnQ="];

#[test]
fn official_library_accepts_what_we_sign() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let body = r#"{"1":"é","genre":"Série 🎬"}"#.as_bytes();
    for secret in SECRETS {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", ID.parse().unwrap());
        headers.insert("webhook-timestamp", now.into());
        let header = sign(ID, now as i64, body, &keys(&["another", secret]));
        headers.insert("webhook-signature", header.parse().unwrap());
        official(secret).verify(body, &headers).unwrap();
    }
}

#[test]
fn we_accept_what_the_official_library_signs() {
    for secret in SECRETS {
        let header = official(secret).sign(ID, TIMESTAMP, BODY).unwrap();
        check(ID, "1649367553", &header, BODY, &["another", secret], Ok(()));
    }
}

/// Verifies at the time of the vector.
fn check(id: &str, timestamp: &str, header: &str, body: &[u8], secrets: &[&str], expected: Result<(), VerifyError>) {
    let outcome = verify(id, timestamp, header, body, &keys(secrets), TIMESTAMP);
    if let Ok(verified) = &outcome {
        assert_eq!(*verified.get(), body);
    }
    assert_eq!(outcome.map(|_| ()), expected, "{id:?} {timestamp:?} {header:?}");
}

#[test]
fn one_matching_token_among_others_is_enough() {
    for header in [
        SIGNATURE.to_owned(),
        format!("v1a,AAAA v1,AAAA {SIGNATURE}"),
        format!("{SIGNATURE} v2,AAAA"),
        format!("nonsense  {SIGNATURE}"),
    ] {
        check(ID, "1649367553", &header, BODY, &[SECRET], Ok(()));
    }
}

#[test]
fn anything_tampered_with_is_refused() {
    let mismatch = Err(VerifyError::Mismatch);
    let other_version = SIGNATURE.replace("v1,", "v1a,");
    check("msg_other", "1649367553", SIGNATURE, BODY, &[SECRET], mismatch);
    check(ID, "1649367554", SIGNATURE, BODY, &[SECRET], mismatch);
    check(ID, "01649367553", SIGNATURE, BODY, &[SECRET], mismatch);
    check(ID, "1649367553", SIGNATURE, b"{}", &[SECRET], mismatch);
    check(ID, "1649367553", SIGNATURE, BODY, &["foreign"], mismatch);
    check(ID, "1649367553", &other_version, BODY, &[SECRET], mismatch);
    check(ID, "1649367553", &SIGNATURE[3..], BODY, &[SECRET], mismatch);
    check(ID, "1649367553", &SIGNATURE[..SIGNATURE.len() - 1], BODY, &[SECRET], mismatch);
    check(ID, "1649367553", "v1,", BODY, &[SECRET], mismatch);
}

#[test]
fn missing_and_malformed_headers_are_reported_as_such() {
    check("", "1649367553", SIGNATURE, BODY, &[SECRET], Err(VerifyError::Missing));
    check(ID, "", SIGNATURE, BODY, &[SECRET], Err(VerifyError::Missing));
    check(ID, "1649367553", "", BODY, &[SECRET], Err(VerifyError::Missing));
    for timestamp in ["soon", "1649367553.5", "+1649367553", "-1", " 1649367553", "99999999999999999999"] {
        check(ID, timestamp, SIGNATURE, BODY, &[SECRET], Err(VerifyError::Malformed));
    }
}

#[test]
fn an_id_with_a_dot_cannot_shift_bytes_between_timestamp_and_body() {
    let signed = sign("msg_1", TIMESTAMP, b"1649367554.{}", &keys(&[SECRET]));
    check("msg_1.1649367553", "1649367554", &signed, b"{}", &[SECRET], Err(VerifyError::Malformed));
}

#[test]
fn a_timestamp_is_accepted_for_five_minutes_to_either_side() {
    for (now_seconds, expected) in [
        (TIMESTAMP, Ok(())),
        (TIMESTAMP + 300, Ok(())),
        (TIMESTAMP - 300, Ok(())),
        (TIMESTAMP + 301, Err(VerifyError::TooOld)),
        (TIMESTAMP - 301, Err(VerifyError::TooNew)),
        (i64::MAX, Err(VerifyError::TooOld)),
        (i64::MIN, Err(VerifyError::TooNew)),
    ] {
        let outcome = verify(ID, "1649367553", SIGNATURE, BODY, &keys(&[SECRET]), now_seconds);
        assert_eq!(outcome.map(|_| ()), expected, "at {now_seconds}");
    }
}

#[test]
fn a_secret_has_24_to_64_bytes() {
    let of = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7; length]));
    for (length, expected) in [(23, false), (24, true), (64, true), (65, false)] {
        assert_eq!(is_secret(&of(length)), expected, "{length} bytes");
    }
    assert!(is_secret(SECRET));
    for text in ["", "whsec_", &SECRET["whsec_".len()..], &SECRET[..SECRET.len() - 1], "whsec_!"] {
        assert!(!is_secret(text), "{text}");
    }
}

#[test]
fn bytes_make_a_secret_that_signs_with_them() {
    let secret = secret_of(&[7; 32]);
    assert_eq!(secret, "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    assert!(is_secret(&secret));
    let signed = sign(ID, TIMESTAMP, BODY, &keys(&[&secret]));
    assert_eq!(signed, official(&secret).sign(ID, TIMESTAMP, BODY).unwrap());
}

/// The libraries differ in leniency. If one of them accepts a secret, this crate derives the same key.
#[test]
fn secrets_give_the_same_key_as_in_the_libraries() {
    let same = |one, other| sign(ID, TIMESTAMP, BODY, &keys(&[one])) == sign(ID, TIMESTAMP, BODY, &keys(&[other]));
    assert!(same("whsec_c2hvcnQ=", "short"), "any length that decodes");
    assert!(same("whsec_c2hvcnQ", "short"), "padding is optional, as in Python and JavaScript");
    assert!(same("whsec_c2hvcnR", "short"), "left-over bits are ignored, as in Python and JavaScript");
    assert!(!same("c2hvcnQ=", "short"), "without whsec_ a secret is text");
    assert!(!same("whsec_c2hvcnQ!", "short"), "what does not decode is text");
    assert!(!sign(ID, TIMESTAMP, BODY, &keys(&["whsec_"])).is_empty());
}

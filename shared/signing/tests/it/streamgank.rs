//! The hexadecimal signature of seeds 001 to 004.

use reelhook_signing::streamgank::{hex_signature, signature, verify_hex};
use reelhook_signing::{Verified, VerifyError};

use super::keys;

/// RFC 4231, test case 2.
const BODY: &[u8] = b"what do ya want for nothing?";
const SECRET: &str = "Jefe";
const HEX: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

#[test]
fn rfc_vector_gives_the_published_signature() {
    assert_eq!(hex_signature(BODY, &keys(&[SECRET])), HEX);
    assert_eq!(signature(BODY, &keys(&[SECRET])), format!("sha256={HEX}"));
}

#[test]
fn the_newest_secret_signs() {
    assert_eq!(signature(BODY, &keys(&["new", "old"])), signature(BODY, &keys(&["new"])));
}

fn check(body: &[u8], header: &str, secrets: &[&str], expected: Result<(), VerifyError>) {
    let outcome = verify_hex(body, header, &keys(secrets));
    if let Ok(verified) = &outcome {
        assert_eq!(*verified.get(), body);
    }
    assert_eq!(outcome.map(|_| ()), expected, "{header:?} under {secrets:?}");
}

#[test]
fn bare_and_prefixed_hex_of_any_valid_secret_are_accepted() {
    for header in [HEX.to_owned(), format!("sha256={HEX}"), format!("  sha256={HEX} "), HEX.to_uppercase()] {
        check(BODY, &header, &[SECRET], Ok(()));
        check(BODY, &header, &["newer", SECRET], Ok(()));
    }
}

#[test]
fn tampered_body_is_refused() {
    for body in [&b"what do ya want for nothing"[..], b"What do ya want for nothing?", b""] {
        check(body, HEX, &[SECRET], Err(VerifyError::Mismatch));
    }
}

#[test]
fn signature_under_a_foreign_secret_is_refused() {
    check(BODY, HEX, &["jefe"], Err(VerifyError::Mismatch));
    check(BODY, HEX, &["one", "two"], Err(VerifyError::Mismatch));
}

#[test]
fn every_changed_digit_is_refused() {
    for position in 0..HEX.len() {
        let replacement = if &HEX[position..=position] == "0" { "1" } else { "0" };
        let mut tampered = HEX.to_owned();
        tampered.replace_range(position..=position, replacement);
        check(BODY, &tampered, &[SECRET], Err(VerifyError::Mismatch));
    }
}

#[test]
fn malformed_headers_are_reported_as_such() {
    for header in [
        "sha256=",
        "sha1=abcdef",
        &HEX[2..],
        &format!("{HEX}00"),
        &format!("sha256=sha256={HEX}"),
        &format!("v1,{HEX}"),
        &HEX.replace('5', "g"),
        "é",
    ] {
        check(BODY, header, &[SECRET], Err(VerifyError::Malformed));
    }
    check(BODY, "", &[SECRET], Err(VerifyError::Missing));
    check(BODY, "  ", &[SECRET], Err(VerifyError::Missing));
}

#[test]
fn a_binary_body_can_be_signed() {
    let body = [0xff, 0x00, 0xfe];
    check(&body, &signature(&body, &keys(&[SECRET])), &[SECRET], Ok(()));
}

#[test]
fn debug_of_a_verified_body_does_not_show_it() {
    let verified: Verified<&[u8]> = verify_hex(BODY, HEX, &keys(&[SECRET])).unwrap();
    assert_eq!(format!("{verified:?}"), "Verified(..)");
}

//! Session tokens: which keys they identify, for how long, and what is rejected.

use proptest::prelude::*;
use reelhook_signing::{RunClaims, SessionClaims, SignedToken, SubjectClaims, VerifyError, hash_key};

use super::keys;

fn mint(key: &str, expires: i64, secret: &str) -> String {
    SignedToken::mint(&SessionClaims { key: hash_key(key), expires }, &keys(&[secret])).expose().to_owned()
}

/// Verifies a text at `now`, with `known` as the valid keys.
fn verify(text: &str, known: &[&str], now: i64, secrets: &[&str]) -> Result<[u8; 32], VerifyError> {
    let known: Vec<[u8; 32]> = known.iter().map(|key| hash_key(key)).collect();
    SessionClaims::verify(text, &known, now, &keys(secrets)).map(|verified| verified.get().key)
}

#[test]
fn a_token_identifies_its_key_until_it_expires() {
    let text = mint("rk_second", 1000, "secret");
    let known = ["rk_first", "rk_second", "ann:password"];
    assert_eq!(verify(&text, &known, 999, &["secret"]), Ok(hash_key("rk_second")));
    assert_eq!(verify(&text, &known, 1000, &["secret"]), Err(VerifyError::TooOld));
    assert_eq!(verify(&text, &known, i64::MAX, &["secret"]), Err(VerifyError::TooOld));
}

#[test]
fn a_token_is_invalid_without_its_key() {
    let text = mint("rk_second", 1000, "secret");
    assert_eq!(verify(&text, &["rk_first"], 1, &["secret"]), Err(VerifyError::Mismatch));
    assert_eq!(verify(&text, &[], 1, &["secret"]), Err(VerifyError::Mismatch));
}

#[test]
fn a_token_survives_the_rotation_of_the_secret_and_ends_with_it() {
    let text = mint("rk_first", 1000, "old");
    assert_eq!(verify(&text, &["rk_first"], 1, &["new", "old"]), Ok(hash_key("rk_first")));
    assert_eq!(verify(&text, &["rk_first"], 1, &["new"]), Err(VerifyError::Mismatch));
}

/// A change of this text invalidates every session; add a new version beside this one instead.
#[test]
fn the_text_of_a_token_stays_as_it_is() {
    assert_eq!(mint("rk_first", 1000, "secret"), format!("c1.1000.{VECTOR_MAC}"));
}

/// From Python: base64.urlsafe_b64encode(hmac.digest(b"secret", b"reelhook session token\nc1.1000\n" +
/// hashlib.sha256(b"rk_first").digest(), "sha256")[:24]).
const VECTOR_MAC: &str = "uexOGezLuqrNW_lMON0tkBXmKLsTYdY7";

#[test]
fn a_token_reveals_nothing_about_its_key_and_fits_into_a_cookie() {
    let text = mint("rk_first", i64::MAX, "secret");
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
    assert!(!text.contains("rk_first") && text.len() < 128, "{text}");
}

#[test]
fn its_expiry_can_t_be_rewritten() {
    let text = mint("rk_first", 1000, "secret");
    for other in
        [text.replace(".1000.", ".9000."), text.replace(".1000.", ".01000."), text.replace(".1000.", ".+1000.")]
    {
        assert_eq!(verify(&other, &["rk_first"], 1, &["secret"]), Err(VerifyError::Mismatch), "{other}");
    }
}

#[test]
fn no_other_token_is_accepted_as_a_session() {
    let secret = keys(&["secret"]);
    let others = [
        SignedToken::mint(&RunClaims::of_run("job_1", 1), &secret),
        SignedToken::mint(&SubjectClaims { subject: "queue", expires: 1000 }, &secret),
    ];
    for other in others.iter().map(SignedToken::expose) {
        for text in [other.to_owned(), format!("c1.1000.{}", other.rsplit('.').next().unwrap())] {
            assert!(verify(&text, &["rk_first"], 1, &["secret"]).is_err(), "{text}");
        }
    }
}

#[test]
fn text_that_is_not_a_token_is_malformed() {
    assert_eq!(verify("", &["rk_first"], 1, &["secret"]), Err(VerifyError::Missing));
    for text in ["c1", "c1..", "c1.1000", "c1.1000.AAAA.AAAA", "c2.1000.AAAA", "C1.1000.AAAA", "c1.1e3.AAAA", "é.é.é"]
    {
        assert_eq!(verify(text, &["rk_first"], 1, &["secret"]), Err(VerifyError::Malformed), "{text}");
    }
    let long = format!("c1.1000.{}", "A".repeat(128));
    assert_eq!(verify(&long, &["rk_first"], 1, &["secret"]), Err(VerifyError::Malformed));
}

proptest! {
    #[test]
    fn no_arbitrary_text_is_accepted(text in ".{0,200}") {
        prop_assert!(verify(&text, &["rk_first"], 1, &["secret"]).is_err());
    }

    #[test]
    fn a_changed_character_is_refused(position in 0_usize..40, replacement in "[A-Za-z0-9_.=-]") {
        let token = mint("rk_first", 1000, "secret");
        let position = position % token.len();
        let mut tampered = token.clone();
        tampered.replace_range(position..=position, &replacement);
        prop_assume!(tampered != token);
        prop_assert!(verify(&tampered, &["rk_first"], 1, &["secret"]).is_err());
    }
}

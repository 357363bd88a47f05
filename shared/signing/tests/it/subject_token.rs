//! Tokens of subjects: what they give access to, until when, and what is rejected.

use reelhook_signing::{RunClaims, SessionClaims, SignedToken, SubjectClaims, VerifyError, hash_key};

use super::keys;

fn mint(subject: &str, expires: i64, secret: &str) -> String {
    SignedToken::mint(&SubjectClaims { subject, expires }, &keys(&[secret])).expose().to_owned()
}

fn verify(text: &str, subject: &str, now: i64, secrets: &[&str]) -> Result<(), VerifyError> {
    SubjectClaims::verify(text, subject, now, &keys(secrets)).map(drop)
}

#[test]
fn a_token_is_valid_for_its_subject_until_it_expires() {
    let token = mint("job:job_1", 1000, "old");
    assert_eq!(verify(&token, "job:job_1", 999, &["new", "old"]), Ok(()));
    assert_eq!(verify(&token, "job:job_1", 1000, &["old"]), Err(VerifyError::TooOld));
    assert_eq!(verify(&token, "job:job_2", 1, &["old"]), Err(VerifyError::Mismatch));
    assert_eq!(verify(&token, "job:job_1", 1, &["new"]), Err(VerifyError::Mismatch));
    for other in [token.replace(".1000.", ".9000."), token.replace(".1000.", ".01000."), format!("{token}=")] {
        assert_eq!(verify(&other, "job:job_1", 1, &["old"]), Err(VerifyError::Mismatch), "{other}");
    }
}

#[test]
fn text_that_is_not_a_token_is_malformed() {
    assert_eq!(verify("", "job:job_1", 1, &["secret"]), Err(VerifyError::Missing));
    for text in ["s1", "s1...", "s1.am9i.1", "s1.am9i.1e3.AAAA", "s1.am9i.1.AAAA.AAAA", "t1.a.1.b", &"A".repeat(513)] {
        assert_eq!(verify(text, "job:job_1", 1, &["secret"]), Err(VerifyError::Malformed), "{text}");
    }
}

/// A change of this text invalidates every link in use; add a new version beside this one instead.
#[test]
fn the_text_of_a_token_stays_as_it_is() {
    assert_eq!(mint("job:job_1", 1000, "secret"), format!("s1.am9iOmpvYl8x.1000.{VECTOR_MAC}"));
}

/// From Python: base64.urlsafe_b64encode(hmac.digest(b"secret", b"reelhook stream token\n" + signed, "sha256")[:24]).
const VECTOR_MAC: &str = "dxIsFhHpq_BxTUzNEECVlxpi6gVVI2Od";

/// Tokens that stacks of older versions minted (tests/upgrade).
#[test]
fn tokens_of_versions_0_1_and_0_2_are_valid() {
    for (token, subject) in [
        (
            "s1.dmlkZW86YWZmMjBkYTYtNjFiMS00MmJiLTk3YTYtMGFhZDYzNWJkNDhh.1796500510.MY1eUar8p-tNZvexkzq68Va_pqbDZWVW",
            "video:aff20da6-61b1-42bb-97a6-0aad635bd48a",
        ),
        (
            "s1.dmlkZW86YjdkMGMxMWUtY2RhYS00ZjM2LWFhNGYtYTZhNDA4ZTRlMTBm.1796504942.2jZQbcA47YCTLgK0Mw1NyiDWKEEuW-bR",
            "video:b7d0c11e-cdaa-4f36-aa4f-a6a408e4e10f",
        ),
    ] {
        assert_eq!(verify(token, subject, 1_796_500_000, &["newer", "tok_upgrade_secret"]), Ok(()), "{token}");
    }
}

#[test]
fn no_other_token_is_accepted_for_a_subject() {
    let secret = keys(&["secret"]);
    let others = [
        SignedToken::mint(&RunClaims::of_run("queue", 1000), &secret),
        SignedToken::mint(&SessionClaims { key: hash_key("rk_first"), expires: 1000 }, &secret),
    ];
    for other in others.iter().map(SignedToken::expose) {
        for text in [other.to_owned(), format!("s1.cXVldWU.1000.{}", other.rsplit('.').next().unwrap())] {
            assert!(verify(&text, "queue", 1, &["secret"]).is_err(), "{text}");
        }
    }
}

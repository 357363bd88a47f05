//! Tokens of streams: for an operator or for one owner, until when, and what is rejected.

use reelhook_signing::{SignedToken, StreamClaims, SubjectClaims, Verified, VerifyError};

use super::keys;

fn claims(owner: Option<&str>) -> StreamClaims {
    StreamClaims { subject: "job:job_1".to_owned(), owner: owner.map(str::to_owned), expires: 1000 }
}

fn mint(owner: Option<&str>, secret: &str) -> String {
    SignedToken::mint(&claims(owner), &keys(&[secret])).expose().to_owned()
}

fn check(text: &str, now: i64, secrets: &[&str], expected: Result<StreamClaims, VerifyError>) {
    let outcome = StreamClaims::verify(text, now, &keys(secrets)).map(Verified::into_inner);
    assert_eq!(outcome, expected, "{text:?} at {now} under {secrets:?}");
}

#[test]
fn a_token_names_its_subject_and_its_owner_until_it_expires() {
    for owner in [None, Some("José"), Some("a.b")] {
        let token = mint(owner, "old");
        check(&token, 999, &["new", "old"], Ok(claims(owner)));
        check(&token, 1000, &["old"], Err(VerifyError::TooOld));
        check(&token, 1, &["new"], Err(VerifyError::Mismatch));
    }
}

/// A change of these texts invalidates every link in use; add a new version beside them instead. The MACs are from Python,
/// as for tokens of subjects.
#[test]
fn the_texts_of_tokens_stay_as_they_are() {
    assert_eq!(mint(Some("José"), "secret"), OF_OWNER);
    assert_eq!(mint(None, "secret"), OF_OPERATOR);
}

const OF_OWNER: &str = "s2.am9iOmpvYl8x.Sm9zw6k.1000.e5izQqmhX1IJaP1va85M_U6BunwpNsc6";
const OF_OPERATOR: &str = "s1.am9iOmpvYl8x.1000.dxIsFhHpq_BxTUzNEECVlxpi6gVVI2Od";

#[test]
fn an_operator_s_token_is_one_of_its_subject_and_an_owner_s_is_not() {
    let of_subject = |token: &str| SubjectClaims::verify(token, "job:job_1", 1, &keys(&["secret"])).map(drop);
    assert_eq!(of_subject(OF_OPERATOR), Ok(()));
    assert_eq!(of_subject(OF_OWNER), Err(VerifyError::Malformed));
}

#[test]
fn an_owner_can_neither_be_left_out_nor_exchanged() {
    let mac = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    let (subject, ann, bob) = ("am9iOmpvYl8x", mint(Some("ann"), "secret"), mint(Some("bob"), "secret"));
    check(&format!("s1.{subject}.1000.{}", mac(&ann)), 1, &["secret"], Err(VerifyError::Mismatch));
    let mixed = format!("{}.{}", ann.rsplit_once('.').unwrap().0, mac(&bob));
    check(&mixed, 1, &["secret"], Err(VerifyError::Mismatch));
    check(&ann.replace(".1000.", ".9000."), 1, &["secret"], Err(VerifyError::Mismatch));
    // An owner that is empty or no base64url.
    for owner in ["", "a", "!!!!"] {
        let text = format!("s2.{subject}.{owner}.1000.{}", mac(&ann));
        check(&text, 1, &["secret"], Err(VerifyError::Malformed));
    }
}

#[test]
fn text_that_is_not_a_token_is_malformed() {
    check("", 1, &["secret"], Err(VerifyError::Missing));
    let long = "A".repeat(513);
    for text in ["s1", "s2", "s2.am9i.1000.AAAA", "s1.am9i.YW5u.1000.AAAA", "s3.am9i.1000.AAAA", "s1..1000.AAAA", &long]
    {
        check(text, 1, &["secret"], Err(VerifyError::Malformed));
    }
}

//! Tokens of runs: which claims they carry, and what is rejected.

use proptest::prelude::*;
use reelhook_signing::streamgank::signature;
use reelhook_signing::{RunClaims, SignedToken, Verified, VerifyError};

use super::keys;

const JOB_ID: &str = "job_1704123456789_abc123";

fn claims(job_id: &str, attempt: u32) -> RunClaims {
    RunClaims::of_run(job_id, attempt)
}

fn mint(job_id: &str, attempt: u32, secret: &str) -> String {
    SignedToken::mint(&claims(job_id, attempt), &keys(&[secret])).expose().to_owned()
}

fn check(text: &str, secrets: &[&str], expected: Result<RunClaims, VerifyError>) {
    let outcome = RunClaims::verify(text, &keys(secrets)).map(Verified::into_inner);
    assert_eq!(outcome, expected, "{text:?} under {secrets:?}");
}

#[test]
fn a_token_gives_back_its_claims_under_any_valid_secret() {
    for (job_id, attempt) in [
        (JOB_ID, 1),
        ("7c9e6679-7425-40de-944b-e07fc1f90ae7", u32::MAX),
        ("a.b", 0),
        ("Série 🎬", 2),
        ("x".repeat(340).as_str(), u32::MAX),
    ] {
        let text = mint(job_id, attempt, "secret");
        check(&text, &["secret"], Ok(claims(job_id, attempt)));
        check(&text, &["newer", "secret"], Ok(claims(job_id, attempt)));
    }
}

/// A change of this text invalidates every callback URL in use; add a new version beside this one instead.
#[test]
fn the_text_of_a_token_stays_as_it_is() {
    let expected = "t1.am9iXzE3MDQxMjM0NTY3ODlfYWJjMTIz.1.";
    let text = mint(JOB_ID, 1, "secret");
    assert_eq!(text, format!("{expected}{}", VECTOR_MAC));
}

/// From Python: base64.urlsafe_b64encode(hmac.digest(b"secret", b"reelhook callback token\n" + signed, "sha256")[:24]).
const VECTOR_MAC: &str = "MTwaUqvXk2MHCYKUBgiVPoOl_z_ClZUC";

/// The same for a token of a part, whose MAC also covers the part.
#[test]
fn the_text_of_a_part_s_token_stays_as_it_is() {
    let token = SignedToken::mint(&claims(JOB_ID, 1).with_part("scene_2"), &keys(&["secret"]));
    let expected = "t2.am9iXzE3MDQxMjM0NTY3ODlfYWJjMTIz.1.c2NlbmVfMg.jfbp9Nbp3IWNSxPg1U3Pn89Ix8dNeen2";
    assert_eq!(token.expose(), expected);
    check(expected, &["newer", "secret"], Ok(claims(JOB_ID, 1).with_part("scene_2")));
}

/// Tokens that stacks of older versions minted (tests/upgrade).
#[test]
fn tokens_of_versions_0_1_and_0_2_are_valid() {
    for (token, job_id) in [
        (
            "t1.am9iXzE3OTU4OTU3NjI3OTNfYTY4MTE1MjYyMTIzYzc2MjI0YmFjODQwNzExNDUzNTk.1.c4Laf7tgy_jM5lt7XLBYQHvFV4L2zkY1",
            "job_1795895762793_a68115262123c76224bac84071145359",
        ),
        (
            "t1.am9iXzE3OTU5MDAxOTUzMDhfOTI3YzMwYzU4Njg2MmExMDRiMGE2ZGJiNDQwNzg0YzE.1.saT7tR8S3uK5VnjXETjW80lljIGwT1G_",
            "job_1795900195308_927c30c586862a104b0a6dbb440784c1",
        ),
    ] {
        check(token, &["newer", "tok_upgrade_secret"], Ok(claims(job_id, 1)));
    }
}

#[test]
fn a_part_s_token_is_valid_for_no_other_part_and_not_for_the_run() {
    let of = |part: &str| SignedToken::mint(&claims("job", 1).with_part(part), &keys(&["secret"])).expose().to_owned();
    let (one, other, run) = (of("a"), of("b"), mint("job", 1, "secret"));
    let mac = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    // The claims of one with the MAC of another.
    for (claims, token) in [(&one, &other), (&other, &one), (&one, &run), (&run, &one)] {
        let mixed = format!("{}.{}", claims.rsplit_once('.').unwrap().0, mac(token));
        check(&mixed, &["secret"], Err(VerifyError::Mismatch));
    }
    // A part that is left out, empty, or added.
    check(&format!("t2.am9i.1.{}", mac(&one)), &["secret"], Err(VerifyError::Malformed));
    check(&format!("t2.am9i.1..{}", mac(&one)), &["secret"], Err(VerifyError::Malformed));
    check(&format!("t1.am9i.1.{}", mac(&one)), &["secret"], Err(VerifyError::Mismatch));
    check(&run.replacen("t1", "t2", 1), &["secret"], Err(VerifyError::Malformed));
    check(&one.replacen("t2", "t1", 1), &["secret"], Err(VerifyError::Malformed));
}

#[test]
fn a_token_has_at_most_512_bytes() {
    let job_id = "x".repeat(355);
    let longest = mint(&job_id, 1, "secret");
    assert_eq!(longest.len(), 512);
    check(&longest, &["secret"], Ok(claims(&job_id, 1)));
    check(&format!("{longest}A"), &["secret"], Err(VerifyError::Malformed));
}

#[test]
fn debug_hides_the_token() {
    let token = SignedToken::mint(&claims(JOB_ID, 1), &keys(&["secret"]));
    let shown = format!("{token:?}");
    assert!(shown.starts_with("SignedToken(") && !shown.contains("t1."), "{shown}");
}

#[test]
fn a_token_fits_into_a_path_segment() {
    let text = mint("Série/../🎬 ?&#%", 7, "secret");
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{text}");
}

#[test]
fn a_token_states_its_attempt_and_cannot_be_rewritten() {
    let older = mint(JOB_ID, 1, "secret");
    check(&older, &["secret"], Ok(claims(JOB_ID, 1)));
    check(&older.replace(".1.", ".2."), &["secret"], Err(VerifyError::Mismatch));
}

#[test]
fn token_of_another_job_cannot_be_rewritten() {
    let own = mint("job_mine", 1, "secret");
    let other = mint("job_other", 1, "secret");
    let own_parts: Vec<&str> = own.split('.').collect();
    let mixed = other.replace(other.split('.').next_back().unwrap(), own_parts[3]);
    check(&mixed, &["secret"], Err(VerifyError::Mismatch));
}

#[test]
fn token_under_a_foreign_secret_is_refused() {
    check(&mint(JOB_ID, 1, "foreign"), &["secret", "older"], Err(VerifyError::Mismatch));
}

#[test]
fn a_body_signature_is_not_a_token() {
    let signed = "t1.am9i.1";
    let hex = signature(signed.as_bytes(), &keys(&["secret"]));
    check(&format!("{signed}.{hex}"), &["secret"], Err(VerifyError::Mismatch));
}

#[test]
fn a_token_has_one_spelling() {
    let token = mint("job", 1, "secret");
    for other in [
        token.replace(".1.", ".01."),
        token.replace(".1.", ".+1."),
        format!("{token}="),
        format!("{token}A"),
        token[..token.len() - 1].to_owned(),
        token.to_lowercase(),
    ] {
        check(&other, &["secret"], Err(VerifyError::Mismatch));
    }
    // Left-over bits and padding in the job id are rejected when it is decoded.
    for (written, other) in [("am9i", "am9i=="), ("am9i", "am9"), ("am9i", "am9iYR")] {
        check(&token.replace(written, other), &["secret"], Err(VerifyError::Malformed));
    }
}

#[test]
fn text_that_is_not_a_token_is_malformed() {
    check("", &["secret"], Err(VerifyError::Missing));
    for text in [
        "t1",
        "t1...",
        "t1..1.AAAA",
        "t1.am9i.1",
        "t1.am9i.1.AAAA.AAAA",
        "t2.am9i.1.AAAA",
        "T1.am9i.1.AAAA",
        "t1.am9i.-1.AAAA",
        "t1.am9i.4294967296.AAAA",
        "t1.am9i.1e3.AAAA",
        "t1._w.1.AAAA",
        "t1.am 9i.1.AAAA",
        " t1.am9i.1.AAAA",
        "é.é.é.é",
        "job_1704123456789_abc123",
        &"t1.am9i.1.".repeat(100),
        &"A".repeat(513),
    ] {
        check(text, &["secret"], Err(VerifyError::Malformed));
    }
}

proptest! {
    #[test]
    fn no_arbitrary_text_is_accepted(text in ".{0,600}") {
        prop_assert!(RunClaims::verify(&text, &keys(&["secret"])).is_err());
    }

    #[test]
    fn a_changed_character_is_refused(position in 0_usize..70, replacement in "[A-Za-z0-9_.=-]") {
        let token = mint(JOB_ID, 12, "secret");
        let position = position % token.len();
        let mut tampered = token.clone();
        tampered.replace_range(position..=position, &replacement);
        prop_assume!(tampered != token);
        prop_assert!(RunClaims::verify(&tampered, &keys(&["secret"])).is_err());
    }
}

//! Tokens of clip jobs: each is valid for one submission to the worker.

use reelhook_signing::{ClipClaims, SignedToken, TaskClaims, Verified, VerifyError};

use super::keys;

const JOB: &str = "clip_0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11";

fn mint(number: u32) -> String {
    SignedToken::mint(&ClipClaims { job: JOB.to_owned(), number }, &keys(&["secret"])).expose().to_owned()
}

fn check(text: &str, secrets: &[&str], expected: Result<u32, VerifyError>) {
    let outcome = ClipClaims::verify(text, &keys(secrets)).map(Verified::into_inner);
    let expected = expected.map(|number| ClipClaims { job: JOB.to_owned(), number });
    assert_eq!(outcome, expected, "{text:?} under {secrets:?}");
}

/// A change of this text invalidates every callback URL in use; add a new version beside this one instead. The MAC is
/// from Python, as for tokens of runs.
#[test]
fn the_text_of_a_token_stays_as_it_is() {
    let expected = "w1.Y2xpcF8wYjBlN2EzYy01ZjBlLTRmNDMtOWE1My0wZjdhNmMyYjRkMTE.2.ihPbVjsIh5UZ2U66yDM5KcTfeqlMC3VL";
    assert_eq!(mint(2), expected);
    check(expected, &["newer", "secret"], Ok(2));
}

#[test]
fn a_token_of_one_submission_is_valid_for_no_other_one() {
    let (first, second) = (mint(1), mint(2));
    let mac = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    let mixed = format!("{}.{}", first.rsplit_once('.').unwrap().0, mac(&second));
    check(&mixed, &["secret"], Err(VerifyError::Mismatch));
    check(&first, &["other"], Err(VerifyError::Mismatch));
    check(&first.replace(".1.", ".01."), &["secret"], Err(VerifyError::Mismatch));
    check(&first.replace(".1.", ".x."), &["secret"], Err(VerifyError::Malformed));
    check("", &["secret"], Err(VerifyError::Missing));
}

#[test]
fn tokens_of_clips_and_of_tasks_are_not_valid_for_each_other() {
    let task = TaskClaims { project: JOB.to_owned(), task: "1".to_owned() };
    let task = SignedToken::mint(&task, &keys(&["secret"]));
    check(task.expose(), &["secret"], Err(VerifyError::Malformed));
    let as_task = TaskClaims::verify(&mint(1), &keys(&["secret"])).map(Verified::into_inner);
    assert_eq!(as_task, Err(VerifyError::Malformed));
}

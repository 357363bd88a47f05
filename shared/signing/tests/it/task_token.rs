//! Tokens of tasks: each is valid for one submission of one stage.

use reelhook_signing::{RunClaims, SignedToken, TaskClaims, Verified, VerifyError};

use super::keys;

const PROJECT: &str = "proj_1704123456789_abc123";

fn claims(project: &str, task: &str) -> TaskClaims {
    TaskClaims { project: project.to_owned(), task: task.to_owned() }
}

fn mint(task: &str) -> String {
    SignedToken::mint(&claims(PROJECT, task), &keys(&["secret"])).expose().to_owned()
}

fn check(text: &str, secrets: &[&str], expected: Result<TaskClaims, VerifyError>) {
    let outcome = TaskClaims::verify(text, &keys(secrets)).map(Verified::into_inner);
    assert_eq!(outcome, expected, "{text:?} under {secrets:?}");
}

/// A change of this text invalidates every callback URL in use; add a new version beside this one instead. The MAC is
/// from Python, as for tokens of runs.
#[test]
fn the_text_of_a_token_stays_as_it_is() {
    let expected = "k1.cHJval8xNzA0MTIzNDU2Nzg5X2FiYzEyMw.dmlkZW8uMi4xLnNjZW5lX2E.UmF-xbLZAfqRQsMn2A-7F9jYVUfErZPH";
    assert_eq!(mint("video.2.1.scene_a"), expected);
    check(expected, &["newer", "secret"], Ok(claims(PROJECT, "video.2.1.scene_a")));
}

#[test]
fn a_token_of_one_task_is_valid_for_no_other_one() {
    let (video, frame) = (mint("video.1.1.scene_a"), mint("frame.1.1.scene_a"));
    let mac = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    for (claims, token) in [(&video, &frame), (&frame, &video)] {
        let mixed = format!("{}.{}", claims.rsplit_once('.').unwrap().0, mac(token));
        check(&mixed, &["secret"], Err(VerifyError::Mismatch));
    }
    check(&video, &["other"], Err(VerifyError::Mismatch));
    check(&format!("k1.am9i..{}", mac(&video)), &["secret"], Err(VerifyError::Malformed));
    check("", &["secret"], Err(VerifyError::Missing));
}

#[test]
fn tokens_of_tasks_and_of_runs_are_not_valid_for_each_other() {
    let task = mint("video.1.1.scene_a");
    let as_run = RunClaims::verify(&task, &keys(&["secret"])).map(Verified::into_inner);
    assert_eq!(as_run, Err(VerifyError::Malformed));
    let run = SignedToken::mint(&RunClaims::of_run(PROJECT, 1).with_part("video"), &keys(&["secret"]));
    check(run.expose(), &["secret"], Err(VerifyError::Malformed));
}

#[test]
fn the_longest_ids_fit() {
    let (project, task) = ("p".repeat(80), format!("stitch.{}.{}.{}", u32::MAX, u32::MAX, "s".repeat(80)));
    let token = SignedToken::mint(&claims(&project, &task), &keys(&["secret"]));
    check(token.expose(), &["secret"], Ok(claims(&project, &task)));
}

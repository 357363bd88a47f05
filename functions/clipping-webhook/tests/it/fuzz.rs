//! Generated bodies, from callers of each kind: none is a fault of ours, and none changes anything without a token or a
//! signature.

use proptest::prelude::*;
use reelhook_signing::{RunClaims, TaskClaims};
use reelhook_testkit::{fuzz, fuzz_bodies};

use super::bodies::{NAMES, TEXTS, outcome, versions};
use super::*;

#[test]
fn no_report_is_a_fault_of_ours_and_none_counts_without_a_valid_caller() {
    let unchanged = versions(&Stack::default().jobs);
    fuzz(file!(), &fuzz_bodies(&NAMES, &TEXTS), |body| {
        let mut requests = 0;
        for path in [PATH, ALIAS] {
            let valid = [signed(path, body.clone()), post(&with_token(path, EXTERNAL, 1), &[], body.clone())];
            for request in &valid {
                let (status, _) = outcome(request);
                prop_assert!((200..500).contains(&status) && status != 401, "{status}");
            }
            let invalid = of_strangers(path, &body);
            for request in &invalid {
                let (status, stack) = outcome(request);
                prop_assert_eq!((status, versions(&stack.jobs), stack.errors.all().len()), (401, unchanged, 0));
            }
            requests += valid.len() + invalid.len();
        }
        Ok(requests)
    });
}

/// Requests of callers that are not valid: without credentials, with a signature by another secret in each header, and with
/// tokens of other purposes, by another secret, and guessed.
fn of_strangers(path: &str, body: &[u8]) -> Vec<ApiRequest> {
    let wrong = signature(body, "another secret");
    let names = [GENESIS, "x-webhook-signature", "authorization"];
    let unsigned = std::iter::once(post(path, &[], body));
    let signed = names.into_iter().map(|name| post(path, &[(name, wrong.as_str())], body));
    let (job, task) = (EXTERNAL.to_owned(), "video.1.1.scene_001".to_owned());
    let tokens = [
        SignedToken::mint(&RunClaims::of_run(EXTERNAL, 1), &keys("tokens")).expose().to_owned(),
        SignedToken::mint(&TaskClaims { project: job.clone(), task }, &keys("tokens")).expose().to_owned(),
        SignedToken::mint(&ClipClaims { job, number: 1 }, &keys(SECRET)).expose().to_owned(),
        "guessed".to_owned(),
    ];
    let with_token = tokens.iter().map(|token| post(&format!("/w/{token}{path}"), &[], body));
    unsigned.chain(signed).chain(with_token).collect()
}

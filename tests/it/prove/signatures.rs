//! Signatures of webhooks, which the receivers verify.

use std::collections::BTreeMap;

use crate::stack::Stack;

/// The verifiers that accept any text. The documented Python sample accepts ASCII only.
const VERIFIERS: [&str; 4] = ["streamgank", "standard_webhooks", "webhook_signature", "node"];

/// What the verifiers of each receiver have said so far.
pub struct Verified(BTreeMap<String, Tally>);

/// How often verifiers of one receiver have accepted and refused a webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Verified {
    /// What the verifiers of these receivers have said until now.
    pub async fn read(stack: &Stack, receivers: &[&str]) -> Self {
        let mut all = BTreeMap::new();
        for receiver in receivers {
            let summary = stack.studio(&format!("/hooks/{receiver}/summary")).await;
            let sum = |outcome: &str| {
                VERIFIERS.iter().filter_map(|verifier| summary["verified"][*verifier][outcome].as_u64()).sum::<u64>()
            };
            all.insert((*receiver).to_owned(), Tally { passed: sum("passed"), failed: sum("failed") });
        }
        Self(all)
    }

    /// Asserts that since `before` each receiver has accepted webhooks, and refused none.
    pub fn assert_signed(&self, before: &Self) {
        for (receiver, now) in &self.0 {
            let then = before.0.get(receiver).copied().unwrap_or_default();
            assert_eq!(now.failed, then.failed, "each webhook to {receiver} is signed");
            assert!(now.passed > then.passed, "{receiver} has verified a webhook: {now:?}");
        }
    }
}

#[test]
#[should_panic(expected = "main has verified a webhook")]
fn a_receiver_that_verified_nothing_shows_nothing() {
    let verified = Verified(BTreeMap::from([("main".to_owned(), Tally { passed: 3, failed: 0 })]));
    verified.assert_signed(&verified);
}

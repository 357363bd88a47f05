//! Signatures of webhooks, which the receivers verify.

use crate::stack::Stack;

/// The verifiers that accept any text. The documented Python sample accepts ASCII only.
const VERIFIERS: [&str; 4] = ["streamgank", "standard_webhooks", "webhook_signature", "node"];

/// How many webhooks one of the verifiers of these receivers has refused so far.
pub async fn refused(stack: &Stack, receivers: &[&str]) -> u64 {
    let mut refused = 0;
    for receiver in receivers {
        let summary = stack.studio(&format!("/hooks/{receiver}/summary")).await;
        let of = |verifier: &&str| summary["verified"][*verifier]["failed"].as_u64();
        refused += VERIFIERS.iter().filter_map(of).sum::<u64>();
    }
    refused
}

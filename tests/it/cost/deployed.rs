//! The functions as a deployment configures them. Timers of the test stack are short, and what only they make happen, such as
//! a delivery that is due sooner than its attempt may take, is no cost of a job.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::without_earlier_hints;
use crate::stack::Stack;

/// The timers that the test stack shortens and the counts depend on. How soon services are polled is part of what is
/// counted, and stays.
const TIMERS: [&str; 7] = [
    "ProcessingTimeoutSeconds",
    "RenderCheckSeconds",
    "ClaimLeaseSeconds",
    "PieceLeaseSeconds",
    "HintGraceSeconds",
    "SubmitLeaseSeconds",
    "ClipSilenceSeconds",
];
/// The variable of `worker` with the base of callbacks, if that is not the API's own address.
const BASE: &str = "CALLBACKS_BASE_URL";

/// The values of `CallbacksBy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbacksBy {
    Api,
    /// As the test stack is deployed.
    FunctionUrl,
}

/// Runs `run` while the functions have the timers of a deployment, and workers report at one of both addresses.
pub async fn deployed<T>(stack: &Stack, by: CallbacksBy, run: impl Future<Output = T>) -> T {
    let timers = TIMERS.map(|parameter| (variable(parameter), default(parameter)));
    let mut changed = BTreeMap::new();
    for function in stack.aws.functions().await {
        let before = stack.aws.variables(&function).await;
        let mut variables = before.clone();
        for (name, value) in &timers {
            if let Some(known) = variables.get_mut(name) {
                *known = json!(value);
            }
        }
        if let Some(base) = variables.get_mut(BASE) {
            match by {
                CallbacksBy::Api => *base = json!(""),
                CallbacksBy::FunctionUrl => assert!(!base.as_str().unwrap_or_default().is_empty(), "it has no URL"),
            }
        }
        if variables != before {
            stack.aws.set_variables(&function, &variables).await;
            changed.insert(function, before);
        }
    }
    without_earlier_hints(stack).await;
    let outcome = AssertUnwindSafe(run).catch_unwind().await;
    for (function, before) in changed {
        stack.aws.set_variables(&function, &before).await;
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// `HintGraceSeconds` is in `HINT_GRACE_SECONDS`.
fn variable(parameter: &str) -> String {
    let mut name = String::new();
    for letter in parameter.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

/// The default of a parameter in template.yaml.
fn default(parameter: &str) -> String {
    let template = include_str!("../../../template.yaml");
    let (_, rest) = template.split_once(&format!("\n  {parameter}:")).expect("a parameter");
    let (_, rest) = rest.split_once("Default: ").expect("a default");
    match rest.strip_prefix('\'') {
        Some(quoted) => quoted.split('\'').next().expect("a text").to_owned(),
        None => rest.split([',', ' ', '\n']).next().expect("a number").to_owned(),
    }
}

#[test]
fn timers_are_those_of_the_template() {
    let of = |parameter| (variable(parameter), default(parameter));
    assert_eq!(of("HintGraceSeconds"), ("HINT_GRACE_SECONDS".to_owned(), "60".to_owned()));
    assert_eq!(of("RenderCheckSeconds"), ("RENDER_CHECK_SECONDS".to_owned(), "120,720,1320,1920".to_owned()));
    let known: Value = serde_json::from_str(include_str!("../../../infra/local/test-profile.json")).expect("JSON");
    assert_eq!(known["parameters"]["CallbacksBy"], "FunctionUrl", "the tests need both addresses");
}

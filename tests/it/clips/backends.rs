//! What cuts clips: our own renderers or the mock worker, chosen by variables of the functions.

use std::sync::Mutex;

use serde_json::json;

use crate::stack::Stack;

/// The variable that only functions have that know clip jobs.
const CLIPS: &str = "CLIPS_TABLE";
/// The variable that says whether an account needs the credits that a job reserves.
const CREDITS: &str = "CREDITS";

/// The backends of the functions now.
static PRESENT: Mutex<Option<Backends>> = Mutex::new(None);

/// What cuts clips, and whether credits are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backends {
    /// Our own renderers cut.
    Own,
    /// The mock worker cuts.
    Worker,
    /// The mock worker cuts, and an account needs the credits that a job reserves.
    Limited,
    /// Our own renderers cut, and an account needs the credits that a job reserves.
    OwnLimited,
}

/// The base URL of the mock worker.
pub fn genesis(stack: &Stack) -> String {
    format!("{}/genesis", stack.studio)
}

impl Backends {
    /// Lets the functions use these backends from now on.
    pub async fn choose(self, stack: &Stack) {
        let before = PRESENT.lock().expect("no test panics here").replace(self);
        if before == Some(self) {
            return;
        }
        let (worker, credits) = match self {
            Self::Own => (String::new(), "off"),
            Self::Worker => (genesis(stack), "off"),
            Self::Limited => (genesis(stack), "on"),
            Self::OwnLimited => (String::new(), "on"),
        };
        for function in stack.aws.functions().await {
            let mut variables = stack.aws.variables(&function).await;
            if variables.get(CLIPS).is_none() {
                continue;
            }
            variables["CLIPPING_WORKER_URL"] = json!(worker);
            // The answer to a submission counts as lost after this time, as in the tests of scenes.
            variables["SUBMIT_LEASE_SECONDS"] = json!("10");
            if variables.get(CREDITS).is_some() {
                variables[CREDITS] = json!(credits);
            }
            stack.aws.set_variables(&function, &variables).await;
        }
    }
}

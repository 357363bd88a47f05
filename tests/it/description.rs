//! The API's description, as it is served: how operations are called, and what answers are like.

use std::sync::{LazyLock, OnceLock};

use reelhook_openapi::conformance::Conformance;
use serde_json::Value;

static DESCRIPTION: LazyLock<Conformance> = LazyLock::new(|| {
    let text = include_str!("../../functions/pages/openapi/openapi.json");
    Conformance::new(serde_json::from_str(text).expect("JSON"))
});

/// The address of the API under test.
static API: OnceLock<String> = OnceLock::new();

/// The description.
pub fn description() -> &'static Conformance {
    &DESCRIPTION
}

/// Compares all answers from this address with the description.
pub fn compare_answers_of(api: &str) {
    API.get_or_init(|| api.to_owned());
}

/// Asserts that an answer is as it is described, if the API sent it.
pub fn assert_described(url: &str, status: u16, body: &Value) {
    let Some(path) = API.get().and_then(|api| url.strip_prefix(api.as_str())) else { return };
    // The emulator answers for a function that a test has killed.
    if status == 502 && body.get("errorType").is_some() {
        return;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if let Err(fault) = DESCRIPTION.received(path, status, body) {
        panic!("{fault}: {body:#}");
    }
}

//! Tests of the crate through its public API.

mod clip_token;
mod js_json;
mod jwt;
mod keys;
mod run_token;
mod session_token;
mod standard;
mod stream_token;
mod streamgank;
mod subject_token;
mod task_token;

use reelhook_signing::SigningKeys;

/// Secrets for a test, newest first.
fn keys(secrets: &[&str]) -> SigningKeys {
    SigningKeys::new(secrets.iter().map(|&secret| secret.to_owned()).collect()).unwrap()
}

//! The fault proxy of the stack: its settings, and what it has injected.

use reqwest::Client;
use serde_json::Value;

use crate::stack::{JsonText, Stack};

/// The fault proxy.
pub struct Hostile {
    url: String,
    http: Client,
}

impl Hostile {
    /// The proxy of a stack, as REELHOOK_RUN describes it.
    pub fn of(stack: &Stack) -> Self {
        Self { http: stack.http.clone(), ..Self::from_environment() }
    }

    /// The same before the stack is opened.
    pub fn from_environment() -> Self {
        let path = std::env::var("REELHOOK_RUN").expect("REELHOOK_RUN names a run.json: use `cargo xtask prove`");
        let run: Value = serde_json::from_slice(&std::fs::read(&path).expect("run.json")).expect("JSON");
        let url = run["faults"]["url"].as_str().expect("a hostile stack: use `cargo xtask prove`");
        // reqwest needs a TLS provider even for plain http.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { url: format!("{url}/_faults"), http: Client::builder().no_proxy().build().expect("a client") }
    }

    /// Replaces the settings; without a rate there are no faults. Returns how many calls met which fault under the earlier
    /// ones, and each of these faults.
    pub async fn set(&self, settings: &Value) -> Value {
        let answer = self.http.put(&self.url).json_text(settings).send().await.expect("the proxy answers");
        let (status, text) = (answer.status(), answer.text().await.expect("counts"));
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

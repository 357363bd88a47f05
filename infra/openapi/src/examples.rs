//! Examples of the description: bodies that the end-to-end tests sent and received (tests/it/examples.rs).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

/// The examples of an operation.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The body that was sent; absent for requests without one.
    pub request: Option<Value>,
    /// The body of each answer that is no error, by status.
    #[serde(default)]
    pub answers: BTreeMap<String, Value>,
}

/// All examples.
#[derive(Debug)]
pub struct Examples {
    operations: BTreeMap<String, Example>,
    errors: BTreeMap<String, Value>,
    webhooks: BTreeMap<String, Value>,
}

impl Examples {
    /// Reads `operations.json`, `errors.json` and `webhooks.json`.
    ///
    /// # Errors
    /// If a file is not as the tests write it.
    pub fn read() -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        Ok(Self {
            operations: file(&folder.join("operations.json"))?,
            errors: file(&folder.join("errors.json"))?,
            webhooks: file(&folder.join("webhooks.json"))?,
        })
    }

    /// The body that a test sent to an operation.
    pub fn request(&self, operation: &str) -> Option<&Value> {
        self.operations.get(operation)?.request.as_ref()
    }

    /// The body that a test received from an operation.
    pub fn answer(&self, operation: &str, status: u16) -> Option<&Value> {
        self.operations.get(operation)?.answers.get(&status.to_string())
    }

    /// The body of an error with a code; `form` is `streamgank` or `vidbuilder`.
    pub fn error(&self, form: &str, code: &str) -> Option<&Value> {
        self.errors.get(&format!("{form}.{code}"))
    }

    /// The body of a webhook.
    pub fn webhook(&self, event: &str) -> Option<&Value> {
        self.webhooks.get(event)
    }

    /// The ids of operations that have examples.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }
}

fn file<T: for<'de> Deserialize<'de> + Default>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not as expected", path.display()))
}

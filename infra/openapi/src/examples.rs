//! Examples of the description: bodies that the end-to-end tests sent and received (tests/it/examples.rs).
//!
//! Ids, times, tokens and secrets are found by their form (`text`), measured values by the names of their members
//! (`measured`). A new family adds a rule for what differs between two recordings: a form to `text`, or a name to
//! `measured`, with a member that is beside it if the same name elsewhere has a value that never differs.

mod measured;
mod stable;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::stable::Stable;

/// Texts of one run, such as the address of its API, and what stands for each of them in the examples.
pub type Literals = [(String, String)];

/// The examples of an operation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The body that was sent; absent for requests without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// The body of each answer that is no error, by status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, Value>,
}

impl Example {
    /// The example as it is in each run: ids, times, tokens, secrets and measured values are fixed ones.
    pub fn stable(&self, literals: &Literals) -> Self {
        let mut stable = Stable::new(literals);
        self.request.iter().for_each(|body| stable.learn_request(body));
        self.answers.values().for_each(|body| stable.learn(body));
        let answers = self.answers.iter().map(|(status, body)| (status.clone(), stable.body(body)));
        Self { request: self.request.as_ref().map(|body| stable.request(body)), answers: answers.collect() }
    }
}

/// The body of an error or a webhook as it is in each run.
pub fn stable_body(body: &Value, literals: &Literals) -> Value {
    let mut stable = Stable::new(literals);
    stable.learn(body);
    stable.body(body)
}

/// The folder of the examples. It has one folder per kind: a file per operation in `operations`, per form of errors in
/// `errors`, and per event in `webhooks`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// All examples.
#[derive(Debug)]
pub struct Examples {
    pub(crate) operations: BTreeMap<String, Example>,
    pub(crate) errors: BTreeMap<String, BTreeMap<String, Value>>,
    pub(crate) webhooks: BTreeMap<String, Value>,
}

impl Examples {
    /// Reads the folder.
    ///
    /// # Errors
    /// If a file is not as the tests write it.
    pub fn read() -> anyhow::Result<Self> {
        let folder = folder();
        Ok(Self {
            operations: files(&folder.join("operations"))?,
            errors: files(&folder.join("errors"))?,
            webhooks: files(&folder.join("webhooks"))?,
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

    /// The body of an error with a code; `form` is `streamgank`, `vidbuilder`, `projects` or `callbacks`.
    pub fn error(&self, form: &str, code: &str) -> Option<&Value> {
        self.errors.get(form)?.get(code)
    }

    /// The bodies of all errors, by form and code.
    pub fn errors(&self) -> impl Iterator<Item = (String, &Value)> {
        self.errors
            .iter()
            .flat_map(|(form, bodies)| bodies.iter().map(move |(code, body)| (format!("{form}.{code}"), body)))
    }

    /// The body of a webhook.
    pub fn webhook(&self, event: &str) -> Option<&Value> {
        self.webhooks.get(event)
    }
}

/// The files of a folder, by name without `.json`; none if nothing is recorded yet.
fn files<T: for<'de> Deserialize<'de>>(folder: &Path) -> anyhow::Result<BTreeMap<String, T>> {
    let mut found = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).context("a file's name is not text")?.to_owned();
        let text = std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        let read = serde_json::from_slice(&text).with_context(|| format!("{} is not as expected", path.display()))?;
        found.insert(name, read);
    }
    Ok(found)
}

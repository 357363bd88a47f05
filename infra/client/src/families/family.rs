//! What all families have in common: how one is made, where it is in the API, how it stands, and which files it has.

use serde::Serialize;
use serde_json::{Map, Value};

/// A kind of work.
pub trait Family: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Whether an id may belong to it.
    fn may_have(&self, id: &str) -> bool;

    /// The paths of one.
    fn paths(&self, id: &str) -> Paths;

    /// How one stands, by the body of its state.
    fn read(&self, id: &str, body: &Value) -> State;

    /// Changes a state by a live event.
    fn update(&self, state: &mut State, event: &Value);
}

/// The request that makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Creation {
    /// POST: where it is made.
    pub path: &'static str,
    /// What it is made of.
    pub body: Value,
    /// The member of the answer that has its id.
    pub id_member: &'static str,
}

impl Creation {
    /// The same with texts that are kept with it, if there are any.
    pub fn with_metadata(mut self, metadata: Map<String, Value>) -> Self {
        if !metadata.is_empty() {
            self.body["metadata"] = Value::Object(metadata);
        }
        self
    }
}

/// Where one is in the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Paths {
    /// GET: its state.
    pub state: String,
    /// GET: its live events.
    pub stream: String,
    /// POST: the command that cancels it.
    pub cancel: String,
}

impl Paths {
    /// The stream and the command are below the state.
    pub fn below(state: String) -> Self {
        Self { stream: format!("{state}/stream"), cancel: format!("{state}/cancel"), state }
    }
}

/// How a job, a video, a project or a clip job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// Its id.
    pub id: String,
    /// The name of its family.
    pub family: &'static str,
    /// Its status, in the words of its family.
    pub status: String,
    /// Per cent.
    pub progress: u64,
    /// What goes on.
    pub step: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// How it ended; none as long as it has not.
    pub outcome: Option<Outcome>,
    /// The files that are there.
    #[serde(skip)]
    pub files: Vec<Remote>,
}

/// How work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should.
    Succeeded,
    /// Not.
    Failed,
    /// By a command.
    Cancelled,
}

impl Outcome {
    /// How work ended whose status is one of these words; none for any other.
    pub fn of_status(status: &str) -> Option<Self> {
        match status {
            "completed" => Some(Self::Succeeded),
            "failed" => Some(Self::Failed),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// A file that can be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The name under which it is saved.
    pub name: String,
    /// What it is, to choose one: `video`, `vertical`, or the number of a clip.
    pub kind: String,
    /// The link.
    pub link: String,
}

impl Remote {
    /// A file, if there is a link to it.
    pub fn at(link: &Value, name: String, kind: impl Into<String>) -> Option<Self> {
        Some(Self { name, kind: kind.into(), link: text(link)? })
    }
}

/// Whether a text is a UUID.
pub fn is_uuid(id: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok()
}

/// A text that is not empty.
pub fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number of per cent.
pub fn percent(value: &Value) -> Option<u64> {
    value.as_f64().map(|number| number.clamp(0.0, 100.0) as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_replace_those_of_a_file() {
        let made = |metadata: Value| {
            let body = json!({ "metadata": { "order": "1", "shop": "2" } });
            let creation = Creation { path: "/api/generate", body, id_member: "jobId" };
            creation.with_metadata(metadata.as_object().cloned().unwrap_or_default()).body["metadata"].clone()
        };
        assert_eq!(made(json!({ "order": "4711" })), json!({ "order": "4711" }));
        assert_eq!(made(json!({})), json!({ "order": "1", "shop": "2" }));
    }

    #[test]
    fn a_file_has_a_link() {
        let file = |link: &Value| Remote::at(link, "1.mp4".to_owned(), "video");
        assert_eq!(file(&json!("https://cdn.example/1.mp4")).map(|file| file.kind).as_deref(), Some("video"));
        assert_eq!((file(&Value::Null), file(&json!(""))), (None, None));
    }
}

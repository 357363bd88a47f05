//! What all families have in common: where one is in the API, how it stands, and which files it has.

use serde::Serialize;
use serde_json::Value;

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

//! What clients send over a WebSocket connection: small messages, read strictly.

use reelhook_domain::{ClipJobId, JobId, OwnerId, ProjectId, Subject};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::watch::Cursor;

/// Bytes of a client's message at most.
pub const LONGEST: usize = 4096;

/// What a client names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `jobId`: a job, a video or a clip job.
    Job(String),
    /// `projectId`.
    Project(String),
    /// `owner`.
    Owner(String),
}

impl Target {
    /// The subjects that it may name; none for an owner, and for what can't be an id.
    pub fn subjects(&self) -> Vec<Subject> {
        match self {
            // Clients know a clip job as a UUID, and some jobs have a UUID as id.
            Self::Job(id) => {
                let clips = ClipJobId::parse(id).ok().map(Subject::Clips);
                let job = JobId::parse(id).ok().map(Subject::Job).filter(|job| is_same(job, id));
                clips.into_iter().chain(job).collect()
            }
            Self::Project(id) => {
                ProjectId::parse(id).ok().map(Subject::Project).filter(|of| is_same(of, id)).into_iter().collect()
            }
            Self::Owner(_) => Vec::new(),
        }
    }

    /// The owner that it names.
    pub fn owner(&self) -> Option<OwnerId> {
        match self {
            Self::Owner(owner) => OwnerId::parse(owner),
            Self::Job(_) | Self::Project(_) => None,
        }
    }
}

/// Whether an id is read as the same subject from storage.
fn is_same(subject: &Subject, id: &str) -> bool {
    Subject::parse(id).is_ok_and(|read| read == *subject)
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// Send the live events of this.
    Subscribe {
        /// What to follow.
        target: Target,
        /// The client's position; from now on without one.
        cursor: Option<Cursor>,
    },
    /// Send them no longer.
    Unsubscribe {
        /// What it followed.
        target: Target,
    },
    /// Answer.
    Ping,
}

/// Why a client's message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is too long.
    #[error("a message must have at most 4096 bytes")]
    TooLarge,
    /// It is no JSON object with texts.
    #[error(
        "a message must be a JSON object whose members `action`, `jobId`, `projectId`, `owner` and `cursor` are strings"
    )]
    NoObject,
    /// It has no known action.
    #[error("`action` must be `subscribe`, `unsubscribe` or `ping`")]
    UnknownAction,
    /// It names nothing, or several things.
    #[error("the message must have exactly one of `jobId`, `projectId` and `owner`")]
    NoTarget,
    /// Its cursor is none of ours.
    #[error("`cursor` must be the `cursor` of a message, such as `12.0`")]
    Cursor,
    /// An owner has no positions.
    #[error("`cursor` goes with `jobId` or `projectId`: events of an `owner` are sent from now on")]
    OwnerCursor,
    /// It does not exist, or the client may not see it.
    #[error("there is no such job, project or owner for this token")]
    NotFound,
    /// The connection follows as much as it may.
    #[error("a connection has at most 50 subscriptions")]
    TooMany,
    /// It sends more than it may.
    #[error("a connection may send at most 120 messages a minute, and a `cursor` far back counts as several")]
    TooManyMessages,
    /// Something failed here.
    #[error("the message could not be processed: send it again")]
    Unavailable,
}

impl Refusal {
    /// The code on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "message_too_large",
            Self::NoObject | Self::NoTarget | Self::Cursor | Self::OwnerCursor => "invalid_message",
            Self::UnknownAction => "unknown_action",
            Self::NotFound => "not_found",
            Self::TooMany => "too_many_subscriptions",
            Self::TooManyMessages => "too_many_messages",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A message as it is written. Other members are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incoming {
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    job_id: Option<String>,
    #[serde(default)]
    project_id: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
}

/// The schemas of clients' messages, by their action. Other members are ignored.
pub fn described() -> [(&'static str, Value); 3] {
    let target = json!([{ "required": ["jobId"] }, { "required": ["projectId"] }, { "required": ["owner"] }]);
    let members = |action: &str| {
        json!({
            "action": { "type": "string", "const": action },
            "jobId": { "type": "string", "description": "A job, a video or a clip job." },
            "projectId": { "type": "string", "description": "A project." },
            "owner": { "type": "string", "description": "An owner, of whom everything is followed." },
            "cursor": {
                "type": "string",
                "pattern": "^[0-9]+([.][0-9]+)?$",
                "description": "The position after which events follow, which a message had; from now on without one.",
            },
        })
    };
    let subscribe = json!({
        "type": "object", "required": ["action"], "properties": members("subscribe"), "oneOf": target,
        "not": { "required": ["owner", "cursor"] },
    });
    let unsubscribe = json!({
        "type": "object", "required": ["action"], "properties": members("unsubscribe"), "oneOf": target,
    });
    let ping = json!({
        "type": "object", "required": ["action"], "properties": { "action": { "type": "string", "const": "ping" } },
    });
    [("subscribe", subscribe), ("unsubscribe", unsubscribe), ("ping", ping)]
}

/// Reads a client's message.
///
/// # Errors
/// [`Refusal`].
pub fn parse(text: &str) -> Result<ClientMessage, Refusal> {
    if text.len() > LONGEST {
        return Err(Refusal::TooLarge);
    }
    // A structure is also read from a list.
    if !text.trim_start().starts_with('{') {
        return Err(Refusal::NoObject);
    }
    let given: Incoming = serde_json::from_str(text).map_err(|_| Refusal::NoObject)?;
    let target = match (given.job_id, given.project_id, given.owner) {
        (Some(job), None, None) => Ok(Target::Job(job)),
        (None, Some(project), None) => Ok(Target::Project(project)),
        (None, None, Some(owner)) => Ok(Target::Owner(owner)),
        _ => Err(Refusal::NoTarget),
    };
    match given.action.as_deref() {
        Some("ping") => Ok(ClientMessage::Ping),
        Some("unsubscribe") => Ok(ClientMessage::Unsubscribe { target: target? }),
        Some("subscribe") => {
            let target = target?;
            let read = |text: String| Cursor::parse(&text).ok_or(Refusal::Cursor);
            let cursor = given.cursor.map(read).transpose()?;
            if cursor.is_some() && matches!(target, Target::Owner(_)) {
                return Err(Refusal::OwnerCursor);
            }
            Ok(ClientMessage::Subscribe { target, cursor })
        }
        _ => Err(Refusal::UnknownAction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_read() {
        let job = || Target::Job("job_1".to_owned());
        let subscribe = |target, cursor| Ok(ClientMessage::Subscribe { target, cursor });
        assert_eq!(parse(r#"{"action":"subscribe","jobId":"job_1"}"#), subscribe(job(), None));
        assert_eq!(
            parse(r#"{"action":"subscribe","jobId":"job_1","cursor":"4.1","more":[1]}"#),
            subscribe(job(), Cursor::parse("4.1"))
        );
        assert_eq!(
            parse(r#"{"action":"subscribe","projectId":"proj_1","cursor":null}"#),
            subscribe(Target::Project("proj_1".to_owned()), None)
        );
        assert_eq!(parse(r#"{"action":"subscribe","owner":"ann"}"#), subscribe(Target::Owner("ann".to_owned()), None));
        let unsubscribe = ClientMessage::Unsubscribe { target: job() };
        assert_eq!(parse(r#"{"action":"unsubscribe","jobId":"job_1"}"#), Ok(unsubscribe));
        assert_eq!(parse(r#"{"action":"ping"}"#), Ok(ClientMessage::Ping));
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        let long = format!(r#"{{"action":"ping","x":"{}"}}"#, "é".repeat(LONGEST / 2));
        for (text, refusal) in [
            (long.as_str(), Refusal::TooLarge),
            ("", Refusal::NoObject),
            ("ping", Refusal::NoObject),
            ("[]", Refusal::NoObject),
            (r#"{"action":"subscribe","jobId":7}"#, Refusal::NoObject),
            (r#"{"action":"subscribe","jobId":"a","cursor":4}"#, Refusal::NoObject),
            ("{}", Refusal::UnknownAction),
            (r#"{"action":"$connect"}"#, Refusal::UnknownAction),
            (r#"{"action":"subscribe"}"#, Refusal::NoTarget),
            (r#"{"action":"unsubscribe","jobId":"a","owner":"b"}"#, Refusal::NoTarget),
            (r#"{"action":"subscribe","jobId":"a","cursor":"x"}"#, Refusal::Cursor),
            (r#"{"action":"subscribe","owner":"a","cursor":"1"}"#, Refusal::OwnerCursor),
        ] {
            assert_eq!(parse(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn a_uuid_may_be_a_clip_job_or_a_job() {
        let uuid = "0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11";
        let names = |target: Target| target.subjects().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(Target::Job(uuid.to_owned())), [format!("clip_{uuid}"), uuid.to_owned()]);
        assert_eq!(names(Target::Job("job_1".to_owned())), ["job_1"]);
        assert_eq!(names(Target::Job(format!("clip_{uuid}"))), [format!("clip_{uuid}")]);
        assert_eq!(names(Target::Project("proj_1".to_owned())), ["proj_1"]);
        for none in ["", "a/b", "proj_1", "err_1", "ep_1"] {
            assert_eq!(names(Target::Job(none.to_owned())), [""; 0], "{none}");
        }
        assert_eq!(names(Target::Project("job_1".to_owned())), [""; 0]);
        assert_eq!(names(Target::Owner("ann".to_owned())), [""; 0]);
    }
}

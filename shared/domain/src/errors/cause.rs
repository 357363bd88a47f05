//! The causes of errors. Cause and subject decide which error is meant; the text does not.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// The type of an error, as clients filter by it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ErrorType {
    /// Of our own system.
    System,
    /// An inbound webhook.
    Webhook,
    /// Generating videos.
    Generation,
    /// Processing files.
    Processing,
    /// The workflow between scenes.
    Automation,
    /// Notifying people.
    Notification,
    /// Input.
    Validation,
    /// The network.
    Network,
    /// No error: something went well.
    Success,
}

impl ErrorType {
    /// Every type.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// The severity of an error, the most severe first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// A person must act now.
    Critical,
    /// Something failed.
    Error,
    /// Something went wrong and was handled.
    Warning,
    /// Something happened.
    Info,
}

impl Severity {
    /// Every severity, the most severe first.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// Why an error is raised.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// A callback names a scene or project that does not exist.
    UnknownScene,
    /// The ids in a callback disagree.
    IdsDisagree,
    /// A scene's video failed.
    VideoFailed,
    /// A scene's last frame failed for good.
    FrameFailed,
    /// The next scene could not start.
    NextSceneBlocked,
    /// The stitch failed for good.
    StitchFailed,
    /// The answer to a submission was lost, and the service cannot say whether it has the task.
    SubmissionUnclear,
    /// A file of an outside service could not be copied before its link expires.
    CopyFailed,
    /// The notification about a project could not be delivered.
    NotificationFailed,
    /// An outside service does not answer, or answers with server errors.
    ServiceDown,
    /// Messages are in a dead-letter queue.
    DeadLetters,
    /// A record of a stream can never be processed.
    Poison,
    /// No key opens a stored secret.
    LostKey,
    /// A client reported an error of its own.
    ClientReport,
    /// A callback names a clip job that does not exist.
    UnknownClipJob,
    /// A file that the clipping worker names can't be used or copied.
    ClipFileUnusable,
    /// A clip job failed.
    ClipsFailed,
    /// A message of the job inbox was refused.
    MessageRefused,
    /// A project completed.
    ProjectCompleted,
}

impl Cause {
    /// Every cause.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name in stored rows.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// The type that clients see.
    pub fn error_type(self) -> ErrorType {
        match self {
            Self::UnknownScene | Self::IdsDisagree | Self::UnknownClipJob => ErrorType::Webhook,
            Self::VideoFailed | Self::StitchFailed | Self::SubmissionUnclear => ErrorType::Generation,
            Self::FrameFailed | Self::CopyFailed | Self::ClipFileUnusable | Self::ClipsFailed => ErrorType::Processing,
            Self::NextSceneBlocked => ErrorType::Automation,
            Self::NotificationFailed => ErrorType::Notification,
            Self::MessageRefused => ErrorType::Validation,
            Self::ServiceDown => ErrorType::Network,
            Self::DeadLetters | Self::Poison | Self::LostKey | Self::ClientReport => ErrorType::System,
            Self::ProjectCompleted => ErrorType::Success,
        }
    }

    /// The severity that clients see.
    pub fn severity(self) -> Severity {
        match self {
            Self::StitchFailed | Self::DeadLetters | Self::Poison | Self::LostKey => Severity::Critical,
            Self::VideoFailed
            | Self::FrameFailed
            | Self::SubmissionUnclear
            | Self::ClipsFailed
            | Self::MessageRefused
            | Self::ClientReport => Severity::Error,
            Self::UnknownScene
            | Self::UnknownClipJob
            | Self::ClipFileUnusable
            | Self::IdsDisagree
            | Self::NextSceneBlocked
            | Self::CopyFailed
            | Self::NotificationFailed
            | Self::ServiceDown => Severity::Warning,
            Self::ProjectCompleted => Severity::Info,
        }
    }

    /// Whether people can dismiss it. A fault of our own stays until its cause is gone.
    pub fn is_dismissible(self) -> bool {
        match self {
            Self::DeadLetters | Self::Poison | Self::LostKey => false,
            Self::UnknownScene
            | Self::UnknownClipJob
            | Self::ClipFileUnusable
            | Self::ClipsFailed
            | Self::MessageRefused
            | Self::IdsDisagree
            | Self::VideoFailed
            | Self::FrameFailed
            | Self::NextSceneBlocked
            | Self::StitchFailed
            | Self::SubmissionUnclear
            | Self::CopyFailed
            | Self::NotificationFailed
            | Self::ServiceDown
            | Self::ClientReport
            | Self::ProjectCompleted => true,
        }
    }

    /// Whether webhook events are sent about it. A client can report as many errors as it likes.
    pub fn has_events(self) -> bool {
        self != Self::ClientReport
    }

    /// When it dismisses itself.
    pub fn auto_dismiss(self) -> Option<Duration> {
        (self == Self::ProjectCompleted).then_some(Duration::from_secs(5))
    }

    /// The retry by which a person may end it; none if there is no such retry.
    pub fn retry(self) -> Option<RetryOf> {
        match self {
            Self::VideoFailed
            | Self::FrameFailed
            | Self::NextSceneBlocked
            | Self::StitchFailed
            | Self::SubmissionUnclear
            | Self::CopyFailed => Some(RetryOf::Project),
            Self::ClipsFailed => Some(RetryOf::ClipJob),
            Self::UnknownScene
            | Self::UnknownClipJob
            | Self::ClipFileUnusable
            | Self::MessageRefused
            | Self::IdsDisagree
            | Self::NotificationFailed
            | Self::ServiceDown
            | Self::DeadLetters
            | Self::Poison
            | Self::LostKey
            | Self::ClientReport
            | Self::ProjectCompleted => None,
        }
    }
}

/// What a person retries to end a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOf {
    /// A step of the project, or of one of its scenes.
    Project,
    /// The clip job.
    ClipJob,
}

/// What raises an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Raise {
    /// The cause.
    pub cause: Cause,
    /// What it is about, such as a scene, a project or a queue: `<project>/<scene>`, `<project>`, a name.
    pub about: String,
    /// A sentence for people.
    pub message: String,
    /// Facts: `project_id`, `scene_id`, `task_id`, `error` and others.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
}

/// The error of this cause about this subject has no cause any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// The cause.
    pub cause: Cause,
    /// What it was about.
    pub about: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_the_type_and_the_severity_of_the_contract() {
        for (cause, kind, severity) in [
            (Cause::UnknownScene, "webhook", "warning"),
            (Cause::IdsDisagree, "webhook", "warning"),
            (Cause::VideoFailed, "generation", "error"),
            (Cause::FrameFailed, "processing", "error"),
            (Cause::NextSceneBlocked, "automation", "warning"),
            (Cause::StitchFailed, "generation", "critical"),
            (Cause::NotificationFailed, "notification", "warning"),
            (Cause::MessageRefused, "validation", "error"),
            (Cause::ServiceDown, "network", "warning"),
            (Cause::DeadLetters, "system", "critical"),
            (Cause::Poison, "system", "critical"),
            (Cause::LostKey, "system", "critical"),
            (Cause::ProjectCompleted, "success", "info"),
        ] {
            assert_eq!((cause.error_type().name(), cause.severity().name()), (kind, severity), "{cause:?}");
        }
    }

    #[test]
    fn only_faults_of_our_own_stay_until_their_cause_is_gone() {
        for &cause in Cause::ALL {
            let own = cause.error_type() == ErrorType::System && cause != Cause::ClientReport;
            assert_eq!(cause.is_dismissible(), !own, "{cause:?}");
            let success = cause.error_type() == ErrorType::Success;
            assert_eq!(cause.auto_dismiss(), success.then_some(Duration::from_secs(5)), "{cause:?}");
        }
    }

    #[test]
    fn reports_of_clients_alone_cause_no_webhooks() {
        let silent: Vec<Cause> = Cause::ALL.iter().copied().filter(|cause| !cause.has_events()).collect();
        assert_eq!(silent, [Cause::ClientReport]);
    }

    #[test]
    fn names_are_read_back_and_unknown_ones_are_none() {
        for &cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.name()), Some(cause));
        }
        for &kind in ErrorType::ALL {
            assert_eq!(ErrorType::parse(kind.name()), Some(kind));
        }
        let severities: Vec<&str> = Severity::ALL.iter().map(|severity| severity.name()).collect();
        assert_eq!(severities, ["critical", "error", "warning", "info"]);
        assert_eq!((Severity::parse("loud"), ErrorType::parse(""), Cause::parse("Poison")), (None, None, None));
    }
}

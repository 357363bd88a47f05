//! Events that webhook endpoints can subscribe to, and the filters they use (seed 001; docs/contract/webhooks.md,
//! Events).

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

/// A webhook event: about a job, a video, or webhooks themselves. The API shows the comments on the variants, in this
/// order: first the events of jobs as in the contract, then those of videos and webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
#[derive(EnumMessage, EnumString, IntoStaticStr, VariantArray)]
pub enum OutboundEvent {
    /// The video is ready.
    #[strum(serialize = "job.completed")]
    Completed,
    /// The job failed, and its retries are used up.
    #[strum(serialize = "job.failed")]
    Failed,
    /// The job was cancelled.
    #[strum(serialize = "job.cancelled")]
    Cancelled,
    /// The job paused after extraction, as requested.
    #[strum(serialize = "job.extraction_completed")]
    ExtractionCompleted,
    /// The worker is done; the video is still rendering.
    #[strum(serialize = "job.script_completed")]
    ScriptCompleted,
    /// The worker is done, but reported neither a video nor a render.
    #[strum(serialize = "job.completed_with_issues")]
    CompletedWithIssues,
    /// The job failed in a way that a retry can't repair.
    #[strum(serialize = "job.failed_no_retry")]
    FailedNoRetry,
    /// The run exceeded its time limit.
    #[strum(serialize = "job.timeout")]
    Timeout,
    /// The run exceeded its time limit while a render was in progress.
    #[strum(serialize = "job.workflow_incomplete")]
    WorkflowIncomplete,
    /// The render did not end in time.
    #[strum(serialize = "job.render_timeout")]
    RenderTimeout,
    /// The job was deleted.
    #[strum(serialize = "job.deleted")]
    Deleted,
    /// A video is being made.
    #[strum(serialize = "video.started")]
    VideoStarted,
    /// A video is ready.
    #[strum(serialize = "video.completed")]
    VideoCompleted,
    /// A video can't be made, or was cancelled.
    #[strum(serialize = "video.failed")]
    VideoFailed,
    /// A project was started.
    #[strum(serialize = "project.started")]
    ProjectStarted,
    /// The video of a project is ready.
    #[strum(serialize = "project.completed")]
    ProjectCompleted,
    /// A project failed: a scene or the stitch failed for good.
    #[strum(serialize = "project.failed")]
    ProjectFailed,
    /// A project was cancelled.
    #[strum(serialize = "project.cancelled")]
    ProjectCancelled,
    /// The video of a scene is there.
    #[strum(serialize = "scene.generated")]
    SceneGenerated,
    /// The last frame of a scene is there too.
    #[strum(serialize = "scene.verified")]
    SceneVerified,
    /// The video of a scene failed.
    #[strum(serialize = "scene.rejected")]
    SceneRejected,
    /// A clip job was accepted by the worker, or our renderers began.
    #[strum(serialize = "clips.started")]
    ClipsStarted,
    /// A clip is there, before its job has ended.
    #[strum(serialize = "clips.clip_ready")]
    ClipReady,
    /// A clip job succeeded; it may have no clips.
    #[strum(serialize = "clips.completed")]
    ClipsCompleted,
    /// A clip job failed.
    #[strum(serialize = "clips.failed")]
    ClipsFailed,
    /// A clip job was canceled.
    #[strum(serialize = "clips.canceled")]
    ClipsCanceled,
    /// An error was raised, or raised again after it was resolved or dismissed.
    #[strum(serialize = "error.raised")]
    ErrorRaised,
    /// The cause of an error has ended.
    #[strum(serialize = "error.resolved")]
    ErrorResolved,
    /// An endpoint fails, and will be disabled if it keeps failing.
    #[strum(serialize = "endpoint.failing")]
    EndpointFailing,
    /// An endpoint was disabled: it failed for too long, or responded with 410 Gone.
    #[strum(serialize = "endpoint.disabled")]
    EndpointDisabled,
    /// An endpoint that was failing accepts webhooks again.
    #[strum(serialize = "endpoint.recovered")]
    EndpointRecovered,
    /// Every attempt of a delivery failed; it can be recovered.
    #[strum(serialize = "delivery.exhausted")]
    DeliveryExhausted,
    /// A test. New endpoints get one, whatever they subscribe to.
    #[strum(serialize = "webhook.test")]
    Test,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum EventGroup {
    /// A job.
    Job,
    /// A video that a client requested scene by scene.
    Video,
    /// A project of scenes.
    Project,
    /// A scene of a project.
    Scene,
    /// A clip job.
    Clips,
    /// An error of the errors API.
    Error,
    /// An endpoint.
    Endpoint,
    /// A delivery.
    Delivery,
    /// A webhook without a cause: a test.
    Webhook,
}

impl EventGroup {
    /// The first part of the names of its events.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl OutboundEvent {
    /// Every event.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is about.
    pub fn group(self) -> EventGroup {
        match self {
            Self::Completed
            | Self::Failed
            | Self::Cancelled
            | Self::ExtractionCompleted
            | Self::ScriptCompleted
            | Self::CompletedWithIssues
            | Self::FailedNoRetry
            | Self::Timeout
            | Self::WorkflowIncomplete
            | Self::RenderTimeout
            | Self::Deleted => EventGroup::Job,
            Self::VideoStarted | Self::VideoCompleted | Self::VideoFailed => EventGroup::Video,
            Self::ProjectStarted | Self::ProjectCompleted | Self::ProjectFailed | Self::ProjectCancelled => {
                EventGroup::Project
            }
            Self::SceneGenerated | Self::SceneVerified | Self::SceneRejected => EventGroup::Scene,
            Self::ClipsStarted | Self::ClipReady | Self::ClipsCompleted | Self::ClipsFailed | Self::ClipsCanceled => {
                EventGroup::Clips
            }
            Self::ErrorRaised | Self::ErrorResolved => EventGroup::Error,
            Self::EndpointFailing | Self::EndpointDisabled | Self::EndpointRecovered => EventGroup::Endpoint,
            Self::DeliveryExhausted => EventGroup::Delivery,
            Self::Test => EventGroup::Webhook,
        }
    }

    /// A sentence that says when it is sent, for people who choose among the events.
    pub fn description(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }

    /// Whether it is about webhooks themselves. Deliveries of such an event cause no further ones, so that there are no
    /// loops.
    pub fn is_operational(self) -> bool {
        matches!(self.group(), EventGroup::Endpoint | EventGroup::Delivery | EventGroup::Webhook)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

impl TryFrom<String> for OutboundEvent {
    type Error = strum::ParseError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

/// One entry of a filter: an event's name, a group's `job.*`, or `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventPattern {
    /// One event.
    One(OutboundEvent),
    /// All events of a group, including future ones.
    Group(EventGroup),
    /// All.
    All,
}

impl EventPattern {
    /// Reads an entry.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        match text.strip_suffix(".*") {
            Some(group) => group.parse().ok().map(Self::Group),
            None => OutboundEvent::parse(text).map(Self::One),
        }
    }

    fn matches(self, event: OutboundEvent) -> bool {
        match self {
            Self::One(one) => one == event,
            Self::Group(group) => group == event.group(),
            Self::All => true,
        }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(event) => f.write_str(event.name()),
            Self::Group(group) => write!(f, "{}.*", group.name()),
            Self::All => f.write_str("*"),
        }
    }
}

/// The events that an endpoint gets. Unknown entries of a stored filter come from a newer version, whose additional
/// events this version never sends: they are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "Vec<String>", from = "Vec<String>")]
pub struct EventFilter(Vec<EventPattern>);

impl EventFilter {
    /// A filter with these entries, without repeats.
    pub fn new(patterns: impl IntoIterator<Item = EventPattern>) -> Self {
        let mut kept = Vec::new();
        for pattern in patterns {
            if !kept.contains(&pattern) {
                kept.push(pattern);
            }
        }
        Self(kept)
    }

    /// Whether an event passes.
    pub fn matches(&self, event: OutboundEvent) -> bool {
        self.0.iter().any(|pattern| pattern.matches(event))
    }

    /// Its entries as text.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl From<EventFilter> for Vec<String> {
    fn from(filter: EventFilter) -> Self {
        filter.names()
    }
}

impl From<Vec<String>> for EventFilter {
    fn from(names: Vec<String>) -> Self {
        Self::new(names.iter().filter_map(|name| EventPattern::parse(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(names: &[&str]) -> EventFilter {
        names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().into()
    }

    #[test]
    fn events_about_webhooks_are_operational() {
        let of = |operational: bool| -> Vec<&str> {
            let events = OutboundEvent::ALL.iter().filter(|event| event.is_operational() == operational);
            events.map(|event| event.name()).collect()
        };
        for name in of(true) {
            assert!(["endpoint.", "delivery.", "webhook."].iter().any(|group| name.starts_with(group)), "{name}");
        }
        assert!(of(true).contains(&"delivery.exhausted") && of(true).contains(&"endpoint.failing"));
        assert!(of(false).contains(&"job.completed"));
    }

    #[test]
    fn a_filter_takes_exact_names_groups_and_everything() {
        let check = |names: &[&str], taken: &[&str]| {
            let filter = filter(names);
            let found: Vec<&str> =
                OutboundEvent::ALL.iter().filter(|event| filter.matches(**event)).map(|event| event.name()).collect();
            assert_eq!(found, taken, "{names:?}");
        };
        check(&["job.completed", "job.failed"], &["job.completed", "job.failed"]);
        check(&["delivery.*", "job.deleted"], &["job.deleted", "delivery.exhausted"]);
        check(&["endpoint.*"], &["endpoint.failing", "endpoint.disabled", "endpoint.recovered"]);
        check(&["*"], &OutboundEvent::ALL.iter().map(|event| event.name()).collect::<Vec<_>>());
        check(&[], &[]);
        assert_eq!(filter(&["job.*", "job.failed", "job.*"]).names(), ["job.*", "job.failed"]);
        for bad in ["jobs.*", "job.comple*", "job", "", ".*", "job.completed "] {
            assert_eq!((EventPattern::parse(bad), filter(&[bad, "job.*"])), (None, filter(&["job.*"])), "{bad}");
        }
    }
}

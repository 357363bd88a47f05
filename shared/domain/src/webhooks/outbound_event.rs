//! Events that webhook endpoints can subscribe to, and the filters they use (seed 001; contract.md, Outbound webhooks).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A webhook event: about a job, a video, or webhooks themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OutboundEvent {
    /// The video is ready.
    #[serde(rename = "job.completed")]
    Completed,
    /// The job failed, and its retries are used up.
    #[serde(rename = "job.failed")]
    Failed,
    /// The job was cancelled.
    #[serde(rename = "job.cancelled")]
    Cancelled,
    /// The job paused after extraction, as requested.
    #[serde(rename = "job.extraction_completed")]
    ExtractionCompleted,
    /// The worker is done; the video is still rendering.
    #[serde(rename = "job.script_completed")]
    ScriptCompleted,
    /// The worker is done, but reported neither a video nor a render.
    #[serde(rename = "job.completed_with_issues")]
    CompletedWithIssues,
    /// The job failed in a way that a retry cannot repair.
    #[serde(rename = "job.failed_no_retry")]
    FailedNoRetry,
    /// The run exceeded its time limit.
    #[serde(rename = "job.timeout")]
    Timeout,
    /// The run exceeded its time limit while a render was in progress.
    #[serde(rename = "job.workflow_incomplete")]
    WorkflowIncomplete,
    /// The render did not end in time.
    #[serde(rename = "job.render_timeout")]
    RenderTimeout,
    /// The job was deleted.
    #[serde(rename = "job.deleted")]
    Deleted,
    /// A video was started.
    #[serde(rename = "video.started")]
    VideoStarted,
    /// A video is ready.
    #[serde(rename = "video.completed")]
    VideoCompleted,
    /// A video failed or was cancelled.
    #[serde(rename = "video.failed")]
    VideoFailed,
    /// An endpoint fails, and will be disabled if it keeps failing.
    #[serde(rename = "endpoint.failing")]
    EndpointFailing,
    /// An endpoint was disabled because it failed for too long or answered that it is gone.
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled,
    /// An endpoint that was failing accepts webhooks again.
    #[serde(rename = "endpoint.recovered")]
    EndpointRecovered,
    /// Every attempt of a delivery failed.
    #[serde(rename = "delivery.exhausted")]
    DeliveryExhausted,
    /// A test.
    #[serde(rename = "webhook.test")]
    Test,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventGroup {
    /// A job.
    Job,
    /// A video that a client requested scene by scene.
    Video,
    /// An endpoint.
    Endpoint,
    /// A delivery.
    Delivery,
    /// A webhook without a cause: a test.
    Webhook,
}

impl EventGroup {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Job, Self::Video, Self::Endpoint, Self::Delivery, Self::Webhook];

    /// The first part of the names of its events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Video => "video",
            Self::Endpoint => "endpoint",
            Self::Delivery => "delivery",
            Self::Webhook => "webhook",
        }
    }
}

impl OutboundEvent {
    /// Every event: first those of jobs in the order of the contract, then those of videos and webhooks.
    pub const ALL: [Self; 19] = [
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::ExtractionCompleted,
        Self::ScriptCompleted,
        Self::CompletedWithIssues,
        Self::FailedNoRetry,
        Self::Timeout,
        Self::WorkflowIncomplete,
        Self::RenderTimeout,
        Self::Deleted,
        Self::VideoStarted,
        Self::VideoCompleted,
        Self::VideoFailed,
        Self::EndpointFailing,
        Self::EndpointDisabled,
        Self::EndpointRecovered,
        Self::DeliveryExhausted,
        Self::Test,
    ];

    /// The name on the wire, what the event is about, and a sentence that says when it is sent.
    fn facts(self) -> (&'static str, EventGroup, &'static str) {
        match self {
            Self::Completed => ("job.completed", EventGroup::Job, "The video is ready."),
            Self::Failed => ("job.failed", EventGroup::Job, "The job failed, and its retries are used up."),
            Self::Cancelled => ("job.cancelled", EventGroup::Job, "The job was cancelled."),
            Self::ExtractionCompleted => {
                ("job.extraction_completed", EventGroup::Job, "The job paused after extraction, as requested.")
            }
            Self::ScriptCompleted => {
                ("job.script_completed", EventGroup::Job, "The worker is done; the video is still rendering.")
            }
            Self::CompletedWithIssues => (
                "job.completed_with_issues",
                EventGroup::Job,
                "The worker is done, but reported neither a video nor a render.",
            ),
            Self::FailedNoRetry => {
                ("job.failed_no_retry", EventGroup::Job, "The job failed in a way that a retry can't repair.")
            }
            Self::Timeout => ("job.timeout", EventGroup::Job, "The run exceeded its time limit."),
            Self::WorkflowIncomplete => (
                "job.workflow_incomplete",
                EventGroup::Job,
                "The run exceeded its time limit while a render was in progress.",
            ),
            Self::RenderTimeout => ("job.render_timeout", EventGroup::Job, "The render did not end in time."),
            Self::Deleted => ("job.deleted", EventGroup::Job, "The job was deleted."),
            Self::VideoStarted => ("video.started", EventGroup::Video, "A video is being made."),
            Self::VideoCompleted => ("video.completed", EventGroup::Video, "A video is ready."),
            Self::VideoFailed => ("video.failed", EventGroup::Video, "A video can't be made, or was cancelled."),
            Self::EndpointFailing => (
                "endpoint.failing",
                EventGroup::Endpoint,
                "An endpoint fails, and will be disabled if it keeps failing.",
            ),
            Self::EndpointDisabled => (
                "endpoint.disabled",
                EventGroup::Endpoint,
                "An endpoint was disabled: it failed for too long, or responded with 410 Gone.",
            ),
            Self::EndpointRecovered => {
                ("endpoint.recovered", EventGroup::Endpoint, "An endpoint that was failing accepts webhooks again.")
            }
            Self::DeliveryExhausted => {
                ("delivery.exhausted", EventGroup::Delivery, "Every attempt of a delivery failed; it can be recovered.")
            }
            Self::Test => {
                ("webhook.test", EventGroup::Webhook, "A test. New endpoints get one, whatever they subscribe to.")
            }
        }
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// What it is about.
    pub fn group(self) -> EventGroup {
        self.facts().1
    }

    /// A sentence that says when it is sent, for people who choose among the events.
    pub fn description(self) -> &'static str {
        self.facts().2
    }

    /// Whether it is about webhooks themselves. Deliveries of such an event cause no further ones, so that there are no
    /// loops.
    pub fn is_operational(self) -> bool {
        matches!(self.group(), EventGroup::Endpoint | EventGroup::Delivery | EventGroup::Webhook)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
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
            Some(group) => EventGroup::ALL.into_iter().find(|known| known.name() == group).map(Self::Group),
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
    fn names_are_those_that_rows_are_written_with() {
        for event in OutboundEvent::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
            assert_eq!(OutboundEvent::parse(event.name()), Some(event));
            assert!(event.name().starts_with(&format!("{}.", event.group().name())), "{event:?}");
        }
    }

    #[test]
    fn a_filter_takes_exact_names_groups_and_everything() {
        let check = |names: &[&str], taken: &[&str]| {
            let filter = filter(names);
            let found: Vec<&str> =
                OutboundEvent::ALL.into_iter().filter(|e| filter.matches(*e)).map(|e| e.name()).collect();
            assert_eq!(found, taken, "{names:?}");
        };
        check(&["job.completed", "job.failed"], &["job.completed", "job.failed"]);
        check(&["delivery.*", "job.deleted"], &["job.deleted", "delivery.exhausted"]);
        check(&["endpoint.*"], &["endpoint.failing", "endpoint.disabled", "endpoint.recovered"]);
        check(&["*"], &OutboundEvent::ALL.map(OutboundEvent::name));
        check(&[], &[]);
        assert_eq!(filter(&["job.*", "job.failed", "job.*"]).names(), ["job.*", "job.failed"]);
        for bad in ["jobs.*", "job.comple*", "job", "", ".*", "job.completed "] {
            assert_eq!((EventPattern::parse(bad), filter(&[bad, "job.*"])), (None, filter(&["job.*"])), "{bad}");
        }
    }
}

//! What the versions of an aggregate say in metrics: that it was submitted, was started, or has ended.

use reelhook_domain::{Aggregate, Effect, OutboundEvent, Timestamp};
use strum::IntoStaticStr;

use crate::metrics::{MetricName, count, record, time};

/// A family of jobs, as a dimension of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Family {
    /// Jobs that run a workflow.
    Workflow,
    /// Videos that are specified scene by scene.
    Video,
    /// Projects of scenes.
    Project,
    /// Clip jobs.
    Clips,
}

impl Family {
    /// The value of the dimension.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The family whose completion an event is about; none for other events.
    pub fn completed_by(event: OutboundEvent) -> Option<Self> {
        match event {
            OutboundEvent::Completed => Some(Self::Workflow),
            OutboundEvent::VideoCompleted => Some(Self::Video),
            OutboundEvent::ProjectCompleted => Some(Self::Project),
            OutboundEvent::ClipsCompleted => Some(Self::Clips),
            _ => None,
        }
    }
}

/// How it ended, as a dimension of metrics: the same words for all families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum EndStatus {
    /// It completed.
    Completed,
    /// It failed for good.
    Failed,
    /// A person cancelled it.
    Cancelled,
}

/// What a version reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// It was submitted.
    Submitted,
    /// It started for the first time.
    Started,
    /// It ended.
    Ended(EndStatus),
}

/// An aggregate that is measured.
pub trait Measured: Aggregate {
    /// Its family.
    fn family(&self) -> Family;

    /// What this version reaches; none if nothing that is measured.
    fn milestone(&self) -> Option<Milestone>;

    /// When it was submitted, or by hand submitted again; none if that is not known.
    fn submitted_at(&self) -> Option<Timestamp>;

    /// When its present attempt started.
    fn started_at(&self) -> Option<Timestamp>;

    /// The length of its videos in seconds; none if it has none, or their length is not known.
    fn video_seconds(&self) -> Option<f64>;
}

/// Whether this version causes a webhook event.
pub(crate) fn notifies_of(of: &impl Aggregate, event: OutboundEvent) -> bool {
    of.outbox().iter().any(|effect| matches!(effect, Effect::Notify { event: other, .. } if *other == event))
}

/// Records what a version reaches.
pub fn measure(of: &impl Measured) {
    let (family, now) = (of.family().name(), of.updated_at());
    let since = |name, earlier: Option<Timestamp>| {
        if let Some(earlier) = earlier {
            time(name, now.since(earlier), [family]);
        }
    };
    match of.milestone() {
        None => {}
        Some(Milestone::Submitted) => count(MetricName::JobsSubmitted, [family]),
        Some(Milestone::Started) => since(MetricName::TimeToStart, of.submitted_at()),
        Some(Milestone::Ended(status)) => {
            count(MetricName::JobsEnded, [family, status.into()]);
            since(MetricName::JobDuration, of.started_at());
            if status == EndStatus::Completed {
                since(MetricName::TimeToEnd, of.submitted_at());
                if let Some(seconds) = of.video_seconds() {
                    record(MetricName::VideoSeconds, seconds, [family]);
                }
            }
        }
    }
}

//! The kinds of jobs.

use strum::VariantArray;

use crate::OutboundEvent;
use crate::outbox::effect::Recipients;

/// The kind of a job. It determines the dialect of the clients, at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, VariantArray)]
pub enum JobKind {
    /// Run a workflow of steps that ends with a video.
    #[default]
    Workflow,
    /// Render a film that the client specified.
    Video,
}

impl JobKind {
    /// Every kind.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The webhook event of a job of this kind for what happened; none if its subscribers get none.
    pub fn webhook_event(self, event: OutboundEvent) -> Option<OutboundEvent> {
        match self {
            Self::Workflow => Some(event),
            Self::Video => of_video(event),
        }
    }

    /// The recipients of its webhook events.
    pub fn recipients(self) -> Recipients {
        match self {
            Self::Workflow => Recipients::Subscribers,
            Self::Video => Recipients::SubscribersAndCallback,
        }
    }
}

/// The event that receivers of a video get for an event of its job; none for most events.
fn of_video(event: OutboundEvent) -> Option<OutboundEvent> {
    match event {
        OutboundEvent::VideoStarted | OutboundEvent::VideoCompleted | OutboundEvent::VideoFailed => Some(event),
        OutboundEvent::Completed => Some(OutboundEvent::VideoCompleted),
        OutboundEvent::Failed | OutboundEvent::FailedNoRetry | OutboundEvent::Timeout | OutboundEvent::Cancelled => {
            Some(OutboundEvent::VideoFailed)
        }
        _ => None,
    }
}

//! The present activity of a run, as a value; dialect views turn it into the caption that people read.

use std::fmt;
use std::ptr::fn_addr_eq;
use std::time::Duration;

use crate::jobs::kind::JobKind;
use crate::jobs::status::StepStatus;
use crate::jobs::task::RenderStatus;

/// Why a run completed without a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// The client requested a pause after extraction.
    PausedAfterExtraction,
    /// The run exceeded its time limit while a render was under way.
    WorkflowIncomplete,
    /// The render did not end in time.
    RenderTimeout,
}

/// The present activity of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activity<'a> {
    /// The run waits for its turn.
    Waiting,
    /// Work has started.
    Processing,
    /// A step started or is done.
    Step {
        /// 0 to 8.
        number: u8,
        /// The worker's name for it.
        name: &'a str,
        /// Whether it is done.
        done: bool,
    },
    /// The worker is done; an outside service renders the video.
    AwaitingRender,
    /// An outside service reported the status of a render.
    Render(&'a RenderStatus),
    /// A person restarted the polling of the render.
    CheckingRender,
    /// Renderers of our own draw frames.
    Frames {
        /// Frames that are drawn.
        done: u32,
        /// All frames.
        all: u32,
    },
    /// All frames are drawn; the video is being put together.
    Assembling,
    /// An automatic retry waits.
    RetryScheduled {
        /// The next attempt.
        attempt: u32,
        /// Attempts at most.
        of: u32,
        /// Why the run failed.
        reason: &'static str,
        /// The wait.
        delay: Duration,
    },
    /// The run failed for good.
    Failed {
        /// The step under way and the worker's name for it, if it gave one.
        step: Option<(u8, Option<&'a str>)>,
        /// Why.
        error: &'a str,
    },
    /// A person cancelled the job.
    Cancelled,
    /// The video is ready.
    Completed,
    /// The run ended without a video for a known reason.
    Incomplete(Incomplete),
    /// The worker is done and reported neither a video nor a render.
    NothingToRender,
}

/// The texts of a dialect: the caption of each activity, and the names of a workflow's steps.
#[derive(Clone, Copy)]
pub struct Captions {
    /// The caption of an activity of a job of this kind.
    pub caption: fn(JobKind, &Activity<'_>) -> String,
    /// The name of step 0 to 8.
    pub step_name: fn(u8) -> &'static str,
    /// The word for a step's status.
    pub step_status: fn(StepStatus) -> &'static str,
}

impl Captions {
    /// Captions that belong to no dialect.
    pub const PLAIN: Self = Self { caption: plain, step_name: |_| "Step", step_status: StepStatus::name };
}

impl fmt::Debug for Captions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Captions")
    }
}

impl PartialEq for Captions {
    fn eq(&self, other: &Self) -> bool {
        fn_addr_eq(self.caption, other.caption)
            && fn_addr_eq(self.step_name, other.step_name)
            && fn_addr_eq(self.step_status, other.step_status)
    }
}

impl Eq for Captions {}

fn plain(_: JobKind, activity: &Activity<'_>) -> String {
    match activity {
        Activity::Waiting => "Waiting".to_owned(),
        Activity::Processing => "Processing".to_owned(),
        Activity::Step { number, name, done: false } => format!("Step {number} ({name}) started"),
        Activity::Step { number, name, done: true } => format!("Step {number} ({name}) completed"),
        Activity::AwaitingRender | Activity::Render(_) | Activity::CheckingRender => "Rendering".to_owned(),
        Activity::Frames { done, all } => format!("Rendering frames: {done}/{all}"),
        Activity::Assembling => "Assembling".to_owned(),
        Activity::RetryScheduled { attempt, of, reason, delay } => {
            format!("Retry {attempt} of {of} in {} s: {reason}", delay.as_secs())
        }
        Activity::Failed { error, .. } => format!("Failed: {error}"),
        Activity::Cancelled => "Cancelled".to_owned(),
        Activity::Completed => "Completed".to_owned(),
        Activity::Incomplete(_) | Activity::NothingToRender => "Completed without a video".to_owned(),
    }
}

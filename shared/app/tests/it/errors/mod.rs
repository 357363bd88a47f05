//! Errors: raised once per step, resolved, reopened, listed, dismissed, counted and shown live.

mod faults;
mod inbox;
mod memory;
mod notifications;
mod raise;
mod stream;

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::errors::steps::{ErrorChange, ErrorStep};
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_domain::errors::cause::{Cause, Raise, Resolve};
use reelhook_domain::{EventId, Timestamp};
use reelhook_testkit::{NOON, Stack};
use serde_json::json;

use self::memory::MemoryErrors;

/// A stack whose endpoint gets the events of errors.
fn stack() -> Stack {
    Stack::with(&[("WEBHOOK_URLS", "https://receiver.example/hook"), ("WEBHOOK_EVENTS", "error.*")], 3)
}

/// What applies steps to these errors.
fn ports<'a>(stack: &'a Stack, errors: &'a MemoryErrors) -> RaisePorts<'a> {
    RaisePorts {
        errors,
        notify: NotifyPorts { store: &*stack.deliveries, hints: &stack.hints, grace: stack.policy.hint_grace },
        subscribers: &*stack.deliveries,
        settings: &stack.settings,
        clock: &*stack.world,
    }
}

fn after(seconds: u64) -> Timestamp {
    NOON.after(Duration::from_secs(seconds))
}

/// A raise of this cause about a subject, by the step with this number, at the time of the clock.
fn raised(stack: &Stack, cause: Cause, about: &str, step: u32) -> ErrorStep {
    let context = json!({ "project_id": "proj_1", "step": step }).as_object().cloned().unwrap_or_default();
    let message = format!("It failed in step {step}");
    let change = ErrorChange::Raise(Raise { cause, about: about.to_owned(), message, context });
    ErrorStep { id: EventId::parse(&format!("proj_1.{step}.0")).unwrap(), at: stack.world.now(), change }
}

/// The end of this cause, by the step with this number, at the time of the clock.
fn resolved(stack: &Stack, cause: Cause, about: &str, step: u32) -> ErrorStep {
    let change = ErrorChange::Resolve(Resolve { cause, about: about.to_owned() });
    ErrorStep { id: EventId::parse(&format!("proj_1.{step}.0")).unwrap(), at: stack.world.now(), change }
}

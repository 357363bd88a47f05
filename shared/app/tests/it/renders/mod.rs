//! Renders: callbacks by token, by the operator and without authentication, early callbacks, and checks at Creatomate.

mod callbacks;
mod checks;
mod early;

use reelhook_app::jobs::renders::{Callback, CallbackAuth, Received, receive};
use reelhook_domain::{Event, JobId, RenderId, StepStatus, WebUrl};
use reelhook_testkit::{NOON, Stack, run, started, step};

const VIDEO: &str = "https://cdn.creatomate.example/renders/render_1.mp4";

fn render() -> RenderId {
    RenderId::parse("render_1").unwrap()
}

fn says(status: &str) -> Callback {
    let url = WebUrl::parse(VIDEO).filter(|_| status == "succeeded");
    let error = (status == "failed").then(|| "no memory for 4k".to_owned());
    Callback { status: status.to_owned(), url, error, run: None }
}

/// A stack without an API key of Creatomate: authenticated callbacks are applied without a confirmation.
fn without_key() -> Stack {
    let mut stack = Stack::default();
    stack.creatomate.key = None;
    stack
}

/// Adds job number `n`, whose worker is at step 3 and has reported no render.
fn processing(stack: &Stack, n: u32) -> JobId {
    let id = stack.submit(n);
    for event in [Event::Claim, started(1), step(1, 3, StepStatus::Started, None)] {
        assert!(stack.jobs.apply(&id, &event, NOON, &stack.policy));
    }
    stack.drop_stream();
    id
}

/// Adds job number `n`, whose worker is done and whose `render_1` is under way; its effects so far are dropped.
fn rendering(stack: &Stack, n: u32) -> JobId {
    let id = stack.submit(n);
    for event in [vec![Event::Claim, started(1)], run(1, Some("render_1"))].concat() {
        assert!(stack.jobs.apply(&id, &event, NOON, &stack.policy));
    }
    stack.drop_stream();
    id
}

async fn call(stack: &Stack, auth: &CallbackAuth, callback: &Callback) -> Received {
    receive(&stack.callback_ports(), auth, &render(), callback).await.unwrap()
}

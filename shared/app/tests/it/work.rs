//! The hints of the Work queue: equal ones are processed once, and each has a result of its own.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::work::{work_on, work_on_all};
use reelhook_app::outbound::OutboundError;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_domain::{JobId, RenderId, WebUrl};
use reelhook_testkit::{NOON, Stack, response};

fn job() -> JobId {
    JobId::parse("job_1_a").unwrap()
}

fn cancellation() -> WorkMessage {
    WorkMessage::CancelWorker {
        job_id: job(),
        attempt: 1,
        url: WebUrl::parse("https://worker.example/cancel").unwrap(),
    }
}

#[tokio::test]
async fn equal_hints_of_a_batch_are_processed_once() {
    let stack = Stack::default();
    let parked = WorkMessage::ApplyParked { job_id: job(), render: RenderId::parse("render_1").unwrap() };
    let messages = [WorkMessage::start(), parked.clone(), WorkMessage::start(), parked, WorkMessage::start()];
    let results = work_on_all(&stack.work_ports(), &messages).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), messages.len());
    assert_eq!(stack.jobs.faults.calls("parked"), 1);
    let alone = Stack::default();
    work_on(&alone.work_ports(), &WorkMessage::start()).await.unwrap();
    assert_eq!(stack.jobs.faults.calls("admission"), alone.jobs.faults.calls("admission"));
}

#[tokio::test]
async fn a_failed_hint_does_not_keep_the_next_one_from_being_processed() {
    let stack = Stack::default();
    stack.http.script(|_| Err(OutboundError::Refused));
    let results = work_on_all(&stack.work_ports(), &[cancellation(), WorkMessage::start()]).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn hints_for_which_no_time_is_left_come_again() {
    let mut stack = Stack::default();
    let world = Arc::clone(&stack.world);
    stack.http.script(move |_| {
        world.advance_s(15);
        Ok(response(200, "{}"))
    });
    stack.scenes.last_start = NOON.after(Duration::from_secs(10));
    let messages = [cancellation(), WorkMessage::start(), cancellation(), WorkMessage::start_scenes()];
    let results = work_on_all(&stack.work_ports(), &messages).await;
    let is_busy =
        |result: &Result<(), ChangeError>| matches!(result, Err(ChangeError::Store(error)) if error.is_busy());
    assert_eq!(results.iter().map(is_busy).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!((stack.http.requests().len(), stack.jobs.faults.calls("admission")), (1, 0));
    stack.scenes.last_start = stack.world.now();
    let results = work_on_all(&stack.work_ports(), &messages[1..2]).await;
    assert!(results.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_cancellation_is_sent_again_until_the_worker_confirms_it() {
    for (status, confirmed) in [(200, true), (404, true), (500, false), (503, false)] {
        let stack = Stack::default();
        stack.http.script(move |_| Ok(response(status, "{}")));
        let result = work_on(&stack.work_ports(), &cancellation()).await;
        let is_busy = matches!(&result, Err(ChangeError::Store(error)) if error.is_busy());
        assert_eq!((result.is_ok(), is_busy), (confirmed, !confirmed), "{status}");
    }
}

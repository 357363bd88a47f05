//! Steps: each counts once, and its webhook event is written once, whatever dies in between.

use futures_util::future::join_all;
use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::errors::steps::ErrorSteps;
use reelhook_domain::OutboundEvent;
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::errors::error::ErrorRow;
use reelhook_testkit::Stack;

use super::memory::MemoryErrors;
use super::{after, ports, raised, resolved, stack};

/// The names and ids of the events so far.
fn events(stack: &Stack) -> Vec<(OutboundEvent, String)> {
    stack.deliveries.events().into_iter().map(|event| (event.event, event.id.to_string())).collect()
}

fn event(kind: OutboundEvent, error: &ErrorRow, opening: u32) -> (OutboundEvent, String) {
    let index = u8::from(kind == OutboundEvent::ErrorResolved);
    (kind, format!("{}.{opening}.{index}", error.id))
}

#[tokio::test]
async fn five_raises_of_one_cause_are_one_error_with_five_occurrences() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    let steps: Vec<_> = (1..=5).map(|step| raised(&stack, Cause::UnknownScene, "scene_9", step)).collect();
    for result in join_all(steps.iter().map(|step| ports.apply(step))).await {
        result.unwrap();
    }
    let error = errors.only();
    assert_eq!((error.occurrences, error.openings), (5, 1));
    assert_eq!(events(&stack), [event(OutboundEvent::ErrorRaised, &error, 1)]);
    // A replay of the stream.
    for step in &steps {
        ports.apply(step).await.unwrap();
    }
    assert_eq!(errors.only(), error);
    assert_eq!((stack.deliveries.events().len(), stack.deliveries.all().len()), (1, 1));
}

#[tokio::test]
async fn a_report_of_a_client_is_an_error_without_webhook_events() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    for step in 1..=2 {
        ports.apply(&raised(&stack, Cause::ClientReport, "Error at /", step)).await.unwrap();
    }
    assert_eq!((errors.only().occurrences, events(&stack)), (2, vec![]));
}

#[tokio::test]
async fn subjects_and_causes_have_errors_of_their_own() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    for (step, (cause, about)) in
        [(Cause::VideoFailed, "proj_1/a"), (Cause::VideoFailed, "proj_1/b"), (Cause::FrameFailed, "proj_1/a")]
            .into_iter()
            .enumerate()
    {
        ports.apply(&raised(&stack, cause, about, step as u32)).await.unwrap();
    }
    assert_eq!(errors.all().len(), 3);
}

#[tokio::test]
async fn an_error_is_resolved_when_its_cause_ends_and_reopened_when_it_returns() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    let about = "proj_1/a";
    ports.apply(&raised(&stack, Cause::VideoFailed, about, 1)).await.unwrap();
    stack.world.advance_s(10);
    let end = resolved(&stack, Cause::VideoFailed, about, 2);
    ports.apply(&end).await.unwrap();
    assert_eq!(errors.only().resolved_at, Some(after(10)));
    stack.world.advance_s(10);
    ports.apply(&raised(&stack, Cause::VideoFailed, about, 3)).await.unwrap();
    // A replay of the end does not end the new opening.
    ports.apply(&end).await.unwrap();
    let error = errors.only();
    assert_eq!((error.resolved_at, error.openings, error.occurrences), (None, 2, 2));
    let mut expected = vec![
        event(OutboundEvent::ErrorRaised, &error, 1),
        event(OutboundEvent::ErrorResolved, &error, 1),
        event(OutboundEvent::ErrorRaised, &error, 2),
    ];
    expected.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(events(&stack), expected);
}

#[tokio::test]
async fn the_end_of_a_cause_without_an_error_does_nothing() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    ports.apply(&resolved(&stack, Cause::VideoFailed, "proj_1/a", 1)).await.unwrap();
    assert!(errors.all().is_empty() && stack.deliveries.events().is_empty());
}

#[tokio::test]
async fn a_caller_that_dies_after_the_error_is_saved_writes_its_event_when_it_repeats_the_step() {
    for resolves in [false, true] {
        let (stack, errors) = (stack(), MemoryErrors::default());
        let ports = ports(&stack, &errors);
        let raise = raised(&stack, Cause::VideoFailed, "proj_1/a", 1);
        let end = resolved(&stack, Cause::VideoFailed, "proj_1/a", 2);
        if resolves {
            ports.apply(&raise).await.unwrap();
        }
        let step = if resolves { &end } else { &raise };
        errors.lose_answers(1);
        assert!(ports.apply(step).await.is_err());
        let written = stack.deliveries.events().len();
        ports.apply(step).await.unwrap();
        let error = errors.only();
        assert_eq!(error.occurrences, 1);
        let kind = if resolves { OutboundEvent::ErrorResolved } else { OutboundEvent::ErrorRaised };
        assert_eq!(stack.deliveries.events().len(), written + 1);
        assert!(events(&stack).contains(&event(kind, &error, 1)));
    }
}

#[tokio::test]
async fn an_error_that_readers_no_longer_see_begins_anew() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    ports.apply(&raised(&stack, Cause::VideoFailed, "proj_1/a", 1)).await.unwrap();
    let first = errors.only();
    stack.world.advance_s(31 * 24 * 3600);
    ports.apply(&raised(&stack, Cause::VideoFailed, "proj_1/a", 2)).await.unwrap();
    let second = errors.only();
    assert_ne!(first.id, second.id);
    assert_eq!((second.occurrences, second.openings, second.first_seen), (1, 1, stack.world.now()));
    assert_eq!(second.version, first.version + 1);
}

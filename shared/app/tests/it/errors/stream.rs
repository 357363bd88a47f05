//! Live updates: each change once, in order, from the viewer's cursor on.

use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::errors::inbox;
use reelhook_app::errors::steps::ErrorSteps as _;
use reelhook_app::errors::stream::ErrorWatch;
use reelhook_domain::errors::cause::Cause;
use reelhook_testkit::Stack;

use super::memory::MemoryErrors;
use super::{ports, raised, resolved, stack};

/// The types of the events that a viewer gets now.
async fn seen(watch: &mut ErrorWatch, stack: &Stack, errors: &MemoryErrors) -> Vec<String> {
    let events = watch.next(errors, stack.world.now()).await.unwrap();
    assert!(events.iter().all(|event| !event.ends));
    events.iter().map(|event| event.data["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_viewer_sees_each_change_of_an_error_once() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    let about = "proj_1/a";
    let mut watch = ErrorWatch::begin(None, stack.world.now());
    stack.world.advance_s(2);
    ports.apply(&raised(&stack, Cause::VideoFailed, about, 1)).await.unwrap();
    stack.world.advance_s(2);
    assert_eq!(seen(&mut watch, &stack, &errors).await, ["error_raised"]);
    assert_eq!(seen(&mut watch, &stack, &errors).await, Vec::<String>::new());
    ports.apply(&raised(&stack, Cause::VideoFailed, about, 2)).await.unwrap();
    stack.world.advance_s(2);
    assert_eq!(seen(&mut watch, &stack, &errors).await, ["error_updated"]);
    ports.apply(&resolved(&stack, Cause::VideoFailed, about, 3)).await.unwrap();
    stack.world.advance_s(2);
    assert_eq!(seen(&mut watch, &stack, &errors).await, ["error_resolved"]);
    ports.apply(&raised(&stack, Cause::VideoFailed, about, 4)).await.unwrap();
    stack.world.advance_s(2);
    assert_eq!(seen(&mut watch, &stack, &errors).await, ["error_raised"]);
    inbox::dismiss_all(&errors, &*stack.world).await.unwrap();
    stack.world.advance_s(2);
    assert_eq!(seen(&mut watch, &stack, &errors).await, ["error_dismissed"]);
}

#[tokio::test]
async fn changes_between_two_reads_are_one_event() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    let mut watch = ErrorWatch::begin(None, stack.world.now());
    for step in 1..=3 {
        ports.apply(&raised(&stack, Cause::VideoFailed, "proj_1/a", step)).await.unwrap();
    }
    stack.world.advance_s(2);
    let events = watch.next(&errors, stack.world.now()).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data["type"], "error_raised");
    assert_eq!(events[0].data["error"]["occurrences"], 3);
}

#[tokio::test]
async fn a_viewer_that_comes_back_goes_on_after_its_last_event() {
    let (stack, errors) = (stack(), MemoryErrors::default());
    let ports = ports(&stack, &errors);
    let mut watch = ErrorWatch::begin(None, stack.world.now());
    ports.apply(&raised(&stack, Cause::VideoFailed, "proj_1/a", 1)).await.unwrap();
    stack.world.advance_s(2);
    let last = watch.next(&errors, stack.world.now()).await.unwrap().remove(0).id;
    ports.apply(&raised(&stack, Cause::VideoFailed, "proj_1/b", 2)).await.unwrap();
    stack.world.advance_s(60);
    let mut again = ErrorWatch::begin(Some(&last), stack.world.now());
    let events = again.next(&errors, stack.world.now()).await.unwrap();
    assert_eq!(events.len(), 1);
    let expected = errors.all().into_iter().find(|error| error.about == "proj_1/b").unwrap().id;
    assert_eq!(events[0].data["error"]["id"], expected);
    for invalid in ["", "x", "1.2.3", "1704110400000", "170411040000a.err_1_a"] {
        assert_eq!(ErrorWatch::begin(Some(invalid), stack.world.now()), ErrorWatch::begin(None, stack.world.now()));
    }
}

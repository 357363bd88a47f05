//! The inbox: lists, dismissals and numbers, with bounded reads.

use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::errors::inbox::{self, Search};
use reelhook_app::errors::steps::ErrorSteps as _;
use reelhook_app::errors::store::ErrorInbox as _;
use reelhook_domain::ProjectId;
use reelhook_domain::errors::cause::{Cause, ErrorType, Severity};
use reelhook_testkit::Stack;

use super::memory::MemoryErrors;
use super::{after, ports, raised, resolved, stack};

const ALL: Search = Search { severity: None, kind: None, project: None, resolved: false, after: None, limit: 100 };

/// A stack with an error of each of these causes, a second apart.
async fn with(causes: &[Cause]) -> (Stack, MemoryErrors) {
    let (stack, errors) = (stack(), MemoryErrors::default());
    for (step, cause) in causes.iter().enumerate() {
        let about = format!("proj_1/{step}");
        ports(&stack, &errors).apply(&raised(&stack, *cause, &about, step as u32)).await.unwrap();
        stack.world.advance_s(1);
    }
    (stack, errors)
}

async fn causes(stack: &Stack, errors: &MemoryErrors, search: &Search) -> Vec<Cause> {
    let found = inbox::list(errors, search, stack.world.now()).await.unwrap();
    found.errors.iter().map(|error| error.cause).collect()
}

#[tokio::test]
async fn the_most_severe_come_first_and_then_the_newest() {
    use Cause::{CopyFailed, FrameFailed, NextSceneBlocked, ProjectCompleted, StitchFailed, VideoFailed};
    let (stack, errors) =
        with(&[VideoFailed, CopyFailed, StitchFailed, FrameFailed, NextSceneBlocked, ProjectCompleted]).await;
    let expected = [StitchFailed, FrameFailed, VideoFailed, NextSceneBlocked, CopyFailed, ProjectCompleted];
    assert_eq!(causes(&stack, &errors, &ALL).await, expected);
    let of = |severity| Search { severity: Some(severity), ..ALL };
    assert_eq!(causes(&stack, &errors, &of(Severity::Error)).await, [FrameFailed, VideoFailed]);
    assert_eq!(causes(&stack, &errors, &of(Severity::Info)).await, [ProjectCompleted]);
    let of_type = Search { kind: Some(ErrorType::Processing), ..ALL };
    assert_eq!(causes(&stack, &errors, &of_type).await, [FrameFailed, CopyFailed]);
}

#[tokio::test]
async fn a_project_has_its_own_errors_and_those_of_its_scenes() {
    let (stack, errors) = with(&[Cause::VideoFailed]).await;
    for (step, about) in ["proj_1", "proj_10", "proj_10/0", "proj_2/proj_1", "Jobs"].into_iter().enumerate() {
        let step = 10 + u32::try_from(step).unwrap();
        ports(&stack, &errors).apply(&raised(&stack, Cause::StitchFailed, about, step)).await.unwrap();
    }
    let search = Search { project: ProjectId::parse("proj_1").ok(), ..ALL };
    let found = inbox::list(&errors, &search, stack.world.now()).await.unwrap();
    let about: Vec<_> = found.errors.iter().map(|error| error.about.as_str()).collect();
    assert_eq!((about, found.next), (vec!["proj_1", "proj_1/0"], None));
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    let (stack, errors) = with(&[Cause::VideoFailed; 5]).await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let search = Search { after, limit: 2, ..ALL };
        let found = inbox::list(&errors, &search, stack.world.now()).await.unwrap();
        assert!(found.errors.len() <= 2);
        seen.extend(found.errors.into_iter().map(|error| error.about));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["proj_1/4", "proj_1/3", "proj_1/2", "proj_1/1", "proj_1/0"]);
}

#[tokio::test]
async fn a_first_page_takes_one_read_however_many_errors_there_are() {
    for stored in [10, 1000] {
        let (stack, errors) = with(&vec![Cause::VideoFailed; stored]).await;
        for severity in [None, Some(Severity::Error)] {
            let before = errors.reads();
            let search = Search { severity, limit: 10, ..ALL };
            assert_eq!(causes(&stack, &errors, &search).await.len(), 10);
            assert_eq!(errors.reads() - before, 1, "of {stored} errors");
        }
    }
}

#[tokio::test]
async fn a_resolved_error_is_listed_on_request_only() {
    let (stack, errors) = with(&[Cause::VideoFailed, Cause::FrameFailed]).await;
    ports(&stack, &errors).apply(&resolved(&stack, Cause::VideoFailed, "proj_1/0", 9)).await.unwrap();
    assert_eq!(causes(&stack, &errors, &ALL).await, [Cause::FrameFailed]);
    let ended = Search { resolved: true, ..ALL };
    assert_eq!(causes(&stack, &errors, &ended).await, [Cause::VideoFailed]);
}

#[tokio::test]
async fn a_success_leaves_the_list_after_five_seconds_and_costs_no_reads() {
    let (stack, errors) = with(&[Cause::ProjectCompleted; 400]).await;
    assert_eq!(causes(&stack, &errors, &ALL).await.len(), 4, "a second each");
    assert_eq!(errors.reads(), 1, "the list ends at the first that has left");
    stack.world.advance_s(5);
    assert!(causes(&stack, &errors, &ALL).await.is_empty());
    let stats = inbox::stats(&errors, stack.world.now()).await.unwrap();
    assert_eq!((stats.active, stats.dismissed), (0, 400));
}

#[tokio::test]
async fn dismissing_twice_keeps_the_time_of_the_first() {
    let (stack, errors) = with(&[Cause::VideoFailed]).await;
    let id = errors.only().id;
    let first = inbox::dismiss(&errors, &id, &*stack.world).await.unwrap().unwrap();
    stack.world.advance_s(60);
    let second = inbox::dismiss(&errors, &id, &*stack.world).await.unwrap().unwrap();
    assert_eq!((first.dismissed_at, second.dismissed_at), (Some(after(1)), Some(after(1))));
    assert_eq!(inbox::dismiss(&errors, "err_1_none", &*stack.world).await.unwrap(), None);
    stack.world.advance_s(24 * 3600);
    assert_eq!(inbox::find(&errors, &id, stack.world.now()).await.unwrap(), None, "removed after a day");
}

#[tokio::test]
async fn all_that_can_be_dismissed_are_dismissed_once() {
    let causes_of_all = [Cause::VideoFailed, Cause::DeadLetters, Cause::FrameFailed, Cause::NextSceneBlocked];
    let (stack, errors) = with(&causes_of_all).await;
    assert_eq!(inbox::dismiss_all(&errors, &*stack.world).await.unwrap(), 3);
    assert_eq!(inbox::dismiss_all(&errors, &*stack.world).await.unwrap(), 0);
    assert_eq!(causes(&stack, &errors, &ALL).await, [Cause::DeadLetters]);
    let fault = errors.all().into_iter().find(|error| error.cause == Cause::DeadLetters).unwrap();
    assert_eq!(inbox::dismiss(&errors, &fault.id, &*stack.world).await.unwrap(), None);
}

#[tokio::test]
async fn more_than_a_page_is_dismissed_in_one_call() {
    let (stack, errors) = with(&[Cause::VideoFailed; 250]).await;
    assert_eq!(inbox::dismiss_all(&errors, &*stack.world).await.unwrap(), 250);
}

#[tokio::test]
async fn the_total_is_the_sum_of_active_and_dismissed() {
    use Cause::{FrameFailed, StitchFailed, UnknownScene, VideoFailed};
    let (stack, errors) = with(&[VideoFailed, VideoFailed, StitchFailed, UnknownScene, FrameFailed]).await;
    let id = errors.all().into_iter().find(|error| error.cause == UnknownScene).unwrap().id;
    inbox::dismiss(&errors, &id, &*stack.world).await.unwrap();
    ports(&stack, &errors).apply(&resolved(&stack, FrameFailed, "proj_1/4", 9)).await.unwrap();
    let stats = inbox::stats(&errors, stack.world.now()).await.unwrap();
    assert_eq!((stats.active, stats.dismissed, stats.partial), (3, 1, false));
    assert_eq!(stats.by_severity, [(Severity::Critical, 1), (Severity::Error, 2)].into());
    assert_eq!(stats.by_type, [(ErrorType::Generation, 3)].into());
}

#[tokio::test]
async fn a_dismissed_error_that_is_raised_again_is_back_in_the_list() {
    let (stack, errors) = with(&[Cause::VideoFailed]).await;
    inbox::dismiss_all(&errors, &*stack.world).await.unwrap();
    ports(&stack, &errors).apply(&raised(&stack, Cause::VideoFailed, "proj_1/0", 9)).await.unwrap();
    assert_eq!(causes(&stack, &errors, &ALL).await, [Cause::VideoFailed]);
    let error = errors.by_id(&errors.only().id).await.unwrap().unwrap();
    assert_eq!((error.openings, error.occurrences), (2, 2));
}

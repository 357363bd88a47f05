//! Slots rotate between projects: 50 projects starve nobody.

use std::collections::BTreeMap;

use reelhook_app::projects::launch::start_scenes;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::task::Stage;
use reelhook_testkit::{Fault, Stack, body_of, response};

use super::{add, completed, extracted, frame, posts, project, report, start, work};

fn stack(slots: usize) -> Stack {
    let mut stack = Stack::default();
    stack.scenes.slots = slots;
    stack.http.script(|request| {
        let name = body_of(request)["metadata"]["submission"].as_str().unwrap().to_owned();
        Ok(response(200, format!(r#"{{"task_id": "{name}"}}"#)))
    });
    stack
}

/// The submissions of each project so far.
fn served(stack: &Stack) -> BTreeMap<String, usize> {
    let mut served = BTreeMap::new();
    for request in posts(stack) {
        *served.entry(body_of(&request)["project_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    served
}

/// Each video that is under way ends, and its slot is free.
fn end_videos(stack: &Stack) {
    for project in stack.scenes.projects.all() {
        let tasks = project.tasks().filter(|(task, found)| task.stage() == Stage::Video && found.id().is_some());
        for (task, _) in tasks {
            report(stack, &project.id, &task, completed());
        }
    }
    stack.scenes.projects.free_slots();
}

#[tokio::test]
async fn fifty_projects_of_ten_scenes_get_their_slots_in_turn() {
    let stack = stack(20);
    for n in 1..=50 {
        add(&stack, n, 10, true);
    }
    for round in 1..=25 {
        stack.world.advance_s(1);
        assert_eq!(start(&stack).await, 20, "round {round}");
        assert_eq!(stack.scenes.projects.admission_item().active.len(), 20);
        let served = served(&stack);
        let (least, most) = (served.values().min().unwrap(), served.values().max().unwrap());
        let unserved = 50 - served.len();
        assert!(most - least <= 1 && (unserved == 0 || *most == 1), "round {round}: {served:?}");
        end_videos(&stack);
    }
    assert_eq!(start(&stack).await, 0);
    assert!(served(&stack).values().all(|scenes| *scenes == 10));
}

#[tokio::test]
async fn a_list_of_waiting_projects_that_lags_behind_changes_no_turn() {
    let stack = stack(20);
    for n in 1..=8 {
        add(&stack, n, 10, true);
    }
    stack.scenes.projects.freeze_waiting(true);
    assert_eq!(start(&stack).await, 20);
    let served = served(&stack);
    assert_eq!((served.len(), served.values().min(), served.values().max()), (8, Some(&2), Some(&3)));
}

/// The worker function takes a hint to start scenes that names a project; the number of those that it submitted.
async fn start_named(stack: &Stack, named: &ProjectId) -> usize {
    start_scenes(&stack.launch_ports(), std::slice::from_ref(named)).await.unwrap()
}

#[tokio::test]
async fn a_project_that_the_list_does_not_have_yet_is_started_by_its_hint() {
    let stack = stack(20);
    stack.scenes.projects.freeze_waiting(true);
    let id = add(&stack, 1, 3, true);
    assert_eq!(start(&stack).await, 0, "a hint that names no project finds none");
    assert_eq!(start_named(&stack, &id).await, 3);
    assert_eq!(start_named(&stack, &id).await, 0, "no other scene of it waits");
}

#[tokio::test]
async fn a_named_project_passes_none_that_the_list_has() {
    let stack = stack(1);
    let listed = add(&stack, 1, 2, true);
    stack.scenes.projects.freeze_waiting(true);
    stack.world.advance_s(1);
    let named = add(&stack, 2, 2, true);
    assert_eq!(start_named(&stack, &named).await, 1);
    assert_eq!(served(&stack), [(listed.to_string(), 1)].into());
}

#[tokio::test]
async fn a_project_that_the_list_has_is_not_read_again_for_its_name() {
    let stack = stack(20);
    let id = add(&stack, 1, 3, true);
    let loads = || stack.scenes.projects.faults.calls("load");
    assert_eq!(start(&stack).await, 3);
    let unnamed = loads();
    let id_of_other = add(&stack, 2, 3, true);
    assert_eq!((start_named(&stack, &id_of_other).await, loads() - unnamed), (3, unnamed));
    assert_eq!(served(&stack), [(id.to_string(), 3), (id_of_other.to_string(), 3)].into());
}

#[tokio::test]
async fn many_launchers_submit_each_scene_once_within_the_slots() {
    let stack = stack(7);
    for n in 1..=4 {
        add(&stack, n, 5, true);
    }
    let all = futures_util::future::join_all((0..6).map(|_| start(&stack))).await;
    assert_eq!(all.iter().sum::<usize>(), 7);
    let mut names: Vec<String> =
        posts(&stack).iter().map(|request| body_of(request)["metadata"]["submission"].to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), stack.scenes.projects.admission_item().active.len()), (7, 7));
}

#[tokio::test]
async fn what_was_claimed_before_a_fault_is_submitted() {
    let stack = stack(20);
    for n in 1..=4 {
        add(&stack, n, 1, false);
    }
    stack.scenes.projects.faults.inject("claim", [Fault::Pass, Fault::Pass, Fault::Busy]);
    let ports = stack.launch_ports();
    start_scenes(&ports, &[]).await.unwrap_err();
    assert_eq!(posts(&stack).len(), 2);
    assert_eq!(start(&stack).await, 2, "the others are next");
}

#[tokio::test]
async fn a_project_that_cannot_be_stored_stops_no_other() {
    let stack = stack(20);
    for n in 1..=2 {
        add(&stack, n, 1, false);
    }
    stack.scenes.projects.faults.inject("claim", [Fault::Refuse, Fault::Pass, Fault::Refuse]);
    assert_eq!(start(&stack).await, 1);
    assert_eq!(posts(&stack).len(), 1);
    assert_eq!(start(&stack).await, 1, "the first one is stored again");
}

#[tokio::test]
async fn a_scene_that_continues_another_one_waits_for_its_frame() {
    let stack = stack(20);
    let id: ProjectId = add(&stack, 1, 3, false);
    assert_eq!(start(&stack).await, 1);
    end_videos(&stack);
    assert_eq!(start(&stack).await, 0);
    work(&stack, &id).await;
    report(&stack, &id, &frame(1, 1), extracted());
    assert_eq!(start(&stack).await, 1);
    assert_eq!(project(&stack, &id).scenes.iter().filter(|scene| scene.is_verified()).count(), 1);
}

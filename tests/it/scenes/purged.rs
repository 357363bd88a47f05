//! Queues that lose all their messages while projects are under way: the due sweep sends what was lost again.

use super::backends::Backends;
use super::project::{assert_billed_once, completed, open, project, scenes, started};

/// The number of projects that are under way.
const COUNT: usize = 6;

#[tokio::test]
async fn purging_every_queue_in_the_middle_stops_no_project() {
    let stack = open(Backends::Services).await;
    let mut projects = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        projects.push(started(&stack, scenes(3)).await);
        stack.aws.purge_all().await;
    }
    let mut under_way = 0;
    for id in &projects {
        under_way += usize::from(project(&stack, id).await["phase"] == "running");
    }
    assert!(under_way > 0, "projects were under way at the purges");
    for _ in 0..8 {
        stack.sweep().await;
        stack.aws.purge_all().await;
    }
    for id in &projects {
        let project = completed(&stack, id).await;
        assert_billed_once(&stack, &project, 1).await;
    }
    assert!(stack.aws.slots("scene-admission").await.active.is_empty(), "every slot is free");
    stack.assert_queues_empty().await;
}

//! Lists of jobs: each job once, whatever happens between two parts.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::{clear, list};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{Event, Job, Origin, OwnerId, Status};
use reelhook_testkit::{NOON, Stack, run};

use super::{at, check_list, cleared, counts, many, put, runs, sorted, walk, walk_by, with_status};

#[tokio::test]
async fn a_list_of_all_or_of_one_status_shows_every_job_once_whatever_its_limit() {
    let stack = Stack::default();
    let jobs = many(&stack);
    check_list(&stack, None, &sorted(&jobs), true).await;
    for &status in Status::ALL {
        let ids = sorted(jobs.iter().filter(|job| job.status == status));
        assert_eq!(ids.len(), 40);
        check_list(&stack, Some(status), &ids, true).await;
    }
    let calls = || ["newest", "load_all"].map(|operation| stack.jobs.faults.calls(operation));
    let before = calls();
    list(&*stack.jobs, NOON, &with_status(None), 200, None).await.unwrap();
    assert_eq!(calls(), [before[0] + 18, before[1] + 1], "three months of six statuses, however many jobs there are");
}

#[tokio::test]
async fn jobs_of_the_same_millisecond_are_listed_once_each() {
    let stack = Stack::default();
    let mut jobs = vec![put(&stack, 90, Status::Pending, NOON), put(&stack, 91, Status::Pending, at(-2))];
    jobs.extend((0..25).map(|n| put(&stack, n, Status::Pending, at(-1))));
    let waiting = sorted(&jobs);
    jobs.extend((30..40).map(|n| put(&stack, n, Status::Failed, at(-1))));
    check_list(&stack, None, &sorted(&jobs), true).await;
    check_list(&stack, Some(Status::Pending), &waiting, true).await;
}

#[tokio::test]
async fn what_happens_between_two_parts_neither_repeats_nor_skips_a_job() {
    let stack = Stack::default();
    let jobs: Vec<Job> = (0..6).map(|n| put(&stack, n, Status::Pending, at(-i64::from(n)))).collect();
    let first = list(&*stack.jobs, NOON, &with_status(None), 2, None).await.unwrap();
    assert_eq!(first.jobs, jobs[..2]);
    stack.world.advance_s(1);
    let now = stack.world.now();
    stack.submit(50);
    stack.jobs.apply(&jobs[2].id, &Event::Cancel, now, &stack.policy);
    stack.jobs.apply(&jobs[3].id, &Event::Cancel, now, &stack.policy);
    stack.jobs.apply(&jobs[3].id, &Event::Delete, now, &stack.policy);
    let rest = list(&*stack.jobs, now, &with_status(None), 10, first.next).await.unwrap();
    let left = vec![stack.jobs.get(&jobs[2].id), jobs[4].clone(), jobs[5].clone()];
    assert_eq!((rest.jobs, rest.next), (left, None));
}

#[tokio::test]
async fn what_the_index_shows_late_is_listed_as_it_is() {
    for (filter, expected) in [(None, vec![0, 3]), (Some(Status::Pending), vec![3])] {
        let stack = Stack::default();
        let jobs: Vec<Job> = (0..4).map(|n| put(&stack, n, Status::Pending, at(-i64::from(n)))).collect();
        let (ids, policy) = (sorted(&jobs), stack.policy.clone());
        stack.jobs.before("load_all", move |jobs| {
            jobs.apply(&ids[0], &Event::Cancel, NOON, &policy);
            jobs.apply(&ids[1], &Event::Cancel, NOON, &policy);
            jobs.apply(&ids[1], &Event::Delete, NOON, &policy);
            jobs.remove(&ids[2]);
        });
        let part = list(&*stack.jobs, NOON, &with_status(filter), 10, None).await.unwrap();
        let now: Vec<Job> = expected.into_iter().map(|n: usize| stack.jobs.get(&jobs[n].id)).collect();
        assert_eq!((part.jobs, part.next), (now, None), "{filter:?}");
    }
}

#[tokio::test]
async fn cleared_jobs_are_hidden_at_once_and_newer_ones_are_not() {
    let (stack, jobs) = cleared().await;
    check_list(&stack, None, &sorted(jobs.iter().filter(|job| runs(job))), false).await;
    for status in [Status::Pending, Status::Completed, Status::Failed, Status::Cancelled] {
        check_list(&stack, Some(status), &[], false).await;
    }
    assert_eq!(counts(&stack).await, QueueCounts { processing: 2, rendering: 2, ..QueueCounts::default() });
    assert_eq!(stack.jobs.counts().total(), 12, "nothing was removed yet");
    // What ends or is made from now on shows.
    let now = stack.world.now();
    let running = jobs.iter().find(|job| job.status == Status::Processing).unwrap();
    for event in run(1, None) {
        assert!(stack.jobs.apply(&running.id, &event, now, &stack.policy));
    }
    let new = stack.submit(20);
    check_list(&stack, Some(Status::Completed), std::slice::from_ref(&running.id), false).await;
    check_list(&stack, Some(Status::Pending), &[new], false).await;
    let expected = QueueCounts { pending: 1, processing: 1, rendering: 2, completed: 1, ..QueueCounts::default() };
    assert_eq!(counts(&stack).await, expected);
}

#[tokio::test]
async fn a_list_reads_on_over_hidden_jobs_up_to_its_bound() {
    let stack = Stack::default();
    for n in 0..30 {
        put(&stack, n, Status::Pending, at(-i64::from(n)));
    }
    let running = put(&stack, 30, Status::Processing, at(-1000));
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    let part = list(&*stack.jobs, stack.world.now(), &with_status(None), 1, None).await.unwrap();
    assert_eq!((part.jobs, part.next.is_some()), (vec![], true));
    assert_eq!((stack.jobs.faults.calls("load_all"), stack.jobs.faults.calls("newest")), (5, 90));
    let found: Vec<usize> = walk(&stack, None, 1).await.iter().map(Vec::len).collect();
    assert_eq!(found, [0, 0, 0, 0, 0, 0, 1], "each part passes over five, and none is lost");
    assert_eq!(walk(&stack, None, 7).await, [[running]], "one part reads over all of them");
    let stack = Stack::default();
    let jobs = many(&stack);
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    check_list(&stack, None, &sorted(jobs.iter().filter(|job| runs(job))), false).await;
}

#[tokio::test]
async fn an_owner_finds_all_jobs_of_their_own_and_no_other() {
    let stack = Stack::default();
    let (ann, bob) = (OwnerId::parse("ann").unwrap(), OwnerId::parse("bob").unwrap());
    let mut own = Vec::new();
    for (n, job) in many(&stack).into_iter().enumerate() {
        let owner = [Some(&ann), Some(&bob), None][n % 3].cloned();
        let origin = Origin { owner: owner.clone(), ..job.origin.clone() };
        let job = Job { origin, ..job };
        stack.jobs.put(&job);
        own.extend((owner.as_ref() == Some(&ann)).then_some(job));
    }
    for status in [None, Some(Status::Failed)] {
        let filter = with_status(status).seen_by(Some(&ann));
        let expected = sorted(own.iter().filter(|job| status.is_none_or(|status| job.status == status)));
        for limit in [1, 7, 200] {
            let jobs = walk_by(&stack, &filter, limit).await.concat();
            assert!(jobs.is_sorted_by(|a, b| a.created_at >= b.created_at), "{status:?} by {limit}");
            assert_eq!(sorted(&jobs), expected, "{status:?} by {limit}");
        }
    }
    assert_eq!(walk_by(&stack, &with_status(None).seen_by(None), 200).await.concat().len(), 240);
}

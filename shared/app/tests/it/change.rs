//! Changes of jobs: conflicts are decided again, attempts are limited, and each outcome is distinguished.

use reelhook_app::change::{ChangeError, Changed, change};
use reelhook_app::store::StoreError;
use reelhook_domain::{Event, Ignored, JobId, Rejected, Status, StepStatus, Subject};
use reelhook_testkit::{NOON, Stack, started, step};

async fn happen(stack: &Stack, id: &JobId, event: &Event) -> Result<Changed, ChangeError> {
    change(&*stack.jobs, &*stack.world, &stack.policy, id, event).await
}

#[tokio::test]
async fn an_event_makes_the_next_version() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let Changed::Applied(job) = happen(&stack, &id, &Event::Claim).await.unwrap() else { panic!() };
    assert_eq!((job.version, *job), (2, stack.jobs.get(&id)));
    assert_eq!(stack.jobs.stream().len(), 2);
}

#[tokio::test]
async fn a_conflict_is_decided_again_on_the_stored_version() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let (mine, policy) = (id.clone(), stack.policy.clone());
    stack.jobs.before("save", move |jobs| {
        jobs.apply(&mine, &step(1, 3, StepStatus::Started, None), NOON, &policy);
    });
    stack.jobs.apply(&id, &Event::Claim, NOON, &stack.policy);
    let Changed::Applied(job) = happen(&stack, &id, &started(1)).await.unwrap() else { panic!() };
    assert_eq!(
        (job.version, job.status, job.run.engine.steps().unwrap().current),
        (4, Status::Processing, 3),
        "both are kept"
    );
    assert_eq!(job.run.engine.external().unwrap().worker.id.as_deref(), Some("worker-1"));
    assert_eq!(stack.jobs.faults.calls("load"), 1, "the conflict returned the stored job");
}

#[tokio::test]
async fn a_conflict_may_change_the_decision() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let (mine, policy) = (id.clone(), stack.policy.clone());
    stack.jobs.before("save", move |jobs| {
        jobs.apply(&mine, &Event::Cancel, NOON, &policy);
    });
    let changed = happen(&stack, &id, &step(1, 1, StepStatus::Started, None)).await.unwrap();
    assert!(matches!(changed, Changed::Ignored(Ignored::FinalJob, _)), "{changed:?}");
    assert_eq!(stack.jobs.get(&id).status, Status::Cancelled);
}

#[tokio::test]
async fn a_conflict_without_the_stored_item_reads_it() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.jobs.hide_conflicts(true);
    stack.jobs.conflict(&id, 2);
    let changed = happen(&stack, &id, &Event::Claim).await.unwrap();
    assert!(matches!(&changed, Changed::Applied(job) if job.version == 4), "{changed:?}");
    assert_eq!(stack.jobs.faults.calls("load"), 3);
}

#[tokio::test]
async fn eleven_conflicts_are_overcome_and_twelve_are_contention() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.jobs.conflict(&id, 11);
    assert!(matches!(happen(&stack, &id, &Event::Claim).await, Ok(Changed::Applied(_))));
    let other = stack.submit(2);
    stack.jobs.conflict(&other, 12);
    let error = happen(&stack, &other, &Event::Claim).await.unwrap_err();
    assert!(matches!(&error, ChangeError::Contended(id) if *id == Subject::from(other.clone())), "{error}");
    assert_eq!(stack.jobs.get(&other).run.start.claim, None);
}

#[tokio::test]
async fn many_reports_at_once_all_arrive() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let reports: Vec<Event> = (1..=7).map(|number| step(1, number, StepStatus::Completed, None)).collect();
    let all = reports.iter().map(|event| happen(&stack, &id, event));
    for changed in futures_util::future::join_all(all).await {
        assert!(matches!(changed.unwrap(), Changed::Applied(_) | Changed::Ignored(Ignored::OutOfSequence, _)));
    }
    let job = stack.jobs.get(&id);
    assert_eq!((job.status, job.run.engine.steps().unwrap().current, job.run.progress), (Status::Processing, 7, 85));
}

#[tokio::test]
async fn an_ignored_event_writes_nothing() {
    let stack = Stack::default();
    let id = stack.submit(1);
    let stale = happen(&stack, &id, &step(0, 1, StepStatus::Started, None)).await.unwrap();
    assert!(matches!(stale, Changed::Ignored(Ignored::StaleAttempt, _)));
    let refused = happen(&stack, &id, &Event::Retry).await.unwrap();
    assert!(matches!(refused, Changed::Rejected(Rejected::CannotRetry(Status::Pending), _)));
    assert_eq!(stack.jobs.stream().len(), 1);
}

#[tokio::test]
async fn an_unknown_a_deleted_and_a_vanished_job_are_not_found() {
    let stack = Stack::default();
    let unknown = JobId::parse("job_unknown").unwrap();
    assert_eq!(happen(&stack, &unknown, &Event::Cancel).await.unwrap(), Changed::NotFound);

    let deleted = stack.submit(1);
    for event in [Event::Cancel, Event::Delete] {
        stack.jobs.apply(&deleted, &event, NOON, &stack.policy);
    }
    for command in [Event::Cancel, Event::Retry, Event::Delete] {
        assert_eq!(happen(&stack, &deleted, &command).await.unwrap(), Changed::NotFound, "{command:?}");
    }

    let vanishing = stack.submit(2);
    let mine = vanishing.clone();
    stack.jobs.before("save", move |jobs| jobs.remove(&mine));
    assert_eq!(happen(&stack, &vanishing, &Event::Cancel).await.unwrap(), Changed::NotFound);
}

#[tokio::test]
async fn a_busy_store_is_an_error_and_nothing_is_written() {
    for operation in ["load", "save"] {
        let stack = Stack::default();
        let id = stack.submit(1);
        stack.jobs.faults.busy(operation, 1);
        let error = happen(&stack, &id, &Event::Cancel).await.unwrap_err();
        assert!(matches!(&error, ChangeError::Store(error) if error.is_busy()), "{operation}: {error}");
        assert_eq!(stack.jobs.stream().len(), 1);
    }
}

#[test]
fn a_change_that_other_writers_prevented_may_succeed_later() {
    let contended = ChangeError::Contended(Subject::Job(JobId::parse("job_1_a").unwrap()));
    assert!(StoreError::from(contended).is_busy());
    let refused = || StoreError::Refused { operation: "save job", source: "denied".into() };
    assert!(!StoreError::from(ChangeError::Store(refused())).is_busy());
}

//! The effects of clip jobs: hints, look-ups, live events, settlements of credits, and what a deleted job leaves.

use reelhook_app::clips::store::{ClipAttempts, ClipLookups, NamedSubmission};
use reelhook_app::credits::ledger::{Addition, Charge, Ledger, Reservation, Settlement};
use reelhook_app::outbox::fanout::{Plan, Purge, plan};
use reelhook_app::outbox::messages::{Delayed, PieceMessage, WorkMessage};
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::EntryKind;
use reelhook_domain::credits::price::Basis;
use reelhook_domain::{
    ClipEffect, ClipJob, ClipStatus, ClipsSnapshot, CreditEffect, Effect, Live, LiveSnapshot, Origin, OwnerId, RenderId,
};
use reelhook_testkit::{NOON, Stack, a_clip_job};

/// The owner of the job.
fn owner() -> OwnerId {
    OwnerId::parse("u-1").unwrap()
}

/// An owner's job with these effects in its outbox.
fn record(stack: &Stack, outbox: Vec<Effect>) -> ClipJob {
    let origin = Origin { owner: Some(owner()), ..Origin::default() };
    ClipJob { origin, outbox, ..a_clip_job(1, NOON, &stack.clips.policy) }
}

async fn planned(stack: &Stack, job: &ClipJob) -> Plan {
    plan(job, &stack.subscriptions().await, stack.scenes.links(), stack.policy.hint_grace)
}

#[tokio::test]
async fn hints_and_lookups_follow_from_the_effects() {
    let stack = Stack::default();
    let worker_id = RenderId::parse("worker-9").unwrap();
    let outbox = vec![
        ClipEffect::Work { delay_s: 3 }.into(),
        ClipEffect::Index { number: 1, worker_id: Some(worker_id) }.into(),
        ClipEffect::Index { number: 2, worker_id: None }.into(),
        ClipEffect::CancelWork { number: 1 }.into(),
        Effect::Draw { hints: 2, delay_s: 5 },
    ];
    let job = record(&stack, outbox);
    let (job_id, plan) = (job.id.clone(), planned(&stack, &job).await);
    let work = [
        Delayed { message: WorkMessage::Clip { job_id: job_id.clone() }, delay_s: 3 },
        Delayed::now(WorkMessage::CancelClip { job_id: job_id.clone(), number: 1 }),
    ];
    assert_eq!(plan.work, work);
    let piece = Delayed { message: PieceMessage::Clip { job_id: job_id.clone() }, delay_s: 5 };
    assert_eq!(plan.pieces, [piece.clone(), piece]);
    let named = |id: &str, number| NamedSubmission { id: id.to_owned(), job: job_id.clone(), number };
    assert_eq!(plan.submissions, [named("worker-9", 1), named(&job_id.external_id(2), 2)]);
    stack.fan_out(std::slice::from_ref(&job)).await.unwrap();
    let jobs = &stack.clips.jobs;
    assert_eq!(jobs.submission("worker-9").await.unwrap(), Some((job_id.clone(), 1)));
    assert_eq!(jobs.submission(&job_id.external_id(2)).await.unwrap(), Some((job_id, 2)));
}

#[tokio::test]
async fn credits_are_settled_once_for_the_owner() {
    let stack = Stack::default();
    let (jobs, account) = (&stack.clips.jobs, Account::Owner(owner()));
    let (kind, description) = (EntryKind::Bonus, String::new());
    let bonus =
        Addition { account: account.clone(), id: "add.1".to_owned(), kind, credits: 100, description, at: NOON };
    jobs.add(&bonus).await.unwrap();
    let first = record(&stack, Vec::new());
    let reservation =
        Reservation { account: account.clone(), id: first.reservation(), credits: 30, held: None, limited: true };
    jobs.insert(&first, &reservation, None, NOON).await.unwrap();
    assert_eq!(jobs.balance(&account).await.unwrap().available(), 70);

    let settle = CreditEffect::Settle { reservation: first.reservation(), credits: 45, basis: Basis::Reported };
    let done = ClipJob { outbox: vec![settle.into()], status: ClipStatus::Succeeded, ..first.clone() };
    let job = first.id.uuid().to_owned();
    let expected = Settlement {
        account: account.clone(),
        reservation: first.reservation(),
        charge: Some(Charge {
            credits: 45,
            basis: Basis::Reported,
            description: format!("Clips of job {job}"),
            job: job.clone(),
        }),
        at: done.updated_at,
    };
    assert_eq!(planned(&stack, &done).await.credits, [expected]);
    let release = CreditEffect::Release { reservation: first.reservation() };
    let released = ClipJob { outbox: vec![release.into()], ..done.clone() };
    stack.fan_out(&[done.clone(), done, released]).await.unwrap();
    let balance = jobs.balance(&account).await.unwrap();
    assert_eq!((balance.balance, balance.reserved, balance.spent), (55, 0, 45));
    let entries = jobs.entries_of(&account);
    assert_eq!(entries.len(), 2);
    assert_eq!((entries[1].amount, entries[1].job.as_deref()), (-45, Some(job.as_str())));
}

#[tokio::test]
async fn a_ledger_that_is_busy_stops_the_batch_and_a_replay_settles() {
    let stack = Stack::default();
    let jobs = &stack.clips.jobs;
    let first = record(&stack, Vec::new());
    let account = Account::Owner(owner());
    let reservation =
        Reservation { account: account.clone(), id: first.reservation(), credits: 30, held: None, limited: false };
    jobs.insert(&first, &reservation, None, NOON).await.unwrap();
    let release = CreditEffect::Release { reservation: first.reservation() };
    let canceled = ClipJob { outbox: vec![release.into()], ..first.clone() };
    jobs.faults.busy("settle", 1);
    assert_eq!(stack.fan_out(&[first.clone(), canceled.clone()]).await.unwrap_err().index, 1);
    assert_eq!(jobs.balance(&account).await.unwrap().reserved, 30);
    stack.fan_out(&[canceled]).await.unwrap();
    assert_eq!(jobs.balance(&account).await.unwrap().reserved, 0);
    assert!(jobs.entries_of(&account).is_empty(), "nothing was charged");
}

#[tokio::test]
async fn a_live_event_shows_the_job_and_a_deleted_one_is_purged() {
    let stack = Stack::default();
    let events = vec![Live::Clip { index: 0 }, Live::Clips];
    let job = record(&stack, vec![Effect::Live { events: events.clone(), after: 3 }, Effect::Purge]);
    let plan = planned(&stack, &job).await;
    let live = plan.logs[0].live.as_ref().unwrap();
    assert_eq!((&live.events, live.after), (&events, 3));
    let expected = ClipsSnapshot {
        clips_status: job.status,
        clips_progress: job.run.progress,
        stage: job.run.stage.clone(),
        completed: job.run.clips_completed,
        total: job.run.total_clips,
        error: job.error.clone(),
    };
    assert_eq!(live.snapshot, LiveSnapshot::Clips(expected));
    let prefixes = vec![format!("clips/{}/", job.id)];
    assert_eq!(plan.purge, Some(Purge { subject: job.id.clone().into(), prefixes }));
}

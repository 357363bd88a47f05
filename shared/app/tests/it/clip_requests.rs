//! Tests of requests for clips and credits: reservations, repeats, and jobs that do the same.

use reelhook_app::clips::requests::create::{CreatePorts, Created, NewClips, create_job};
use reelhook_app::clips::requests::retry::{Retried, retry_job};
use reelhook_app::clips::store::AttemptPorts;
use reelhook_app::credits::requests::{AddPorts, Added, NewCredits, add, read};
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_domain::clips::event::Event;
use reelhook_domain::clips::reasons::Rejected;
use reelhook_domain::clips::request::{ClipRequest, Range, Source};
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::EntryKind;
use reelhook_domain::{ClipJob, ClipPolicy, ClipStatus, Origin, OwnerId, WebUrl};
use reelhook_testkit::{Fault, MemoryClips, NOON, World, a_clip_job};

/// A stack with the jobs, and settings that a test changes.
#[derive(Default)]
struct Requests {
    stored: MemoryClips,
    world: World,
    policy: ClipPolicy,
    limited: bool,
}

impl Requests {
    async fn create(&self, new: NewClips) -> Created {
        create_job(&self.ports(), new).await.unwrap()
    }

    fn ports(&self) -> CreatePorts<'_> {
        CreatePorts {
            attempts: &self.stored,
            jobs: &self.stored,
            list: &self.stored,
            clock: &self.world,
            policy: &self.policy,
            limited: self.limited,
        }
    }

    async fn created(&self, new: NewClips) -> ClipJob {
        let Created::Job(job) = self.create(new).await else { panic!("it is new") };
        *job
    }

    async fn retry(&self, job: &ClipJob) -> Retried {
        let ports = AttemptPorts {
            attempts: &self.stored,
            jobs: &self.stored,
            clock: &self.world,
            policy: &self.policy,
            limited: self.limited,
        };
        retry_job(&ports, self.stored.get(&job.id)).await.unwrap()
    }

    async fn add(&self, credits: u64, key: Option<&str>, body: &str) -> Added {
        let ports = AddPorts { ledger: &self.stored, keys: &self.stored, clock: &self.world };
        let new = NewCredits {
            account: account(),
            kind: EntryKind::Purchase,
            credits,
            description: "Credits purchased".to_owned(),
            key: key.map(|key| IdempotencyKey::new("root", key, body)),
        };
        add(&ports, new).await.unwrap()
    }

    fn reserved(&self) -> u64 {
        self.stored.balance_of(&account()).reserved
    }
}

fn ann() -> OwnerId {
    OwnerId::parse("ann").unwrap()
}

fn account() -> Account {
    Account::Owner(ann())
}

fn wanted() -> ClipRequest {
    a_clip_job(1, NOON, &ClipPolicy::default()).request
}

fn new(request: ClipRequest, key: Option<&str>) -> NewClips {
    NewClips {
        request,
        reuse: false,
        origin: Origin { owner: Some(ann()), ..Origin::default() },
        key: key.map(|key| IdempotencyKey::new("ann", key, "body")),
    }
}

#[tokio::test]
async fn a_job_reserves_its_credits_with_its_creation() {
    let requests = Requests::default();
    let job = requests.created(new(wanted(), None)).await;
    assert_eq!((job.status, job.credits.reserved, requests.reserved()), (ClipStatus::Queued, 10, 10));
    let ranges = vec![Range { start_ms: 0, end_ms: 120_000 }, Range { start_ms: 200_000, end_ms: 260_000 }];
    requests.created(new(ClipRequest { ranges, ..wanted() }, None)).await;
    assert_eq!(requests.reserved(), 10 + 30, "three minutes in all");
}

#[tokio::test]
async fn a_job_without_credits_is_not_created() {
    let requests = Requests { limited: true, ..Requests::default() };
    let outcome = requests.create(new(wanted(), Some("k"))).await;
    assert!(matches!(outcome, Created::Insufficient { needed: 10, .. }), "{outcome:?}");
    assert!(requests.stored.all().is_empty());
    requests.add(15, None, "").await;
    requests.created(new(wanted(), Some("k"))).await;
    let outcome = requests.create(new(wanted(), None)).await;
    let Created::Insufficient { balance, needed: 10 } = outcome else { panic!("{outcome:?}") };
    assert_eq!((balance.available(), requests.stored.all().len()), (5, 1));
}

#[tokio::test]
async fn a_repeated_key_makes_one_job_and_one_reservation() {
    let requests = Requests::default();
    requests.stored.faults.inject("insert", [Fault::LostAnswer]);
    let first = create_job(&requests.ports(), new(wanted(), Some("k"))).await;
    assert!(first.is_err(), "its answer was lost");
    let id = requests.stored.all()[0].id.clone();
    assert_eq!(requests.create(new(wanted(), Some("k"))).await, Created::Repeated(id));
    let other = NewClips { key: Some(IdempotencyKey::new("ann", "k", "another body")), ..new(wanted(), None) };
    assert_eq!(requests.create(other).await, Created::KeyReused);
    assert_eq!((requests.stored.all().len(), requests.reserved()), (1, 10));
}

#[tokio::test]
async fn of_two_requests_with_one_key_the_later_gets_the_job_of_the_first() {
    let requests = Requests::default();
    let key = || IdempotencyKey::new("ann", "k", "body");
    let faster = a_clip_job(7, NOON, &requests.policy);
    let record = key().record(faster.id.to_string(), NOON);
    let id = faster.id.clone();
    requests.stored.before("insert", move |stored| stored.put_with_record(&faster, &record));
    assert_eq!(requests.create(new(wanted(), Some("k"))).await, Created::Repeated(id));
    assert_eq!((requests.stored.all().len(), requests.reserved()), (1, 0));
}

#[tokio::test]
async fn a_job_that_does_the_same_is_reused_unless_it_failed_or_is_of_another() {
    let requests = Requests::default();
    let again = |key| NewClips { reuse: true, ..new(wanted(), key) };
    let first = requests.created(again(None)).await;
    let existing = |outcome: Created| match outcome {
        Created::Existing(job) => job.id,
        other => panic!("{other:?}"),
    };
    assert_eq!(existing(requests.create(again(None)).await), first.id);
    assert_eq!(existing(requests.create(again(Some("k"))).await), first.id);
    assert_eq!(requests.create(again(Some("k"))).await, Created::Repeated(first.id.clone()));
    let other = NewClips { origin: Origin::default(), ..again(None) };
    assert!(matches!(requests.create(other).await, Created::Job(_)), "another account has its own job");
    let callback = WebUrl::parse("https://client.example/hook");
    let notified = NewClips { reuse: true, ..new(ClipRequest { callback, ..wanted() }, None) };
    assert_eq!(existing(requests.create(notified).await), first.id, "a callback changes no clip");
    let different = NewClips { reuse: true, ..new(ClipRequest { count: Some(7), ..wanted() }, None) };
    assert!(matches!(requests.create(different).await, Created::Job(_)));
    assert!(requests.stored.apply(&first.id, &Event::Cancel, NOON, &requests.policy));
    assert!(matches!(requests.create(again(None)).await, Created::Job(_)), "a canceled job is no result");
}

#[tokio::test]
async fn a_page_of_a_video_site_needs_a_worker() {
    let url = WebUrl::parse("https://www.youtube.com/watch?v=abc").unwrap();
    let page = ClipRequest { source: Source::Page(url), ..wanted() };
    let requests = Requests::default();
    assert_eq!(requests.create(new(page.clone(), None)).await, Created::PageUnreadable);
    let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
    let with_worker = Requests { policy, ..Requests::default() };
    let job = with_worker.created(new(page, None)).await;
    assert!(with_worker.stored.apply(&job.id, &Event::Cancel, NOON, &with_worker.policy));
    let without_worker = Requests { policy: ClipPolicy::default(), ..with_worker };
    assert_eq!(without_worker.retry(&job).await, Retried::PageUnreadable);
}

#[tokio::test]
async fn a_worker_gets_one_range() {
    let range = |start_ms: u64| Range { start_ms, end_ms: start_ms + 60_000 };
    let two = ClipRequest { ranges: vec![range(0), range(90_000)], ..wanted() };
    let of_our_own = Requests::default();
    let job = of_our_own.created(new(two.clone(), None)).await;
    assert!(of_our_own.stored.apply(&job.id, &Event::Cancel, NOON, &of_our_own.policy));
    let policy = ClipPolicy { has_worker: true, ..ClipPolicy::default() };
    let with_worker = Requests { policy, ..of_our_own };
    assert_eq!(with_worker.retry(&job).await, Retried::TooManyRanges(2), "the stack has a worker since then");
    assert_eq!(with_worker.create(new(two, None)).await, Created::TooManyRanges(2));
    assert_eq!((with_worker.stored.all().len(), with_worker.stored.get(&job.id).status), (1, ClipStatus::Canceled));
    with_worker.created(new(ClipRequest { ranges: vec![range(0)], ..wanted() }, None)).await;
}

#[tokio::test]
async fn a_retry_reserves_anew() {
    let requests = Requests { limited: true, ..Requests::default() };
    requests.add(25, None, "").await;
    let job = requests.created(new(wanted(), None)).await;
    assert_eq!(requests.retry(&job).await, Retried::Rejected(Rejected::UnderWay));
    assert!(requests.stored.apply(&job.id, &Event::Cancel, NOON, &requests.policy));
    let Retried::Done(retried) = requests.retry(&job).await else { panic!("it is retried") };
    assert_eq!((retried.run.attempt, retried.status, requests.reserved()), (2, ClipStatus::Queued, 20));
    assert_ne!(retried.reservation(), job.reservation());
    assert!(requests.stored.apply(&job.id, &Event::Cancel, NOON, &requests.policy));
    let outcome = requests.retry(&job).await;
    assert!(matches!(outcome, Retried::Insufficient { needed: 10, .. }), "{outcome:?}");
    assert_eq!(requests.stored.get(&job.id).status, ClipStatus::Canceled);
}

#[tokio::test]
async fn a_retry_reserves_what_the_source_is_known_to_cost() {
    let requests = Requests { limited: true, ..Requests::default() };
    requests.add(100, None, "").await;
    let job = requests.created(new(wanted(), None)).await;
    let happen = |event: Event| assert!(requests.stored.apply(&job.id, &event, NOON, &requests.policy));
    happen(Event::ClaimPiece);
    happen(Event::NotCovered { claim: 1, source_ms: 7_200_000, available: 90 });
    let outcome = requests.retry(&job).await;
    assert!(matches!(outcome, Retried::Insufficient { needed: 1200, .. }), "{outcome:?}");
    requests.add(2000, None, "").await;
    let Retried::Done(retried) = requests.retry(&job).await else { panic!("it is retried") };
    assert_eq!(retried.credits.reserved, 1200);
}

#[tokio::test]
async fn a_declared_length_changes_no_clip() {
    let requests = Requests::default();
    let declared = |declared_ms| NewClips { reuse: true, ..new(ClipRequest { declared_ms, ..wanted() }, None) };
    let first = requests.created(declared(Some(600_000))).await;
    assert_eq!((first.credits.reserved, requests.reserved()), (100, 100));
    for again in [declared(None), declared(Some(700_000))] {
        assert_eq!(requests.create(again).await, Created::Existing(Box::new(first.clone())));
    }
}

#[tokio::test]
async fn a_retry_that_meets_a_faster_one_reserves_once() {
    let requests = Requests::default();
    let job = requests.created(new(wanted(), None)).await;
    let policy = requests.policy.clone();
    assert!(requests.stored.apply(&job.id, &Event::Cancel, NOON, &policy));
    let id = job.id.clone();
    requests.stored.before("save_attempt", move |stored| {
        assert!(stored.apply(&id, &Event::Retry { reserved: 10 }, NOON, &policy));
    });
    let Retried::Done(retried) = requests.retry(&job).await else { panic!("it is retried") };
    assert_eq!((retried.run.attempt, requests.reserved()), (2, 10), "only the creation reserved here");
}

#[tokio::test]
async fn credits_are_added_once_for_each_key() {
    let requests = Requests::default();
    requests.stored.faults.inject("add", [Fault::LostAnswer]);
    let ports = AddPorts { ledger: &requests.stored, keys: &requests.stored, clock: &requests.world };
    let lost = NewCredits {
        account: account(),
        kind: EntryKind::Purchase,
        credits: 100,
        description: "Credits purchased".to_owned(),
        key: Some(IdempotencyKey::new("root", "k", "body")),
    };
    assert!(add(&ports, lost).await.is_err());
    let Added::Entry(entry, balance) = requests.add(100, Some("k"), "body").await else { panic!("it is a repeat") };
    assert_eq!((entry.amount, entry.balance_after, balance.balance), (100, 100, 100));
    assert_eq!(requests.add(100, Some("k"), "another body").await, Added::KeyReused);
    requests.add(5, None, "").await;
    requests.add(5, None, "").await;
    let page = read(&requests.stored, account(), None, 2).await.unwrap();
    let amounts: Vec<i64> = page.page.entries.iter().map(|entry| entry.amount).collect();
    assert_eq!((page.balance.balance, amounts), (110, vec![5, 5]));
    let rest = read(&requests.stored, account(), page.page.next.as_deref(), 2).await.unwrap();
    assert_eq!((rest.page.entries.len(), rest.page.next), (1, None));
}

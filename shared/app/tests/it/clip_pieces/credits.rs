//! The credits of films whose lengths are not known before a renderer has probed them: what does not fit is not cut.

use reelhook_app::clips::store::{ClipAttempts, Reserved};
use reelhook_app::credits::ledger::{Addition, Ledger, Reservation};
use reelhook_app::outbox::source::CreditSource;
use reelhook_domain::Effect;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, EntryKind};

use super::*;

/// The length of a film: two hours.
const FILM_MS: u64 = 7_200_000;
/// What a film costs.
const PRICE: u64 = 1200;
/// What a job reserves as long as no length is known.
const MINIMUM: u64 = 10;

impl Fixture {
    /// Each source is a film; the account has so many credits, and needs what its jobs reserve.
    async fn of_films(credits: u64) -> Self {
        let fixture = Self { limited: true, ..Self::of_videos() };
        fixture.cutter.shape.lock().unwrap().duration_ms = FILM_MS;
        let addition = Addition {
            account: Account::Operator,
            id: "add.1".to_owned(),
            kind: EntryKind::Purchase,
            credits,
            description: String::new(),
            at: NOON,
        };
        fixture.jobs.add(&addition).await.unwrap();
        fixture
    }

    /// A job of film number `n`, which is admitted for the minimum.
    async fn admit(&self, n: u32) -> ClipJobId {
        let job = a_clip_job(n, NOON, &self.policy);
        let reservation = Reservation {
            account: job.account(),
            id: job.reservation(),
            credits: MINIMUM,
            held: None,
            limited: self.limited,
        };
        assert_eq!(self.jobs.insert(&job, &reservation, None, NOON).await.unwrap(), Reserved::Done);
        job.id
    }

    /// Fanout ends the reservations of the attempts that have ended.
    async fn settle(&self) {
        for job in self.jobs.stream() {
            for effect in &job.outbox {
                let Effect::Credits(effect) = effect else { continue };
                self.jobs.settle(&job.settlement(effect).unwrap()).await.unwrap();
            }
        }
    }

    /// The balance, to which all entries add up.
    fn balance(&self) -> Balance {
        let balance = self.jobs.balance_of(&Account::Operator);
        let sum: i64 = self.jobs.entries_of(&Account::Operator).iter().map(|entry| entry.amount).sum();
        assert_eq!(balance.balance, sum);
        balance
    }
}

#[tokio::test]
async fn of_ten_films_those_are_cut_that_the_account_pays() {
    for (credits, cut) in [(100, 0), (2500, 2), (10 * PRICE, 10)] {
        let fixture = Fixture::of_films(credits).await;
        let mut ids = Vec::new();
        for n in 1..=10 {
            ids.push(fixture.admit(n).await);
        }
        assert_eq!(fixture.balance().reserved, 10 * MINIMUM);
        for id in &ids {
            assert_eq!(fixture.process(id).await, PieceOutcome::Reported);
            assert!(fixture.balance().available() >= 0, "{credits} credits: {:?}", fixture.balance());
        }
        assert_eq!(fixture.balance().reserved, cut * PRICE + (10 - cut) * MINIMUM);
        for id in &ids {
            fixture.process_all(id).await;
        }
        let planned = fixture.cutter.asked().into_iter().filter(|asked| matches!(asked, Asked::Plan(_))).count();
        assert_eq!(u64::try_from(planned).unwrap(), cut, "{credits} credits");
        for (place, id) in (0..).zip(&ids) {
            let job = fixture.jobs.get(id);
            if place < cut {
                assert_eq!((job.status, job.credits.charged), (ClipStatus::Succeeded, PRICE));
            } else {
                let error = job.error.unwrap_or_default();
                assert_eq!((job.status, job.credits.charged), (ClipStatus::Failed, 0), "{error}");
                assert!(error.starts_with("Insufficient credits: the clips of this source cost 1200, "), "{error}");
            }
        }
        fixture.settle().await;
        let balance = fixture.balance();
        assert_eq!((balance.spent, balance.reserved), (cut * PRICE, 0), "{credits} credits");
    }
}

#[tokio::test]
async fn without_a_limit_the_reservation_is_raised_all_the_same() {
    let fixture = Fixture { limited: false, ..Fixture::of_films(100).await };
    let id = fixture.admit(1).await;
    fixture.process(&id).await;
    assert_eq!((fixture.balance().reserved, fixture.jobs.get(&id).credits.reserved), (PRICE, PRICE));
    fixture.process_all(&id).await;
    fixture.settle().await;
    let balance = fixture.balance();
    assert_eq!((fixture.jobs.get(&id).status, balance.balance, balance.reserved), (ClipStatus::Succeeded, -1100, 0));
}

#[tokio::test]
async fn a_raise_that_meets_another_writer_is_made_once() {
    let fixture = Fixture::of_films(5000).await;
    let id = fixture.admit(1).await;
    let (policy, beaten) = (fixture.policy.clone(), id.clone());
    fixture.jobs.before("save_attempt", move |jobs| {
        assert!(jobs.apply(&beaten, &Event::PieceProgressed { claim: 1, units: 50 }, NOON, &policy));
    });
    assert_eq!(fixture.process(&id).await, PieceOutcome::Reported);
    assert_eq!((fixture.balance().reserved, fixture.jobs.get(&id).credits.reserved), (PRICE, PRICE));
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_is_probed_raises_nothing() {
    let fixture = Fixture::of_films(5000).await;
    let id = fixture.admit(1).await;
    let (policy, canceled) = (fixture.policy.clone(), id.clone());
    fixture.jobs.before("save_attempt", move |jobs| assert!(jobs.apply(&canceled, &Event::Cancel, NOON, &policy)));
    assert_eq!(fixture.process(&id).await, PieceOutcome::Lost);
    assert_eq!(fixture.balance().reserved, MINIMUM);
    fixture.settle().await;
    assert_eq!((fixture.balance().balance, fixture.balance().reserved), (5000, 0));
}

//! Generated histories of a balance: reservations, their ends, additions, and repeats of each, as the port of the ledger
//! describes them. The balance is the sum of the entries at any time, and what is reserved is the sum of the open
//! reservations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};
use reelhook_domain::credits::price::Basis;
use reelhook_domain::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn entries_and_reservations_always_add_up(
        is_limited in any::<bool>(),
        steps in prop::collection::vec(a_step(), 1..120),
    ) {
        let mut ledger = Ledger::default();
        for step in steps {
            let before = ledger.balance;
            ledger.meet(step, is_limited);
            ledger.invariant_it_adds_up();
            ledger.invariant_each_change_is_one_version(before);
        }
    }
}

/// Jobs and requests are few, so that ids come again: a repeat is a replay.
#[derive(Debug, Clone, Copy)]
enum Step {
    Reserve {
        job: u8,
        attempt: u8,
        credits: u64,
    },
    /// None releases the reservation.
    End {
        job: u8,
        attempt: u8,
        charge: Option<u64>,
    },
    Add {
        request: u8,
        credits: u64,
    },
}

fn a_step() -> impl Strategy<Value = Step> {
    let credits = || prop_oneof![6 => 0_u64..500, 1 => Just(u64::from(u32::MAX))];
    let charge = prop_oneof![2 => Just(None::<u64>), 5 => credits().prop_map(Some)];
    prop_oneof![
        4 => (0_u8..6, 1_u8..4, credits()).prop_map(|(job, attempt, credits)| Step::Reserve { job, attempt, credits }),
        4 => (0_u8..6, 1_u8..4, charge).prop_map(|(job, attempt, charge)| Step::End { job, attempt, charge }),
        2 => (0_u8..12, credits()).prop_map(|(request, credits)| Step::Add { request, credits }),
    ]
}

/// A ledger as its port describes it: each step is one transaction on condition of the ids that it writes. Its balances are
/// those of the domain; the transactions themselves are tested where they are made.
#[derive(Default)]
struct Ledger {
    balance: Balance,
    entries: Vec<Entry>,
    /// Open reservations.
    open: BTreeMap<String, u64>,
    /// Reservations that were ever made: a job creates none twice.
    made: BTreeSet<String>,
    /// Whether a step has changed it.
    has_changed: bool,
}

impl Ledger {
    fn meet(&mut self, step: Step, is_limited: bool) {
        self.has_changed = false;
        match step {
            Step::Reserve { job, attempt, credits } => self.reserve(format!("{job}.{attempt}"), credits, is_limited),
            Step::End { job, attempt, charge } => self.end(&format!("{job}.{attempt}"), charge),
            Step::Add { request, credits } => self.add(format!("add.{request}"), credits),
        }
    }

    fn reserve(&mut self, id: String, credits: u64, is_limited: bool) {
        if self.made.contains(&id) {
            return;
        }
        let available = self.balance.available();
        let fits = i64::try_from(credits).unwrap() <= available;
        let Some(balance) = self.balance.reserve(credits, is_limited) else {
            assert!(is_limited && !fits, "{credits} of {available} are refused");
            return;
        };
        assert!(!is_limited || fits, "{credits} of {available} are reserved");
        self.save(balance);
        self.made.insert(id.clone());
        self.open.insert(id, credits);
    }

    fn end(&mut self, id: &str, charge: Option<u64>) {
        let Some(reserved) = self.open.remove(id) else { return };
        let charged = charge.unwrap_or(0);
        self.save(self.balance.settle(reserved, charged));
        if charge.is_some() {
            self.write(id.to_owned(), EntryKind::Usage, -i64::try_from(charged).unwrap(), Some(Basis::Reported));
        }
    }

    fn add(&mut self, id: String, credits: u64) {
        if self.entries.iter().any(|entry| entry.id == id) {
            return;
        }
        self.save(self.balance.add(credits));
        self.write(id, EntryKind::Purchase, i64::try_from(credits).unwrap(), None);
    }

    fn save(&mut self, balance: Balance) {
        self.balance = balance;
        self.has_changed = true;
    }

    fn write(&mut self, id: String, kind: EntryKind, amount: i64, basis: Option<Basis>) {
        let (balance_after, description) = (self.balance.balance, String::new());
        let entry = Entry { id, kind, amount, balance_after, description, job: None, basis, at: Timestamp::EPOCH };
        self.entries.push(entry);
    }

    fn invariant_it_adds_up(&self) {
        let Balance { version: _, balance, reserved, earned, spent } = self.balance;
        let sum = |is_meant: fn(&Entry) -> bool| {
            self.entries.iter().filter(|entry| is_meant(entry)).map(|entry| entry.amount).sum::<i64>()
        };
        assert_eq!(balance, sum(|_| true));
        assert_eq!(i64::try_from(earned).unwrap(), sum(|entry| entry.kind != EntryKind::Usage));
        assert_eq!(-i64::try_from(spent).unwrap(), sum(|entry| entry.kind == EntryKind::Usage));
        assert_eq!(reserved, self.open.values().sum::<u64>());
        assert_eq!(self.balance.available(), balance - i64::try_from(reserved).unwrap());
        let mut running = 0;
        for entry in &self.entries {
            running += entry.amount;
            assert_eq!(entry.balance_after, running, "entry {}", entry.id);
        }
    }

    fn invariant_each_change_is_one_version(&self, before: Balance) {
        assert_eq!(self.balance.version, before.version + u64::from(self.has_changed));
        assert!(self.has_changed || self.balance == before, "a replay changes {before:?}");
    }
}

#[test]
fn ten_of_fifty_jobs_fit_into_a_balance_for_ten() {
    let mut balance = Balance::default().add(100);
    let mut admitted = 0;
    for _ in 0..50 {
        if let Some(next) = balance.reserve(10, true) {
            balance = next;
            admitted += 1;
        }
    }
    assert_eq!((admitted, balance.reserved, balance.available()), (10, 100, 0));
    let released = balance.settle(10, 0);
    assert_eq!((released.balance, released.available(), released.spent), (100, 10, 0));
    let charged = balance.settle(10, 25);
    assert_eq!((charged.balance, charged.available(), charged.spent), (75, -15, 25), "the length was not known before");
    assert!(charged.reserve(1, true).is_none() && charged.reserve(1, false).is_some());
}

#[test]
fn numbers_out_of_range_are_refused_or_saturate() {
    let balance = Balance::default();
    assert!(balance.reserve(u64::MAX, true).is_none());
    let most = balance.reserve(u64::MAX, false).unwrap();
    assert!(most.reserve(1, false).is_none());
    assert_eq!(most.available(), -i64::MAX);
    assert_eq!(balance.add(u64::MAX).balance, i64::MAX);
    assert_eq!(balance.settle(0, u64::MAX).balance, -i64::MAX);
}

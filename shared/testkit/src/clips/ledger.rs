//! The ledger, and new attempts with their reservations, with the conditions that DynamoDB would check.

use async_trait::async_trait;
use reelhook_app::clips::store::{ClipAttempts, Reserved};
use reelhook_app::credits::ledger::{Addition, EntryPage, Ledger, PageStart, Reservation, Settlement};
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::store::StoreError;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};
use reelhook_domain::{ClipJob, Timestamp};

use super::table::{MemoryClips, State};

#[async_trait]
impl IdempotencyStore for MemoryClips {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.enter("record").await;
        let done = self.faults.check("record")?;
        let known = self.state().records.get(&(caller.to_owned(), key.to_owned())).cloned();
        done.answer(known.filter(|known| known.expires_at > now))
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.enter("remember_key").await;
        let done = self.faults.check("remember_key")?;
        let mut state = self.state();
        let known = state.known_record(record, now);
        if known.is_none() {
            state.keep_record(record);
        }
        done.answer(known)
    }
}

#[async_trait]
impl ClipAttempts for MemoryClips {
    async fn insert(
        &self,
        job: &ClipJob,
        reservation: &Reservation,
        record: Option<&IdempotencyRecord>,
        now: Timestamp,
    ) -> Result<Reserved, StoreError> {
        self.enter("insert").await;
        let done = self.faults.check_about("insert", &job.id)?;
        let mut state = self.state();
        if let Some(known) = record.and_then(|record| state.known_record(record, now)) {
            return done.answer(Reserved::Repeated(known));
        }
        if state.jobs.contains_key(&job.id) {
            return done.answer(Reserved::Conflict);
        }
        let outcome = state.reserve(job, reservation);
        if let (Reserved::Done, Some(record)) = (&outcome, record) {
            state.keep_record(record);
        }
        done.answer(outcome)
    }

    async fn save_attempt(&self, job: &ClipJob, reservation: &Reservation) -> Result<Reserved, StoreError> {
        self.enter("save_attempt").await;
        let done = self.faults.check_about("save_attempt", &job.id)?;
        let mut state = self.state();
        if !state.follows(job) {
            return done.answer(Reserved::Conflict);
        }
        let outcome = state.reserve(job, reservation);
        done.answer(outcome)
    }
}

impl State {
    /// Writes a job and its reservation, if the account has the credits.
    fn reserve(&mut self, job: &ClipJob, reservation: &Reservation) -> Reserved {
        let Reservation { account, id, credits, held, limited } = reservation;
        let key = (account.clone(), id.clone());
        if self.reservations.get(&key) != held.as_ref() {
            return Reserved::Conflict;
        }
        let balance = self.balances.get(account).copied().unwrap_or_default();
        let Some(next) = balance.reserve(reservation.added(), *limited) else { return Reserved::Insufficient(balance) };
        self.balances.insert(account.clone(), next);
        self.reservations.insert(key, *credits);
        self.write(job);
        Reserved::Done
    }

    /// Appends an entry that led from one balance to another.
    fn enter(&mut self, account: &Account, before: &Balance, after: &Balance, entry: Entry) -> Entry {
        let entry =
            Entry { amount: after.balance.saturating_sub(before.balance), balance_after: after.balance, ..entry };
        self.entries.entry(account.clone()).or_default().push((after.version, entry.clone()));
        entry
    }
}

#[async_trait]
impl Ledger for MemoryClips {
    async fn balance(&self, account: &Account) -> Result<Balance, StoreError> {
        self.enter("balance").await;
        self.faults.check("balance")?.answer(self.balance_of(account))
    }

    async fn entries(&self, account: &Account, from: PageStart<'_>, limit: usize) -> Result<EntryPage, StoreError> {
        self.enter("entries").await;
        let done = self.faults.check("entries")?;
        let mut all = self.state().entries.get(account).cloned().unwrap_or_default();
        match from {
            PageStart::AsOf(version) => all.retain(|(made, _)| *made <= version),
            // The cursor counts the entries that are left, from the oldest.
            PageStart::After(cursor) => all.truncate(cursor.parse().unwrap_or(0)),
        }
        let left = all.len().saturating_sub(limit);
        let entries = all.into_iter().skip(left).rev().map(|(_, entry)| entry).collect();
        done.answer(EntryPage { entries, next: (left > 0).then(|| left.to_string()) })
    }

    async fn add(&self, addition: &Addition) -> Result<Entry, StoreError> {
        self.enter("add").await;
        let done = self.faults.check("add")?;
        let mut state = self.state();
        let all = state.entries.get(&addition.account);
        let known = all.and_then(|all| all.iter().find(|(_, one)| one.id == addition.id));
        if let Some((_, known)) = known.cloned() {
            return done.answer(known);
        }
        let before = state.balances.get(&addition.account).copied().unwrap_or_default();
        let after = before.add(addition.credits);
        state.balances.insert(addition.account.clone(), after);
        let entry = Entry {
            id: addition.id.clone(),
            kind: addition.kind,
            amount: 0,
            balance_after: 0,
            description: addition.description.clone(),
            job: None,
            basis: None,
            at: addition.at,
        };
        let entry = state.enter(&addition.account, &before, &after, entry);
        done.answer(entry)
    }

    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError> {
        self.enter("settle").await;
        let done = self.faults.check("settle")?;
        let Settlement { account, reservation, charge, at } = settlement;
        let mut state = self.state();
        let Some(reserved) = state.reservations.remove(&(account.clone(), reservation.clone())) else {
            return done.answer(());
        };
        let charge = charge.as_ref().filter(|charge| charge.credits > 0);
        let before = state.balances.get(account).copied().unwrap_or_default();
        let after = before.settle(reserved, charge.map_or(0, |charge| charge.credits));
        state.balances.insert(account.clone(), after);
        if let Some(charge) = charge {
            let entry = Entry {
                id: reservation.clone(),
                kind: EntryKind::Usage,
                amount: 0,
                balance_after: 0,
                description: charge.description.clone(),
                job: Some(charge.job.clone()),
                basis: Some(charge.basis),
                at: *at,
            };
            state.enter(account, &before, &after, entry);
        }
        done.answer(())
    }
}

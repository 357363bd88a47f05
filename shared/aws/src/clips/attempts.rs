//! New clip jobs, new attempts and raised reservations: the job and its reservation are written in one transaction.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use reelhook_app::clips::store::{ClipAttempts, Reserved};
use reelhook_app::credits::ledger::Reservation;
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::retry::Retry;
use reelhook_app::store::StoreError;
use reelhook_domain::{ClipJob, Timestamp};

use crate::clips::table::ClipTable;
use crate::credits::table::{ATTEMPTS, CreditTable, contended};
use crate::retry::RetryClock;
use crate::transactions::{Cancelled, cancelled};

/// The Clips table and the Credits table.
#[derive(Clone)]
pub struct AttemptTables {
    /// Clip jobs.
    pub clips: ClipTable,
    /// Balances and reservations.
    pub credits: CreditTable,
}

/// What a transaction writes beside the reservation: the record of the request's key first, if it has one.
struct Writes<'a> {
    operation: &'static str,
    record: Option<(&'a IdempotencyRecord, Timestamp)>,
    parts: Vec<TransactWriteItem>,
}

#[async_trait]
impl ClipAttempts for AttemptTables {
    async fn insert(
        &self,
        job: &ClipJob,
        reservation: &Reservation,
        record: Option<&IdempotencyRecord>,
        now: Timestamp,
    ) -> Result<Reserved, StoreError> {
        let items = &self.clips.items;
        let record_put = record.map(|record| items.counters.record_put(record, now));
        let job_puts = [items.part(job, None), items.counters.request_put(job, items.kept, now)];
        let writes = Writes {
            operation: "insert clip job",
            record: record.map(|record| (record, now)),
            parts: record_put.into_iter().chain(job_puts).collect(),
        };
        self.write(writes, reservation).await
    }

    async fn save_attempt(&self, job: &ClipJob, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let parts = vec![self.clips.items.part(job, Some(job.version - 1))];
        self.write(Writes { operation: "save clip attempt", record: None, parts }, reservation).await
    }
}

impl AttemptTables {
    async fn write(&self, writes: Writes<'_>, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let Writes { operation, record, parts } = writes;
        let items = &self.clips.items;
        let waits = RetryClock::of(&items.client);
        let mut retry = Retry::new(&waits, ATTEMPTS);
        while retry.attempt().await {
            let balance = self.credits.stored_balance(&reservation.account).await?;
            let Some(next) = balance.reserve(reservation.added(), reservation.limited) else {
                // A request with the same key may be what took the credits.
                let first = match record {
                    Some((record, now)) => self.record(&record.caller, &record.key, now).await?,
                    None => None,
                };
                return Ok(first.map_or(Reserved::Insufficient(balance), Reserved::Repeated));
            };
            let all = parts.iter().cloned().chain(self.credits.reserve(reservation, &next)).collect();
            let Err(error) = items.client.transact_write_items().set_transact_items(Some(all)).send().await else {
                return Ok(Reserved::Done);
            };
            match (cancelled(operation, error), record) {
                (Cancelled::Condition(0), Some((record, _))) => {
                    if let Some(first) = items.counters.stored_record(&record.caller, &record.key).await? {
                        return Ok(Reserved::Repeated(first));
                    }
                }
                // The balance comes last: another step changed it, and nothing else is in the way.
                (Cancelled::Condition(place), _) if place > parts.len() => {}
                (Cancelled::Condition(_), _) => return Ok(Reserved::Conflict),
                (Cancelled::Conflict, _) => {}
                (Cancelled::Failed(error), _) => return Err(error),
            }
        }
        Err(contended(operation))
    }
}

#[async_trait]
impl IdempotencyStore for AttemptTables {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.clips.items.counters.record(caller, key, now).await
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.clips.items.counters.remember(record, now).await
    }
}

//! A table of aggregates of one kind: one item for each, replaced on condition of its version.

use std::marker::PhantomData;
use std::sync::Arc;

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::IdempotencyRecord;
use reelhook_app::jobs::claims::Claimed;
use reelhook_app::outbox::sweep::{PER_SHARD, shard};
use reelhook_app::retention::Days;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{Aggregate, Timestamp};
use uuid::Uuid;

use crate::conditional::{failed_put, meets_a_transaction};
use crate::errors::store_error;
use crate::items::packed::{StoredForm, as_texts};
use crate::items::shards::EndedShards;
use crate::items::{Item, OUTBOX, is_expired, n, s, text};
use crate::jobs::active::shards::ActiveShards;
use crate::jobs::counters::CounterTable;
use crate::metrics::throttled_part;
use crate::retry::RetryClock;
use crate::transactions::{Cancelled, cancelled, contended};

/// Keys that one BatchGetItem takes.
const BATCH_GET: usize = 100;

/// Milliseconds to which a key of a due time is rounded down, so that a timer that moves a little moves no index entry: the
/// sweep comes as often. It finds some things early, asks them, and finds them again.
const DUE_STEP_MS: i64 = 60_000;

/// The names of the operations on aggregates of one kind, for errors.
pub(crate) struct Operations {
    /// Reading one.
    pub load: &'static str,
    /// Reading several.
    pub load_all: &'static str,
    /// Replacing one.
    pub save: &'static str,
    /// Creating one.
    pub insert: &'static str,
    /// Creating one with its idempotency record.
    pub insert_with_key: &'static str,
    /// Replacing one together with an admission item.
    pub claim: &'static str,
    /// Finding those that are due.
    pub due: &'static str,
}

/// A kind of aggregates that a table stores.
pub(crate) trait Stored: Aggregate {
    /// The names of the operations.
    const OPERATIONS: Operations;
    /// Whether clients may choose ids, so that one that exists is a conflict and no error.
    const CHOSEN_IDS: bool;

    /// Reads an id.
    fn parse_id(text: &str) -> Option<Self::Id>;

    /// The item of an aggregate, which is kept for so long after its end; `write_id` identifies the write.
    fn to_item(&self, write_id: &str, kept: Days) -> Item;

    /// Its item as functions of versions before 0.3 read and find it.
    fn to_older_item(&self, write_id: &str, kept: Days) -> Item {
        as_texts(self.to_item(write_id, kept))
    }

    /// Reads an aggregate from its item.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] names the unreadable attribute.
    fn from_item(operation: &'static str, item: &Item) -> Result<Self, StoreError>;

    /// Adds to the item what the aggregate has used, this write included, if its kind counts that; `times` is 2 in a
    /// transaction, whose units count twice.
    fn bill(&self, _item: &mut Item, _times: u64) {}
}

/// A table of aggregates, with the Counters table, which has their idempotency records and admission items.
#[derive(Clone)]
pub(crate) struct AggregateTable<A> {
    pub client: aws_sdk_dynamodb::Client,
    pub counters: CounterTable,
    pub clock: Arc<dyn ClockAndRandom>,
    /// The shards of the index of those that are under way, if the table has one.
    pub shards: ActiveShards,
    /// The shards of the index of those that have ended, if the table has one.
    pub ended: EndedShards,
    /// How long those that have ended are kept.
    pub kept: Days,
    table: String,
    form: StoredForm,
    kind: PhantomData<fn() -> A>,
}

impl<A: Stored> AggregateTable<A> {
    /// The table called `table`.
    pub fn new(
        client: aws_sdk_dynamodb::Client,
        table: impl Into<String>,
        counters: CounterTable,
        clock: Arc<dyn ClockAndRandom>,
    ) -> Self {
        Self {
            client,
            counters,
            clock,
            shards: ActiveShards::default(),
            ended: EndedShards::default(),
            kept: Days::default(),
            table: table.into(),
            form: StoredForm::default(),
            kind: PhantomData,
        }
    }

    /// The same table, with items written in this form.
    #[must_use]
    pub fn storing(self, form: StoredForm) -> Self {
        Self { form, ..self }
    }

    /// Reads an aggregate that does not exist: a first call, which opens the connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_call(&self) -> Result<(), StoreError> {
        self.item(A::OPERATIONS.load, "warm-up").await.map(drop)
    }

    /// Reads an aggregate consistently; an expired one is not read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(&self, id: &A::Id) -> Result<Option<A>, StoreError> {
        let operation = A::OPERATIONS.load;
        match self.item(operation, &id.to_string()).await? {
            Some(item) if !is_expired(&item, self.clock.now()) => A::from_item(operation, &item).map(Some),
            _ => Ok(None),
        }
    }

    async fn item(&self, operation: &'static str, id: &str) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("id", s(id)).consistent_read(true);
        Ok(get.send().await.map_err(|error| store_error(operation, error))?.item)
    }

    /// Reads several aggregates, in no order. One that can't be read is logged and left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load_all(&self, ids: &[A::Id]) -> Result<Vec<A>, StoreError> {
        let operation = A::OPERATIONS.load_all;
        let mut found = Vec::with_capacity(ids.len());
        let waits = RetryClock::of(&self.client);
        for chunk in ids.chunks(BATCH_GET) {
            let keys = chunk.iter().map(|id| [("id".to_owned(), s(id.to_string()))].into()).collect();
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build().expect("keys are set");
            let (mut wanted, mut retry) = (Some(wanted), waits.retry());
            while let Some(next) = wanted.take() {
                if !retry.attempt().await {
                    return Err(StoreError::Busy { operation, source: "keys stayed unprocessed".into() });
                }
                let answer = self.client.batch_get_item().request_items(&self.table, next).send().await;
                let answer = answer.map_err(|error| store_error(operation, error))?;
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    if is_expired(&item, self.clock.now()) {
                        continue;
                    }
                    match A::from_item(operation, &item) {
                        Ok(aggregate) => found.push(aggregate),
                        // One unreadable item does not fail the list.
                        Err(error) => tracing::error!(%error, "failed to read an item, it is not listed"),
                    }
                }
                wanted = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
                if wanted.is_some() {
                    throttled_part();
                }
            }
        }
        Ok(found)
    }

    /// Creates an aggregate; a conflict has the one that has this id already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert(&self, new: &A) -> Result<Saved<A>, StoreError> {
        self.write(A::OPERATIONS.insert, self.to_item(new, &write_id(), 1), None).await
    }

    /// Replaces an aggregate if the stored version is the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn save(&self, next: &A) -> Result<Saved<A>, StoreError> {
        self.write(A::OPERATIONS.save, self.to_item(next, &write_id(), 1), Some(next.version() - 1)).await
    }

    /// [`Self::save`] for a version that needs no fanout: the filter of the stream drops its record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn save_quietly(&self, next: &A) -> Result<Saved<A>, StoreError> {
        let mut item = self.to_item(next, &write_id(), 1);
        if self.form == StoredForm::Compressed {
            // The body has the effects, too.
            item.remove(OUTBOX);
        }
        self.write(A::OPERATIONS.save, item, Some(next.version() - 1)).await
    }

    /// Creates an aggregate with its idempotency record, in one transaction; a conflict has the record that is there, and none
    /// if only an aggregate with a chosen id is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert_with_key(
        &self,
        new: &A,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError> {
        let operation = A::OPERATIONS.insert_with_key;
        let put = self.part(new, None);
        let waits = RetryClock::of(&self.client);
        let mut retry = waits.retry();
        while retry.attempt().await {
            let record_put = self.counters.record_put(record, now);
            let write = self.client.transact_write_items().transact_items(record_put);
            match write.transact_items(put.clone()).send().await {
                Ok(_) => return Ok(Saved::Done),
                Err(error) => match cancelled(operation, error) {
                    Cancelled::Condition(0) => {
                        let first = self.counters.stored_record(&record.caller, &record.key).await?;
                        return Ok(Saved::Conflict(first.map(Box::new)));
                    }
                    Cancelled::Condition(_) if A::CHOSEN_IDS => return Ok(Saved::Conflict(None)),
                    Cancelled::Condition(_) => {
                        let reason = format!("id `{}` exists", new.id());
                        return Err(StoreError::Unreadable { operation, reason });
                    }
                    // Another request with the same key is under way: the next attempt finds its record.
                    Cancelled::Conflict => {}
                    Cancelled::Failed(error) => return Err(error),
                },
            }
        }
        Err(StoreError::Busy { operation, source: "other requests used the same key during each attempt".into() })
    }

    /// Replaces aggregates and rows of slots in one transaction; `slots` writes the rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(&self, next: &[A], slots: Vec<TransactWriteItem>) -> Result<Claimed, StoreError> {
        let puts = next.iter().map(|next| self.part(next, Some(next.version() - 1)));
        let rows = slots.len();
        let items = slots.into_iter().chain(puts).collect();
        let sent = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let Err(error) = sent else { return Ok(Claimed::Done) };
        let contended = contended(&error);
        match cancelled(A::OPERATIONS.claim, error) {
            // Another claim or release is in progress, or was first.
            Cancelled::Condition(_) | Cancelled::Conflict if contended.iter().all(|place| *place < rows) => {
                Ok(Claimed::RowsChanged)
            }
            Cancelled::Condition(_) | Cancelled::Conflict => Ok(Claimed::Conflict),
            Cancelled::Failed(error) => Err(error),
        }
    }

    /// The aggregates of a shard of `by-due` that are due, the longest overdue first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self, shard: u32, now: Timestamp) -> Result<Vec<A::Id>, StoreError> {
        let values = [(":shard", s(format!("due#{shard}"))), (":now", n(now.millis()))];
        let query = self.query("by-due", "due_shard = :shard AND due_at <= :now", &values).limit(PER_SHARD);
        let answer = query.send().await.map_err(|error| store_error(A::OPERATIONS.due, error))?;
        Ok(Self::ids(answer.items()))
    }

    /// A query of a `KEYS_ONLY` index, in the order of its sort key.
    pub fn query(&self, index: &str, condition: &str, values: &[(&str, AttributeValue)]) -> QueryFluentBuilder {
        let mut query =
            self.client.query().table_name(&self.table).index_name(index).key_condition_expression(condition);
        for (name, value) in values {
            query = query.expression_attribute_values(*name, value.clone());
        }
        query
    }

    /// The ids of the items that a query found.
    pub fn ids(items: &[Item]) -> Vec<A::Id> {
        items.iter().filter_map(|item| A::parse_id(text(item, "id")?)).collect()
    }

    /// Writes the item of an aggregate on condition that there is one of the `expected` version, or none.
    async fn write(&self, operation: &'static str, item: Item, expected: Option<u64>) -> Result<Saved<A>, StoreError> {
        let write_id = text(&item, "write_id").unwrap_or_default().to_owned();
        let id = text(&item, "id").unwrap_or_default().to_owned();
        match self.put(item, expected).send().await {
            Ok(_) => Ok(Saved::Done),
            // The SDK may have repeated a put that was carried out, and whose answer was lost. Only the item says so.
            Err(error) if expected.is_some() && meets_a_transaction(&error) => {
                self.stored_by(operation, &id, &write_id).await
            }
            Err(error) => failed_put(operation, error, &write_id, |item| A::from_item(operation, item)),
        }
    }

    /// Whether the stored item is that of this write, or else another writer's.
    async fn stored_by(&self, operation: &'static str, id: &str, write_id: &str) -> Result<Saved<A>, StoreError> {
        match self.item(operation, id).await? {
            Some(item) if text(&item, "write_id") == Some(write_id) => Ok(Saved::Done),
            Some(item) => Ok(Saved::Conflict(Some(Box::new(A::from_item(operation, &item)?)))),
            None => Ok(Saved::Conflict(None)),
        }
    }

    fn to_item(&self, aggregate: &A, write_id: &str, times: u64) -> Item {
        let mut item = match self.form {
            StoredForm::Compressed => aggregate.to_item(write_id, self.kept),
            StoredForm::Text => aggregate.to_older_item(write_id, self.kept),
        };
        let id = aggregate.id().to_string();
        self.shards.place(&mut item, &id);
        self.ended.place(&mut item, &id);
        aggregate.bill(&mut item, times);
        item
    }

    fn put(&self, item: Item, expected: Option<u64>) -> PutItemFluentBuilder {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match expected {
            Some(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", n(version)),
            None => put.condition_expression("attribute_not_exists(id)"),
        }
    }

    /// The write of an aggregate as a part of a transaction, on condition that its item has the `expected` version, or does
    /// not exist.
    pub fn part(&self, aggregate: &A, expected: Option<u64>) -> TransactWriteItem {
        let put = Put::builder().table_name(&self.table).set_item(Some(self.to_item(aggregate, &write_id(), 2)));
        let put = match expected {
            Some(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", n(version)),
            None => put.condition_expression("attribute_not_exists(id)"),
        };
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }
}

/// The time under which the sweep finds what is due at a time: never later.
pub(crate) fn found_at(due: Timestamp) -> Timestamp {
    Timestamp(due.millis() - due.millis().rem_euclid(DUE_STEP_MS))
}

/// The key in `by-due` of what is due at a time.
pub(crate) fn due_key(id: &str, due: Timestamp) -> [(&'static str, AttributeValue); 2] {
    [("due_shard", s(format!("due#{}", shard(id)))), ("due_at", n(found_at(due).millis()))]
}

/// An id that tells one write from another of the same version.
fn write_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(16);
    id
}

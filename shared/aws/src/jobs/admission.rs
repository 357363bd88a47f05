//! The rows of slots of runs, the other items of slots, and whatever else is one row that is replaced on condition of its
//! version.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use futures_util::future::try_join_all;
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{Admission, SlotRow, Slots, TornRows};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::conditional::failed_put;
use crate::items::{Item, SCHEMA, json, n, read, s};
use crate::jobs::counters::{ALONE, CounterTable};
use crate::retry::RetryClock;
use crate::transactions::{Cancelled, cancelled};

/// The partition of the first row that grants slots to runs.
const ADMISSION: &str = "admission";
/// The version of a row is the one that the writer read, or there is no row.
const UNCHANGED: &str = "attribute_not_exists(pk) OR #version = :version";

#[async_trait]
impl AdmissionStore for CounterTable {
    async fn admission_rows(&self, at_least: usize) -> Result<Slots, StoreError> {
        let waits = RetryClock::of(self.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            let wanted = self.known_rows().max(at_least);
            let rows = try_join_all((0..wanted).map(|number| self.slots_of(number))).await?;
            let layout = rows.first().map_or(1, |first: &Admission| first.layout.rows);
            self.know_rows(layout);
            // There may be more rows than were known, or they were being arranged.
            if let Ok(slots) = Slots::read(rows) {
                return Ok(slots);
            }
        }
        Err(StoreError::Busy { operation: "load slots", source: TornRows.into() })
    }

    async fn save_admission(&self, changed: &[SlotRow]) -> Result<Saved<Admission>, StoreError> {
        if let [SlotRow { number, row }] = changed {
            return self.save_slots(&admission_pk(*number), row).await;
        }
        let puts = changed.iter().map(|row| self.admission_put(row)).collect();
        match self.client().transact_write_items().set_transact_items(Some(puts)).send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) => match cancelled("save slots", error) {
                Cancelled::Condition(_) | Cancelled::Conflict => Ok(Saved::Conflict(None)),
                Cancelled::Failed(error) => Err(error),
            },
        }
    }
}

/// The partition of a row of the slots of runs. The first one is as before there were several.
fn admission_pk(number: usize) -> String {
    if number == 0 { ADMISSION.to_owned() } else { format!("{ADMISSION}#{number}") }
}

impl CounterTable {
    /// A row of the slots of runs.
    async fn slots_of(&self, number: usize) -> Result<Admission, StoreError> {
        self.slots(&admission_pk(number)).await
    }

    /// The slots under `pk`; a new item if there is none.
    pub(crate) async fn slots(&self, pk: &str) -> Result<Admission, StoreError> {
        self.versioned("load slots", pk).await
    }

    /// Saves the slots under `pk`, one version on.
    pub(crate) async fn save_slots(&self, pk: &str, slots: &Admission) -> Result<Saved<Admission>, StoreError> {
        self.save_versioned("save slots", pk, slots.version, slots).await
    }

    /// A row's part of a transaction.
    pub(crate) fn admission_put(&self, row: &SlotRow) -> TransactWriteItem {
        self.slots_put(&admission_pk(row.number), &row.row)
    }

    /// The part of a claim transaction that saves the slots under `pk`, one version on.
    pub(crate) fn slots_put(&self, pk: &str, slots: &Admission) -> TransactWriteItem {
        let write_id = Uuid::new_v4().simple().to_string();
        let put = Put::builder()
            .table_name(self.name())
            .set_item(Some(versioned_item(pk, slots.version, slots, &write_id)))
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(slots.version - 1));
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    /// The value under `pk`; the default if there is none.
    pub(crate) async fn versioned<T>(&self, operation: &'static str, pk: &str) -> Result<T, StoreError>
    where
        T: Default + DeserializeOwned,
    {
        let item = self.get(operation, pk, ALONE).await?;
        item.map_or_else(|| Ok(T::default()), |item| read(operation, &item, "body"))
    }

    /// Saves the value under `pk` in this version if the stored one is the version before.
    pub(crate) async fn save_versioned<T>(
        &self,
        operation: &'static str,
        pk: &str,
        version: u64,
        value: &T,
    ) -> Result<Saved<T>, StoreError>
    where
        T: Serialize + DeserializeOwned,
    {
        let write_id = Uuid::new_v4().simple().to_string();
        let item = versioned_item(pk, version, value, &write_id);
        let put = self.client().put_item().table_name(self.name()).set_item(Some(item));
        let put = put
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(version - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) => failed_put(operation, error, &write_id, |item| read(operation, item, "body")),
        }
    }
}

/// The first row of slots as it is stored.
pub fn admission_item(admission: &Admission, write_id: &str) -> Item {
    versioned_item(ADMISSION, admission.version, admission, write_id)
}

fn versioned_item<T: Serialize>(pk: &str, version: u64, value: &T, write_id: &str) -> Item {
    [
        ("pk", s(pk)),
        ("sk", s(ALONE)),
        ("schema", n(SCHEMA)),
        ("version", n(version)),
        ("write_id", s(write_id)),
        ("body", json(value)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

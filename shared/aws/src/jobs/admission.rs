//! The rows of slots of runs, the other items of slots, and what else is one row that is replaced on condition of its
//! version.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{Admission, SlotRow, Slots, TornRows};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::batch::{Read, by_name, get_from};
use crate::conditional::failed_put;
use crate::items::packed::{body_of_row, read_item};
use crate::items::{Item, SCHEMA, json, n, read, s};
use crate::jobs::counters::{ALONE, CounterTable};
use crate::retry::RetryClock;

/// The partition of the first row that grants slots to runs.
const ADMISSION: &str = "admission";
/// The operation that reads slots.
const LOAD: &str = "load slots";
/// The version of a row is the one that the writer read, or there is no row.
const UNCHANGED: &str = "attribute_not_exists(pk) OR #version = :version";

#[async_trait]
impl AdmissionStore for CounterTable {
    async fn admission(&self) -> Result<Slots, StoreError> {
        let waits = RetryClock::of(self.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            let rows = self.rows_at(&(0..self.known_rows()).collect(), true).await?;
            self.know_rows(rows.first().map_or(1, |first: &Admission| first.layout.all()));
            // There may be more rows than were known, or they were being changed.
            if let Ok(slots) = Slots::read(rows) {
                return Ok(slots);
            }
        }
        Err(StoreError::Busy { operation: LOAD, source: TornRows.into() })
    }

    async fn recent_admission(&self) -> Result<Slots, StoreError> {
        if self.known_rows() > 1
            && let Ok(slots) = Slots::read(self.rows_at(&(0..self.known_rows()).collect(), false).await?)
        {
            return Ok(slots);
        }
        self.admission().await
    }

    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError> {
        let SlotRow { number, row } = changed;
        let (operation, write_id) = ("save slots", Uuid::new_v4().simple().to_string());
        let item = row_item(*number, row, &write_id);
        self.put_versioned(operation, item, row.version, &write_id, |item| read_row(operation, item)).await
    }

    async fn some_rows(&self, numbers: &BTreeSet<usize>) -> Result<Vec<SlotRow>, StoreError> {
        let rows = self.rows_at(numbers, true).await?;
        Ok(numbers.iter().zip(rows).map(|(number, row)| SlotRow { number: *number, row }).collect())
    }
}

/// The partition of a row of the slots of runs. The first one is as before there were several.
fn admission_pk(number: usize) -> String {
    if number == 0 { ADMISSION.to_owned() } else { format!("{ADMISSION}#{number}") }
}

/// A row of the slots of runs as it is stored.
fn row_item(number: usize, row: &Admission, write_id: &str) -> Item {
    let mut item = versioned_item(&admission_pk(number), row.version, row, write_id);
    // Functions of versions before 0.3 read a text, and would take the slots in use for free ones.
    if row.has_numbers() {
        item.insert("body".to_owned(), body_of_row(row));
    }
    item
}

/// Reads a row of the slots of runs from its item.
///
/// # Errors
/// [`StoreError::Unreadable`].
pub fn read_row(operation: &'static str, item: &Item) -> Result<Admission, StoreError> {
    read_item(operation, item).map(|(row, _)| row)
}

/// The first row of the slots of runs as it is stored.
pub fn admission_item(admission: &Admission, write_id: &str) -> Item {
    row_item(0, admission, write_id)
}

impl CounterTable {
    /// Rows of the slots of runs, in the order of their numbers.
    async fn rows_at(&self, numbers: &BTreeSet<usize>, is_consistent: bool) -> Result<Vec<Admission>, StoreError> {
        let items: HashMap<String, Item> = match (numbers.first(), numbers.len()) {
            (Some(number), 1) if is_consistent => {
                let pk = admission_pk(*number);
                self.get(LOAD, &pk, ALONE).await?.map(|item| (pk, item)).into_iter().collect()
            }
            _ => {
                let key = |number: &usize| [("pk", s(admission_pk(*number))), ("sk", s(ALONE))];
                let keys =
                    numbers.iter().map(|number| key(number).map(|(name, value)| (name.to_owned(), value)).into());
                let read = Read { table: self.name(), attributes: &[], is_consistent, keys: keys.collect() };
                by_name(get_from(LOAD, self.client(), vec![read]).await?.into_values().flatten(), "pk")
            }
        };
        let row = |number: &usize| {
            items.get(&admission_pk(*number)).map_or_else(|| Ok(Admission::default()), |item| read_row(LOAD, item))
        };
        numbers.iter().map(row).collect()
    }

    /// The slots under `pk`; a new item if there is none.
    pub(crate) async fn slots(&self, pk: &str) -> Result<Admission, StoreError> {
        self.versioned(LOAD, pk).await
    }

    /// Saves the slots under `pk`, one version on.
    pub(crate) async fn save_slots(&self, pk: &str, slots: &Admission) -> Result<Saved<Admission>, StoreError> {
        self.save_versioned("save slots", pk, slots.version, slots).await
    }

    /// A row's part of a transaction.
    pub(crate) fn admission_put(&self, row: &SlotRow) -> TransactWriteItem {
        let write_id = Uuid::new_v4().simple().to_string();
        self.part(row_item(row.number, &row.row, &write_id), row.row.version)
    }

    /// The part of a claim transaction that saves the slots under `pk`, one version on.
    pub(crate) fn slots_put(&self, pk: &str, slots: &Admission) -> TransactWriteItem {
        let write_id = Uuid::new_v4().simple().to_string();
        self.part(versioned_item(pk, slots.version, slots, &write_id), slots.version)
    }

    /// The part of a transaction that saves an item in this version if the stored one has the version before.
    fn part(&self, item: Item, version: u64) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(self.name())
            .set_item(Some(item))
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(version - 1));
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
        self.put_versioned(operation, item, version, &write_id, |item| read(operation, item, "body")).await
    }

    /// Saves an item in this version if the stored one has the version before, which `theirs` reads otherwise.
    async fn put_versioned<T>(
        &self,
        operation: &'static str,
        item: Item,
        version: u64,
        write_id: &str,
        theirs: impl FnOnce(&Item) -> Result<T, StoreError>,
    ) -> Result<Saved<T>, StoreError> {
        let put = self.client().put_item().table_name(self.name()).set_item(Some(item));
        let put = put
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(version - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) => failed_put(operation, error, write_id, theirs),
        }
    }
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

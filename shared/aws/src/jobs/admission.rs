//! The admission item and the other items of slots: one row per pool, replaced on condition of its version.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::Admission;
use uuid::Uuid;

use crate::conditional::failed_put;
use crate::items::{Item, SCHEMA, json, n, read, s};
use crate::jobs::counters::{ALONE, CounterTable};

/// The partition of the item that grants slots to runs.
const ADMISSION: &str = "admission";
/// The version of a row is the one that the writer read, or there is no row.
const UNCHANGED: &str = "attribute_not_exists(pk) OR #version = :version";

#[async_trait]
impl AdmissionStore for CounterTable {
    async fn admission(&self) -> Result<Admission, StoreError> {
        self.slots(ADMISSION).await
    }

    async fn save_admission(&self, admission: &Admission) -> Result<Saved<Admission>, StoreError> {
        self.save_slots(ADMISSION, admission).await
    }
}

impl CounterTable {
    /// The slots under `pk`; a new item if there is none.
    pub(crate) async fn slots(&self, pk: &str) -> Result<Admission, StoreError> {
        let operation = "load slots";
        let item = self.get(operation, pk, ALONE).await?;
        item.map_or_else(|| Ok(Admission::default()), |item| read(operation, &item, "body"))
    }

    /// Saves the slots under `pk`, one version on.
    pub(crate) async fn save_slots(&self, pk: &str, slots: &Admission) -> Result<Saved<Admission>, StoreError> {
        let operation = "save slots";
        let write_id = Uuid::new_v4().simple().to_string();
        let put = self.client().put_item().table_name(self.name()).set_item(Some(slots_item(pk, slots, &write_id)));
        let put = put
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(slots.version - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) => failed_put(operation, error, &write_id, |item| read(operation, item, "body")),
        }
    }

    /// The admission item's part of a claim transaction.
    pub(crate) fn admission_put(&self, admission: &Admission) -> TransactWriteItem {
        let write_id = Uuid::new_v4().simple().to_string();
        let put = Put::builder()
            .table_name(self.name())
            .set_item(Some(admission_item(admission, &write_id)))
            .condition_expression(UNCHANGED)
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(admission.version - 1));
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }
}

/// The admission item as it is stored.
pub fn admission_item(admission: &Admission, write_id: &str) -> Item {
    slots_item(ADMISSION, admission, write_id)
}

fn slots_item(pk: &str, slots: &Admission, write_id: &str) -> Item {
    [
        ("pk", s(pk)),
        ("sk", s(ALONE)),
        ("schema", n(SCHEMA)),
        ("version", n(slots.version)),
        ("write_id", s(write_id)),
        ("body", json(slots)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

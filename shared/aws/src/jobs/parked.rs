//! Callbacks that arrive before their job knows the task, and the right to check a task out of turn.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use reelhook_app::jobs::renders::{Callback, RenderStore};
use reelhook_app::store::StoreError;
use reelhook_domain::{JobId, RenderId, Service, Timestamp};
use uuid::Uuid;

use crate::errors::store_error;
use crate::items::{is_expired, json, n, read, s, text};
use crate::jobs::counters::CounterTable;
use crate::jobs::table::JobTable;

/// The author of a callback that came with the operator's token, not with a run's.
const OPERATOR: &str = "operator";
/// Seconds for which a callback waits for its job to learn of the task.
const PARKED_S: i64 = 3600;
/// Seconds between two checks of a task out of turn.
const HINT_S: i64 = 10;

/// Jobs by the tasks that they recorded, and callbacks about tasks that no job knows yet.
pub struct RenderTable {
    /// Parked callbacks and hints.
    pub counters: CounterTable,
    /// Jobs.
    pub jobs: JobTable,
}

#[async_trait]
impl RenderStore for RenderTable {
    async fn jobs_of(&self, render: &RenderId) -> Result<Vec<JobId>, StoreError> {
        self.jobs.of_render(render).await
    }

    async fn park(
        &self,
        service: Service,
        task: &RenderId,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let by = callback.run.as_ref().map_or(OPERATOR, |run| run.job_id.as_str());
        let put = self
            .counters
            .client()
            .put_item()
            .table_name(self.counters.name())
            .item("pk", s(partition(service, task)))
            .item("sk", s("parked"))
            .item("body", json(callback))
            .item("by", s(by))
            .item("expires_at", n(now.seconds() + PARKED_S))
            .item("final", AttributeValue::Bool(callback.is_final()))
            // A run replaces only its own callback, the operator replaces any. A final callback is replaced only by
            // another final one.
            .condition_expression(
                "attribute_not_exists(pk) OR expires_at <= :now OR \
                 ((#by = :by OR :by = :operator) AND (#final <> :true OR :final = :true))",
            )
            .expression_attribute_names("#by", "by")
            .expression_attribute_names("#final", "final")
            .expression_attribute_values(":final", AttributeValue::Bool(callback.is_final()))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":now", n(now.seconds()))
            .expression_attribute_values(":by", s(by))
            .expression_attribute_values(":operator", s(OPERATOR));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                tracing::warn!(render_id = %task, by, "an early callback was dropped, another one is parked");
                Ok(())
            }
            Err(error) => Err(store_error("park callback", error)),
        }
    }

    async fn parked(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<Option<Callback>, StoreError> {
        let operation = "read parked callback";
        let item = self.counters.get(operation, &partition(service, task), "parked").await?;
        item.filter(|item| !is_expired(item, now)).map(|item| read(operation, &item, "body")).transpose()
    }

    async fn may_hint(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<bool, StoreError> {
        let write_id = Uuid::new_v4().simple().to_string();
        let put = self
            .counters
            .client()
            .put_item()
            .table_name(self.counters.name())
            .item("pk", s(partition(service, task)))
            .item("sk", s("hint"))
            .item("write_id", s(&write_id))
            .item("expires_at", n(now.seconds() + HINT_S))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", n(now.seconds()));
        let error = match put.send().await {
            Ok(_) => return Ok(true),
            Err(error) => error,
        };
        match error.as_service_error() {
            // This call's own write succeeded, and only its answer was lost.
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(failed.item().is_some_and(|item| text(item, "write_id") == Some(&write_id)))
            }
            _ => Err(store_error("take hint", error)),
        }
    }
}

/// The partition of a task. Creatomate's has the name that versions before 0.3 gave it, so that what they parked is found.
fn partition(service: Service, task: &RenderId) -> String {
    match service {
        Service::Creatomate => format!("render#{task}"),
    }
}

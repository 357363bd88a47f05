//! The Endpoints table: what is kept of an endpoint beside its settings.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use futures_util::future::try_join_all;
use reelhook_app::deliver::{EndpointState, Learned};
use reelhook_app::store::StoreError;
use reelhook_domain::{EndpointId, RateWindow, Timestamp};

use crate::errors::store_error;
use crate::items::{Item, n, number, s};

/// The Endpoints table.
#[derive(Debug, Clone)]
pub struct EndpointTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl EndpointTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    pub(crate) async fn state(&self, id: &EndpointId) -> Result<EndpointState, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("id", s(id.as_str())).consistent_read(true);
        let item = get.send().await.map_err(|error| store_error("load endpoint", error))?.item.unwrap_or_default();
        Ok(state(&item))
    }

    /// What is kept of each of these endpoints, in order; eventually consistent, for people to read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn states(&self, ids: &[EndpointId]) -> Result<Vec<EndpointState>, StoreError> {
        let one = |id: &EndpointId| {
            let get = self.client.get_item().table_name(&self.table).key("id", s(id.as_str()));
            async move { get.send().await.map_err(|error| store_error("load endpoint", error)) }
        };
        let answers = try_join_all(ids.iter().map(one)).await?;
        Ok(answers.into_iter().map(|answer| state(&answer.item.unwrap_or_default())).collect())
    }

    pub(crate) async fn learn(&self, id: &EndpointId, learned: Learned) -> Result<(), StoreError> {
        let expression = match learned.took {
            true => "SET failures = :failures",
            false => "SET failures = if_not_exists(failures, :none) + :failures",
        };
        let mut update = self.client.update_item().table_name(&self.table).key("id", s(id.as_str()));
        update = update.update_expression(expression);
        update = update.expression_attribute_values(":failures", n(if learned.took { 0 } else { learned.failed }));
        if !learned.took {
            update = update.expression_attribute_values(":none", n(0));
        }
        update.send().await.map_err(|error| store_error("note answers", error))?;
        match learned.pause_until {
            Some(until) => self.pause(id, until).await,
            None => Ok(()),
        }
    }

    /// A longer pause that somebody else noted stays.
    async fn pause(&self, id: &EndpointId, until: Timestamp) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(id.as_str()))
            .update_expression("SET paused_until = :until")
            .condition_expression("attribute_not_exists(paused_until) OR paused_until < :until")
            .expression_attribute_values(":until", n(until.0));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(store_error("pause endpoint", error)),
            },
        }
    }

    pub(crate) async fn reserve(&self, id: &EndpointId, old: RateWindow, new: RateWindow) -> Result<bool, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(id.as_str()))
            .update_expression("SET window_index = :index, window_used = :used")
            .condition_expression(
                "attribute_not_exists(window_index) OR (window_index = :old_index AND window_used = :old_used)",
            )
            .expression_attribute_values(":index", n(new.index))
            .expression_attribute_values(":used", n(new.used))
            .expression_attribute_values(":old_index", n(old.index))
            .expression_attribute_values(":old_used", n(old.used));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(store_error("reserve places", error)),
            },
        }
    }

    pub(crate) async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", s(id.as_str()))
            .update_expression("SET disabled_at = if_not_exists(disabled_at, :now), disabled_reason = :reason")
            .expression_attribute_values(":now", n(now.0))
            .expression_attribute_values(":reason", s(reason));
        update.send().await.map_err(|error| store_error("disable endpoint", error))?;
        Ok(())
    }
}

fn state(item: &Item) -> EndpointState {
    EndpointState {
        disabled_at: number(item, "disabled_at").map(Timestamp),
        window: RateWindow {
            index: number(item, "window_index").unwrap_or_default(),
            used: number(item, "window_used").and_then(|used| u32::try_from(used).ok()).unwrap_or_default(),
        },
        paused_until: number(item, "paused_until").map(Timestamp),
        failures: number(item, "failures").and_then(|count| u64::try_from(count).ok()).unwrap_or_default(),
    }
}

//! The Errors table: a row for each cause and subject, and the markers of steps that were applied.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use reelhook_app::errors::store::{
    Caused, ErrorCursor, ErrorFeed, ErrorInbox, ErrorPage, ErrorRange, ErrorStore, PASSING, SavedStep, changed, class,
    group, rank,
};
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::errors::cause::Severity;
use reelhook_domain::errors::error::{ErrorRow, ErrorState};
use reelhook_domain::{EventId, OutboundEvent};
use uuid::Uuid;

use super::store_error;
use super::stored::{StoredError, error_of};
use crate::conditional::failed_put;
use crate::items::{Item, SCHEMA, json, n, s, text, ttl};
use crate::transactions::{Cancelled, cancelled};

/// The partition of the feed of changes.
const FEED: &str = "errors";
/// Days for which the marker of a step is kept: longer than a record of the stream.
const MARKER_DAYS: i64 = 3;

/// The Errors table.
#[derive(Debug, Clone)]
pub struct ErrorTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl ErrorTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Reads a row consistently.
    async fn get(&self, operation: &'static str, group: &str) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("group", s(group)).consistent_read(true);
        Ok(get.send().await.map_err(|error| store_error(operation, error))?.item)
    }

    fn query(&self, index: &str, condition: &str) -> QueryFluentBuilder {
        self.client.query().table_name(&self.table).index_name(index).key_condition_expression(condition)
    }

    /// A first call, which opens a connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_call(&self) -> Result<(), StoreError> {
        self.get("warm up", "warm-up").await.map(drop)
    }
}

#[async_trait]
impl ErrorStore for ErrorTable {
    async fn error(&self, group: &str) -> Result<Option<ErrorRow>, StoreError> {
        let operation = "load error";
        self.get(operation, group).await?.map(|item| error_of(operation, &item)).transpose()
    }

    async fn save_step(
        &self,
        step: &EventId,
        was: Option<u64>,
        next: &ErrorRow,
        caused: Option<OutboundEvent>,
    ) -> Result<SavedStep, StoreError> {
        let operation = "save step of error";
        let marker = Put::builder()
            .table_name(&self.table)
            .set_item(Some(marker(step, next, caused)))
            .condition_expression("attribute_not_exists(#group)")
            .expression_attribute_names("#group", "group");
        let row = Put::builder().table_name(&self.table).set_item(Some(item(next, "")));
        let row = match was {
            None => {
                row.condition_expression("attribute_not_exists(#group)").expression_attribute_names("#group", "group")
            }
            Some(version) => row
                .condition_expression("#version = :was")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":was", n(version)),
        };
        let items = [marker, row]
            .map(|put| TransactWriteItem::builder().put(put.build().expect("table and item are set")).build());
        let write = self.client.transact_write_items().set_transact_items(Some(items.into()));
        match write.send().await {
            Ok(_) => Ok(SavedStep::Done),
            Err(error) => match cancelled(operation, error) {
                // The marker exists: the step was saved before, or by an attempt whose answer was lost.
                Cancelled::Condition(0) => Ok(SavedStep::Before(self.caused_by(step).await?.map(Box::new))),
                Cancelled::Condition(_) | Cancelled::Conflict => Ok(SavedStep::Conflict),
                Cancelled::Failed(error) => Err(error),
            },
        }
    }

    async fn caused_by(&self, step: &EventId) -> Result<Option<Caused>, StoreError> {
        let operation = "load step of error";
        let Some(item) = self.get(operation, &marker_key(step)).await? else { return Ok(None) };
        let Some(event) = text(&item, "caused").and_then(OutboundEvent::parse) else { return Ok(None) };
        Ok(Some(Caused { event, error: error_of(operation, &item)? }))
    }
}

#[async_trait]
impl ErrorInbox for ErrorTable {
    async fn by_id(&self, id: &str) -> Result<Option<ErrorRow>, StoreError> {
        let operation = "find error";
        let query = self
            .query("by-id", "#id = :id")
            .expression_attribute_names("#id", "id")
            .expression_attribute_values(":id", s(id))
            .limit(1);
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let Some(group) = answer.items().first().and_then(|item| text(item, "group")) else { return Ok(None) };
        Ok(self.error(group).await?.filter(|error| error.id == id))
    }

    async fn range(&self, range: &ErrorRange) -> Result<ErrorPage, StoreError> {
        let operation = "list errors";
        let mut condition = "#open = :state".to_owned();
        if range.severity.is_some() {
            condition.push_str(" AND #rank BETWEEN :first AND :last");
        }
        let mut query = self
            .query("by-open", &condition)
            .expression_attribute_names("#open", "open")
            .expression_attribute_values(":state", s(range.state.name()))
            .limit(i32::try_from(range.limit).unwrap_or(i32::MAX));
        if let Some(severity) = range.severity {
            let last = if severity == Severity::Info { PASSING } else { class(severity) };
            query = query
                .expression_attribute_names("#rank", "rank")
                .expression_attribute_values(":first", s(class(severity)))
                // It sorts after every rank of the class.
                .expression_attribute_values(":last", s(format!("{last}~")));
        }
        let start = range.after.as_ref().map(|cursor| start(range.state, cursor));
        let answer = query.set_exclusive_start_key(start).send().await;
        let answer = answer.map_err(|error| store_error(operation, error))?;
        let errors = answer.items().iter().map(|item| error_of(operation, item)).collect::<Result<_, _>>()?;
        let cursor =
            |key: &Item| Some(ErrorCursor { rank: text(key, "rank")?.into(), group: text(key, "group")?.into() });
        Ok(ErrorPage { errors, next: answer.last_evaluated_key().and_then(cursor) })
    }

    async fn save(&self, error: &ErrorRow) -> Result<Saved<ErrorRow>, StoreError> {
        let operation = "save error";
        let write_id = Uuid::new_v4().simple().to_string();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(error, &write_id)))
            .condition_expression("#version = :was")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":was", n(error.version - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Saved::Done),
            Err(failed) => failed_put(operation, failed, &write_id, |item| error_of(operation, item)),
        }
    }
}

#[async_trait]
impl ErrorFeed for ErrorTable {
    async fn changes(&self, after: &str, before: &str, limit: usize) -> Result<Vec<ErrorRow>, StoreError> {
        let operation = "read changes of errors";
        let query = self
            .query("by-change", "#feed = :feed AND #changed BETWEEN :after AND :before")
            .expression_attribute_names("#feed", "feed")
            .expression_attribute_names("#changed", "changed")
            .expression_attribute_values(":feed", s(FEED))
            .expression_attribute_values(":after", s(after))
            .expression_attribute_values(":before", s(before))
            // BETWEEN includes both ends.
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let changes = answer.items().iter().map(|item| error_of(operation, item));
        let mut changes: Vec<ErrorRow> = changes.collect::<Result<_, _>>()?;
        changes.retain(|error| changed(error) != after && changed(error) != before);
        changes.truncate(limit);
        Ok(changes)
    }
}

fn marker_key(step: &EventId) -> String {
    format!("seen#{step}")
}

/// The marker of a step, with what it caused.
fn marker(step: &EventId, error: &ErrorRow, caused: Option<OutboundEvent>) -> Item {
    let mut item: Item = [("group", s(marker_key(step))), ("expires_at", ttl(error.updated_at, MARKER_DAYS))]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    if let Some(event) = caused {
        item.insert("caused".to_owned(), s(event.name()));
        item.insert("body".to_owned(), json(&StoredError::from(error)));
    }
    item
}

/// An error as an item. One that dismisses itself is stored as open.
fn item(error: &ErrorRow, write_id: &str) -> Item {
    let state = if error.dismissed_at.is_some() {
        ErrorState::Dismissed
    } else if error.resolved_at.is_some() {
        ErrorState::Resolved
    } else {
        ErrorState::Open
    };
    [
        ("group", s(group(error.cause, &error.about))),
        ("schema", n(SCHEMA)),
        ("id", s(&error.id)),
        ("version", n(error.version)),
        ("write_id", s(write_id)),
        ("body", json(&StoredError::from(error))),
        ("open", s(state.name())),
        ("rank", s(rank(error))),
        ("feed", s(FEED)),
        ("changed", s(changed(error))),
        ("expires_at", ttl(error.kept_until(), 0)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The key of the index at which a range begins.
fn start(state: ErrorState, cursor: &ErrorCursor) -> Item {
    [("open", s(state.name())), ("rank", s(&cursor.rank)), ("group", s(&cursor.group))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

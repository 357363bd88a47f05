//! Calls that are counted one by one: a row of the Counters table for each caller, with the calls of its present minute.
//!
//! The calls are a set of ids, not a number: an attempt that the SDK repeats because its answer was lost adds nothing.

use async_trait::async_trait;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use reelhook_app::limits::{CallCounter, Limited};
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use crate::errors::store_error;
use crate::items::{n, number, s};
use crate::jobs::counters::{ALONE, CounterTable};
use crate::retry::{RetryClock, send_update};

/// The length of a window in milliseconds; it begins with a caller's first call.
const WINDOW_MS: i64 = 60_000;
/// Seconds for which a row is kept after its window.
const LIFE_S: i64 = 600;
/// The name of the operation in errors.
const OPERATION: &str = "count call";

/// What adding a call to the present window came to.
enum Added {
    /// It is counted.
    Counted,
    /// The window is full until then.
    Full(Timestamp),
    /// There is no window, or it has ended.
    Ended,
}

#[async_trait]
impl CallCounter for CounterTable {
    async fn count_call(
        &self,
        caller: &str,
        call: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StoreError> {
        let waits = RetryClock::of(self.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            match add(self, caller, call, limit, now).await? {
                Added::Counted => return Ok(Ok(())),
                Added::Full(until) => {
                    let wait_ms = u64::try_from(until.millis_since(now)).unwrap_or_default();
                    return Ok(Err(Limited { retry_after_s: wait_ms.div_ceil(1000).max(1) }));
                }
                Added::Ended => {}
            }
            if begin(self, caller, call, now).await? {
                return Ok(Ok(()));
            }
        }
        Err(StoreError::Busy { operation: OPERATION, source: "other instances began a window each time".into() })
    }
}

/// Adds a call to the present window, unless it is full.
async fn add(
    counters: &CounterTable,
    caller: &str,
    call: &str,
    limit: u32,
    now: Timestamp,
) -> Result<Added, StoreError> {
    let update = row(counters, caller, call, now)
        .update_expression("ADD #calls :call")
        .condition_expression("#until > :now AND (size(#calls) < :limit OR contains(#calls, :id))")
        .expression_attribute_values(":id", s(call))
        .expression_attribute_values(":limit", n(limit))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let error = match send_update(counters.client(), update).await {
        Ok(_) => return Ok(Added::Counted),
        Err(error) => error,
    };
    let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else {
        return Err(store_error(OPERATION, error));
    };
    let until = failed.item().and_then(|item| number(item, "until")).map(Timestamp);
    Ok(until.filter(|until| *until > now).map_or(Added::Ended, Added::Full))
}

/// Begins a window with a call; false if another instance was first.
async fn begin(counters: &CounterTable, caller: &str, call: &str, now: Timestamp) -> Result<bool, StoreError> {
    let until = now.millis() + WINDOW_MS;
    let update = row(counters, caller, call, now)
        .update_expression("SET #calls = :call, #until = :until, expires_at = :expires")
        .condition_expression("attribute_not_exists(pk) OR #until <= :now")
        .expression_attribute_values(":until", n(until))
        .expression_attribute_values(":expires", n(until / 1000 + LIFE_S));
    match send_update(counters.client(), update).await {
        Ok(_) => Ok(true),
        Err(error) if is_condition(&error) => Ok(false),
        Err(error) => Err(store_error(OPERATION, error)),
    }
}

/// An update of a caller's row, with what both updates have in common.
fn row(counters: &CounterTable, caller: &str, call: &str, now: Timestamp) -> UpdateItemFluentBuilder {
    counters
        .client()
        .update_item()
        .table_name(counters.name())
        .key("pk", s(format!("calls#{caller}")))
        .key("sk", s(ALONE))
        .expression_attribute_names("#calls", "calls")
        .expression_attribute_names("#until", "until")
        .expression_attribute_values(":call", AttributeValue::Ss(vec![call.to_owned()]))
        .expression_attribute_values(":now", n(now.millis()))
}

fn is_condition(error: &SdkError<UpdateItemError, HttpResponse>) -> bool {
    matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

//! What a caller makes in a day, counted on condition of the limit.

use reelhook_app::limits::DayIsFull;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::limits::Limits;
use serde_json::json;

use crate::replay::{Answer, Call, Calls, condition_failed, dynamodb, error, ok};

fn limits(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (Limits, Calls) {
    let (client, calls) = dynamodb(script);
    (Limits::of_callers(CounterTable::new(client, "Counters"), 100), calls)
}

#[tokio::test]
async fn a_job_is_counted_in_the_row_of_its_caller_and_day() {
    let (limits, calls) = limits(|_, _| ok());
    assert_eq!(limits.admit_new("ann", 5).await, Ok(()));
    let call = calls.only();
    assert_eq!(call.at("/Key/pk"), &json!({ "S": "made#ann" }));
    assert_eq!(call.at("/Key/sk/S").as_str().map(str::len), Some("2024-01-01".len()));
    assert_eq!(call.at("/ConditionExpression"), "attribute_not_exists(#count) OR #count < :most");
    assert_eq!(call.at("/ExpressionAttributeValues/:most"), &json!({ "N": "5" }));
}

#[tokio::test]
async fn a_job_beyond_the_limit_is_refused_until_the_next_day() {
    let (limits, _) = limits(|_, _| condition_failed(None));
    let DayIsFull { most, retry_after_s } = limits.admit_new("ann", 5).await.unwrap_err();
    assert_eq!(most, 5);
    assert!((1..=86_400).contains(&retry_after_s), "{retry_after_s}");
}

#[tokio::test]
async fn a_job_that_can_t_be_counted_is_admitted() {
    let (limits, _) = limits(|_, _| error("AccessDeniedException"));
    assert_eq!(limits.admit_new("ann", 5).await, Ok(()));
}

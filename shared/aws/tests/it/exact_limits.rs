//! Calls that are counted one by one: the row of a caller, with DynamoDB's conditions played by a small table.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use reelhook_app::limits::{CallCounter, Limited};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_domain::Timestamp;
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use crate::replay::{Answer, Call, condition_failed, dynamodb, error, kind, ok};

/// The row of one caller.
#[derive(Default)]
struct Row {
    until: Option<i64>,
    calls: BTreeSet<String>,
}

impl Row {
    fn item(&self) -> Option<Value> {
        let until = self.until?.to_string();
        Some(json!({ "until": { "N": until }, "calls": { "SS": self.calls } }))
    }

    /// What DynamoDB does with either update.
    fn update(&mut self, call: &Call) -> Answer {
        let number = |name: &str| -> i64 {
            call.at(&format!("/ExpressionAttributeValues/:{name}/N")).as_str().unwrap().parse().unwrap()
        };
        let id = call.at("/ExpressionAttributeValues/:call/SS/0").as_str().unwrap().to_owned();
        let open = self.until.is_some_and(|until| until > number("now"));
        if call.at("/UpdateExpression") == "ADD #calls :call" {
            let fits = self.calls.contains(&id) || (self.calls.len() as i64) < number("limit");
            if !open || !fits {
                return condition_failed(self.item().as_ref());
            }
        } else {
            if open {
                return condition_failed(None);
            }
            (self.until, self.calls) = (Some(number("until")), BTreeSet::new());
        }
        self.calls.insert(id);
        ok()
    }
}

/// An instance of a function, with the row that it shares with others.
fn instance(row: &Arc<Mutex<Row>>) -> CounterTable {
    let row = Arc::clone(row);
    CounterTable::new(dynamodb(move |call, _| row.lock().unwrap().update(call)).0, "Counters")
}

#[tokio::test]
async fn many_instances_admit_exactly_the_limit() {
    let row = Arc::default();
    let instances: Vec<CounterTable> = (0..10).map(|_| instance(&row)).collect();
    let calls: Vec<String> = (0..150).map(|n| format!("call {n}")).collect();
    let counted = calls.iter().enumerate().map(|(n, call)| instances[n % 10].count_call("ann", call, 100, NOON));
    let admitted = join_all(counted).await.into_iter().filter(|answer| matches!(answer, Ok(Ok(())))).count();
    assert_eq!(admitted, 100);
    let later = |seconds: u64| NOON.after(Duration::from_secs(seconds));
    let refused = instances[0].count_call("ann", "one more", 100, later(20)).await.unwrap();
    assert_eq!(refused, Err(Limited { retry_after_s: 40 }));
    let refused = instances[1].count_call("ann", "one more", 100, Timestamp(later(60).millis() - 1)).await.unwrap();
    assert_eq!(refused, Err(Limited { retry_after_s: 1 }));
    assert_eq!(instances[2].count_call("ann", "one more", 100, later(60)).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_counts_once() {
    let row = Arc::default();
    let counters = instance(&row);
    for _ in 0..3 {
        assert_eq!(counters.count_call("ann", "the same", 2, NOON).await.unwrap(), Ok(()));
    }
    assert_eq!(counters.count_call("ann", "second", 2, NOON).await.unwrap(), Ok(()));
    assert_eq!(counters.count_call("ann", "the same", 2, NOON).await.unwrap(), Ok(()));
    assert!(counters.count_call("ann", "third", 2, NOON).await.unwrap().is_err());
}

#[tokio::test]
async fn a_row_is_named_after_its_caller_and_expires() {
    let (client, calls) = dynamodb(|_, before| if before == 0 { condition_failed(None) } else { ok() });
    let counters = CounterTable::new(client, "Counters");
    assert_eq!(counters.count_call("video 203.0.113.7", "a", 100, NOON).await.unwrap(), Ok(()));
    let [added, begun] = &calls.all()[..] else { panic!("{calls:?}") };
    for call in [added, begun] {
        assert_eq!(call.at("/Key"), &json!({ "pk": { "S": "calls#video 203.0.113.7" }, "sk": { "S": "-" } }));
    }
    let values = begun.at("/ExpressionAttributeValues");
    assert_eq!(values[":until"], json!({ "N": "1704110460000" }));
    assert_eq!(values[":expires"], json!({ "N": "1704111060" }));
}

#[tokio::test]
async fn calls_that_can_t_be_counted_are_an_error() {
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let counters = CounterTable::new(dynamodb(move |_, _| error(code)).0, "Counters");
        let failed = counters.count_call("ann", "a", 100, NOON).await.unwrap_err();
        assert_eq!(kind(&failed), expected, "{code}");
    }
    // Another instance begins a window at each attempt, and it has always just ended.
    let counters = CounterTable::new(dynamodb(|_, _| condition_failed(None)).0, "Counters");
    assert_eq!(kind(&counters.count_call("ann", "a", 100, NOON).await.unwrap_err()), "busy");
}

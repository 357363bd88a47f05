//! The Endpoints table: admissions are saved conditionally, reports unconditionally.

use reelhook_app::webhooks::deliver::{EndpointAdmission, EndpointHealthStore};
use reelhook_app::webhooks::endpoints::EndpointStateStore;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_domain::{
    AttemptClaim, CircuitState, Concurrency, ConcurrencyChange, EndpointId, EndpointReport, EndpointState, RateWindow,
    Slot, Timestamp, WarningLevel,
};
use reelhook_testkit::NOON;
use serde_json::json;

use crate::replay::{Answer, Call, Calls, condition_failed, dynamodb, error, kind, ok};

fn table(script: impl Fn(&Call, usize) -> Answer + Send + Sync + 'static) -> (EndpointTable, Calls) {
    let (client, calls) = dynamodb(script);
    (EndpointTable::new(client, "Endpoints"), calls)
}

fn id() -> EndpointId {
    EndpointId::parse("ep_1").unwrap()
}

/// A slot of version 0.2.
fn slot(holder: u64, attempts: u32, until: Timestamp) -> Slot {
    Slot { holder, attempts, until, busy_until: until, started_at: until, claims: Vec::new() }
}

#[tokio::test]
async fn an_extended_slot_is_written_whatever_others_record() {
    let (store, calls) = table(|_, _| ok());
    let slot = Slot {
        busy_until: Timestamp(5),
        claims: vec![AttemptClaim { delivery: 10, attempt: 1 }],
        ..slot(2, 1, Timestamp(9))
    };
    store.extend(&id(), &slot.extended()).await.unwrap();
    assert_eq!(resolved(&calls.only(), "/UpdateExpression"), "SET slot_2 = 1 9 9 9 a ADD revision 1");
    assert_eq!(calls.only().at("/ConditionExpression"), &json!(null));
}

/// A call's expression with names and values instead of their placeholders.
fn resolved(call: &Call, expression: &str) -> String {
    let mut text = call.at(expression).as_str().unwrap_or_default().to_owned();
    for (part, shown) in [("/ExpressionAttributeNames", false), ("/ExpressionAttributeValues", true)] {
        let mut known: Vec<_> = call.at(part).as_object().into_iter().flatten().collect();
        // `:v1` is a prefix of `:v10`.
        known.sort_by_key(|(placeholder, _)| std::cmp::Reverse(placeholder.len()));
        for (placeholder, value) in known {
            let value = if shown { value.as_object().unwrap().values().next().unwrap() } else { value };
            text = text.replace(placeholder.as_str(), value.as_str().unwrap());
        }
    }
    text
}

#[tokio::test]
async fn an_endpoint_without_a_row_is_healthy() {
    let (store, calls) = table(|_, _| ok());
    assert_eq!(store.endpoint(&id()).await.unwrap(), EndpointState::default());
    assert_eq!(calls.only().at("/ConsistentRead"), &json!(true));
}

#[tokio::test]
async fn an_endpoint_s_state_is_read() {
    let item = json!({
        "id": { "S": "ep_1" }, "window_index": { "N": "28401840" }, "window_used": { "N": "99" },
        "disabled_at": { "N": "1704110400000" }, "disabled_reason": { "S": "gone" }, "revision": { "N": "12" },
        "failures": { "N": "7" }, "paused_until": { "N": "1704110460000" }, "failing_since": { "N": "1704110400001" },
        "circuit_until": { "N": "1704110400002" }, "probes": { "N": "2" }, "candidate": { "N": "1704110400003" },
        "warned": { "N": "50" }, "width": { "N": "4" }, "latency_ms": { "N": "321" }, "line": { "N": "1704110400004" },
        "registration": { "N": "5" }, "removed_at": { "N": "1704110400006" }, "told_failing": { "N": "1704110400007" }, "told": { "N": "1" }, "success_permille": { "N": "912" },
        "slot_1f": { "S": "3 1704110400005" }, "slot_of_nobody": { "S": "?" }, "changed_at": { "N": "1704110400009" },
        "slot_2a": { "S": "2 1704110400008 1704110400007 1704110400006 1f 5e.3" },
    });
    let (store, _) = table(move |_, _| (200, json!({ "Item": item })));
    let at = |ms: i64| Some(Timestamp(1_704_110_400_000 + ms));
    let expected = EndpointState {
        revision: 12,
        registration: Some(5),
        removed_at: at(6),
        outage_notified_since: at(7),
        disabled_at: at(0),
        disabled_reason: Some("gone".to_owned()),
        disable_notified: true,
        window: RateWindow { index: 28_401_840, used: 99 },
        paused_until: at(60_000),
        failures: 7,
        failing_since: at(1),
        circuit: CircuitState { until: at(2), failed_probes: 2, candidate: at(3) },
        warned: Some(WarningLevel::Half),
        latency_ms: 321,
        success_permille: Some(912),
        concurrency: Concurrency {
            limit: Some(4),
            queue_end: at(4),
            slots: vec![
                slot(31, 3, Timestamp(1_704_110_400_005)),
                Slot {
                    holder: 42,
                    attempts: 2,
                    until: Timestamp(1_704_110_400_008),
                    busy_until: Timestamp(1_704_110_400_007),
                    started_at: Timestamp(1_704_110_400_006),
                    claims: vec![AttemptClaim { delivery: 31, attempt: 1 }, AttemptClaim { delivery: 94, attempt: 3 }],
                },
            ],
            changed_at: at(9),
        },
    };
    let mut state = store.endpoint(&id()).await.unwrap();
    state.concurrency.slots.sort_by_key(|slot| slot.holder);
    assert_eq!(state, expected);
}

#[tokio::test]
async fn an_admission_is_saved_on_condition_that_nothing_changed() {
    let was = EndpointState {
        revision: 7,
        concurrency: Concurrency { slots: vec![slot(1, 2, NOON)], ..Concurrency::default() },
        ..EndpointState::default()
    };
    let next = EndpointState {
        revision: 8,
        window: RateWindow { index: 5, used: 6 },
        concurrency: Concurrency {
            queue_end: Some(NOON),
            slots: vec![Slot { claims: vec![AttemptClaim { delivery: 255, attempt: 2 }], ..slot(2, 3, Timestamp(9)) }],
            changed_at: Some(NOON),
            ..Concurrency::default()
        },
        ..EndpointState::default()
    };
    let (store, calls) = table(|_, _| ok());
    assert_eq!(store.admit(&id(), &was, &next).await.unwrap(), None);
    let call = calls.only();
    assert_eq!(
        resolved(&call, "/UpdateExpression"),
        "SET revision = 8, window_index = 5, window_used = 6, line = 1704110400000, changed_at = 1704110400000, \
         slot_2 = 3 9 9 9 ff.2 REMOVE slot_1"
    );
    assert_eq!(resolved(&call, "/ConditionExpression"), "revision = 7 OR (attribute_not_exists(revision) AND 7 = 0)");
    assert_eq!(call.at("/ReturnValuesOnConditionCheckFailure"), "ALL_OLD");
    let item = json!({ "revision": { "N": "9" }, "slot_5": { "S": "1 9" } });
    let (store, _) = table(move |_, _| condition_failed(Some(&item)));
    let theirs = store.admit(&id(), &was, &next).await.unwrap().expect("another one was admitted first");
    assert_eq!((theirs.revision, theirs.concurrency.slots.len()), (9, 1));
    // A response without the item leads to a read.
    let (store, calls) = table(|_, before| if before == 0 { condition_failed(None) } else { ok() });
    assert_eq!(store.admit(&id(), &was, &next).await.unwrap(), Some(EndpointState::default()));
    assert_eq!(calls.operations(), ["UpdateItem", "GetItem"]);
    // The stored item has this batch's slot if the response of the first attempt was lost.
    let own = json!({ "revision": { "N": "8" }, "slot_2": { "S": "3 9 9 9 ff.2" } });
    let (store, _) = table(move |_, before| match before {
        0 => error("InternalServerError"),
        _ => condition_failed(Some(&own)),
    });
    assert_eq!(store.admit(&id(), &was, &next).await.unwrap(), None);
}

fn report(failed: Option<u64>) -> EndpointReport {
    EndpointReport {
        holder: 31,
        kept: None,
        at: NOON,
        failed,
        latency_ms: Some(40),
        success_permille: Some(950),
        concurrency_limit: ConcurrencyChange::Set(2),
        circuit_until: None,
        probes: None,
        pause_until: None,
    }
}

#[tokio::test]
async fn a_batch_s_results_are_recorded_whatever_other_batches_record() {
    let check = async |report: EndpointReport, expected: &str| {
        let (store, calls) = table(|_, _| (200, json!({ "Attributes": { "failures": { "N": "9" } } })));
        assert_eq!(store.report(&id(), &report).await.unwrap().failures, 9);
        let call = calls.all().remove(0);
        assert_eq!(resolved(&call, "/UpdateExpression"), expected);
        assert_eq!((call.at("/ConditionExpression"), call.at("/ReturnValues")), (&json!(null), &json!("ALL_NEW")));
        calls.all()
    };
    check(
        report(None),
        "SET changed_at = 1704110400000, latency_ms = 40, success_permille = 950, width = 2 ADD revision 1 \
         REMOVE slot_1f, failures, failing_since, warned, circuit_until, candidate, probes",
    )
    .await;
    let failed = EndpointReport {
        circuit_until: Some(Timestamp(5)),
        probes: Some(3),
        concurrency_limit: ConcurrencyChange::RaiseBy(7),
        ..report(Some(2))
    };
    check(
        failed,
        "SET changed_at = 1704110400000, latency_ms = 40, success_permille = 950, failing_since = if_not_exists(failing_since, 1704110400000), circuit_until = 5, \
         probes = 3 ADD revision 1, width 7, failures 2 REMOVE slot_1f",
    )
    .await;
    let nothing = EndpointReport {
        concurrency_limit: ConcurrencyChange::Unchanged,
        latency_ms: None,
        success_permille: None,
        ..report(Some(0))
    };
    check(nothing.clone(), "SET changed_at = 1704110400000 ADD revision 1 REMOVE slot_1f").await;
    let kept = Some(Slot { attempts: 0, claims: vec![AttemptClaim { delivery: 10, attempt: 1 }], ..slot(31, 3, NOON) });
    let unsaved =
        "SET changed_at = 1704110400000, slot_1f = 0 1704110400000 1704110400000 1704110400000 a ADD revision 1";
    check(EndpointReport { kept, ..nothing }, unsaved).await;
    // A longer pause is kept, so a failed condition is a success.
    let pausing = EndpointReport { pause_until: Some(NOON), ..report(Some(0)) };
    let (store, calls) = table(|_, before| if before == 0 { ok() } else { condition_failed(None) });
    assert_eq!(store.report(&id(), &pausing).await.unwrap().paused_until, Some(NOON));
    let pause = &calls.all()[1];
    assert_eq!(resolved(pause, "/UpdateExpression"), "SET paused_until = 1704110400000 ADD revision 1");
    let condition = "attribute_not_exists(paused_until) OR paused_until < 1704110400000";
    assert_eq!(resolved(pause, "/ConditionExpression"), condition);
}

#[tokio::test]
async fn a_notified_outage_is_recorded_while_it_lasts_and_can_be_taken_back() {
    let (store, calls) = table(|_, before| if before == 1 { condition_failed(None) } else { ok() });
    assert!(store.mark_failing_notified(&id(), Some(NOON)).await.unwrap());
    assert!(
        !store.mark_failing_notified(&id(), Some(NOON)).await.unwrap(),
        "the endpoint has accepted a webhook meanwhile"
    );
    assert!(store.mark_failing_notified(&id(), None).await.unwrap());
    let all = calls.all();
    assert_eq!(resolved(&all[0], "/UpdateExpression"), "SET told_failing = 1704110400000");
    assert_eq!(resolved(&all[0], "/ConditionExpression"), "attribute_exists(failures)");
    assert_eq!(resolved(&all[2], "/UpdateExpression"), "REMOVE told_failing");
}

#[tokio::test]
async fn one_of_many_gives_each_warning() {
    let (store, calls) = table(|_, before| if before == 0 { ok() } else { condition_failed(None) });
    assert!(store.warn(&id(), WarningLevel::Half).await.unwrap());
    assert!(!store.warn(&id(), WarningLevel::Half).await.unwrap());
    let condition = "attribute_exists(failures) AND (attribute_not_exists(warned) OR warned < 50)";
    assert_eq!(resolved(&calls.all()[0], "/ConditionExpression"), condition);
    assert!(
        !store.auto_disable(&id(), 7, "why", NOON).await.unwrap(),
        "it was disabled or accepted a webhook meanwhile"
    );
    let condition = "failures >= 7 AND attribute_not_exists(disabled_at)";
    assert_eq!(resolved(&calls.all()[2], "/ConditionExpression"), condition);
}

#[tokio::test]
async fn an_endpoint_that_this_call_disabled_is_so_by_this_call_though_its_answer_was_lost() {
    for (reason, is_ours) in [("why", true), ("an operator", false)] {
        let item = json!({ "disabled_at": { "N": NOON.millis().to_string() }, "disabled_reason": { "S": reason } });
        let (store, calls) = table(move |_, before| match before {
            0 => error("InternalServerError"),
            _ => condition_failed(Some(&item)),
        });
        assert_eq!(store.auto_disable(&id(), 7, "why", NOON).await.unwrap(), is_ours, "{reason}");
        assert_eq!(calls.all()[1].at("/ReturnValuesOnConditionCheckFailure"), "ALL_OLD");
    }
}

#[tokio::test]
async fn disabling_records_the_time_and_reason_and_enabling_removes_them() {
    let (store, calls) = table(|_, _| ok());
    store.disable(&id(), "the receiver answered 410", NOON, false).await.unwrap();
    store.disable(&id(), "an operator", NOON, true).await.unwrap();
    store.mark_disabled_notified(&id()).await.unwrap();
    let [by_receiver, by_operator, notified] = &calls.all()[..] else { panic!("three calls") };
    assert_eq!(
        resolved(by_receiver, "/UpdateExpression"),
        "SET disabled_at = 1704110400000, disabled_reason = the receiver answered 410 ADD revision 1 REMOVE told"
    );
    assert_eq!(resolved(by_receiver, "/ConditionExpression"), "attribute_not_exists(disabled_at)");
    assert!(resolved(by_operator, "/UpdateExpression").contains("told = 1"), "no notification is due");
    assert_eq!(resolved(notified, "/UpdateExpression"), "SET told = 1");
    let (store, calls) = table(|_, before| if before == 0 { ok() } else { condition_failed(None) });
    store.enable(&id()).await.unwrap();
    // An endpoint without an item, or with a closed circuit, stays as it is.
    store.enable(&id()).await.unwrap();
    store.request_probe(&id()).await.unwrap();
    assert_eq!(resolved(&calls.all()[2], "/UpdateExpression"), "SET circuit_until = 0 ADD revision 1 REMOVE candidate");
    assert_eq!(resolved(&calls.all()[2], "/ConditionExpression"), "attribute_exists(circuit_until)");
    assert_eq!(
        resolved(&calls.all()[0], "/UpdateExpression"),
        "ADD revision 1 REMOVE disabled_at, disabled_reason, told, told_failing, paused_until, failures, failing_since, warned, \
         circuit_until, candidate, probes, width, latency_ms, success_permille, line"
    );
}

#[tokio::test]
async fn failures_are_distinguished() {
    let (was, next) = (EndpointState::default(), EndpointState::default());
    for (code, expected) in [("ThrottlingException", "busy"), ("AccessDeniedException", "refused")] {
        let (store, _) = table(move |_, _| error(code));
        assert_eq!(kind(&store.endpoint(&id()).await.unwrap_err()), expected);
        assert_eq!(kind(&store.admit(&id(), &was, &next).await.unwrap_err()), expected);
        assert_eq!(kind(&store.report(&id(), &report(None)).await.unwrap_err()), expected);
        assert_eq!(kind(&store.warn(&id(), WarningLevel::Half).await.unwrap_err()), expected);
        assert_eq!(kind(&store.disable(&id(), "why", NOON, false).await.unwrap_err()), expected);
    }
}

//! Shards of the active index and rows of slots: what is read and written with one and with several (ADR 54, 55 and 71).

use std::sync::{Arc, Mutex};

use reelhook_app::change::AggregateStore;
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::claims::{Claimed, Look, StartStore, oldest_ready};
use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::outbox::sweep::DueIndex;
use reelhook_app::store::Saved;
use reelhook_aws::jobs::active::shards::ActiveShards;
use reelhook_domain::{Admission, JobId, Lane, SlotRow, Slots, Status, Timestamp};
use reelhook_testkit::NOON;
use serde_json::{Value, json};

use super::{claimed, table, waiting};
use crate::replay::{Answer, Call, ok};

const EACH: usize = 16;

/// An entry of the index: partition, rank and id.
type Entry = (String, String, String);

fn rank(lane: u64, class: u8, at: i64) -> String {
    format!("pending#o{}{class}#{at:014}#{at}", Lane::at(lane))
}

/// Answers queries of the active index as it would with these entries.
fn index(mut entries: Vec<Entry>) -> impl Fn(&Call, usize) -> Answer + Send + Sync + 'static {
    entries.sort();
    move |call, _| {
        let value = |name: &str| call.at(&format!("/ExpressionAttributeValues/:{name}/S")).as_str().unwrap_or_default();
        let limit = usize::try_from(call.at("/Limit").as_u64().unwrap()).unwrap();
        let (first, last) = (value("first"), value("last"));
        assert!(first <= last, "DynamoDB refuses such a range");
        let item = |(active, rank, id): &Entry| {
            let keys = [("id", id), ("active", active), ("active_rank", rank)];
            keys.into_iter().map(|(name, value)| (name.to_owned(), json!({ "S": value }))).collect::<Value>()
        };
        let mut found: Vec<Value> = entries
            .iter()
            .filter(|(active, rank, _)| active == value("active") && first <= rank.as_str() && rank.as_str() <= last)
            .map(item)
            .collect();
        if call.at("/ScanIndexForward") == &json!(false) {
            found.reverse();
        }
        let start = call.at("/ExclusiveStartKey");
        let after = found.iter().position(|item| item == start).map_or(0, |position| position + 1);
        let rest = found.split_off(after);
        let page = &rest[..limit.min(rest.len())];
        let mut answer = json!({ "Count": page.len(), "Items": page });
        if page.len() < rest.len() {
            answer["LastEvaluatedKey"] = page[limit - 1].clone();
        }
        (200, answer)
    }
}

fn many(active: &str, lane: u64, count: usize) -> Vec<Entry> {
    let entry = |n: usize| (active.to_owned(), rank(lane, 4, n as i64), format!("job_{lane}_{n:05}"));
    (0..count).map(entry).collect()
}

fn look(from: u64) -> Look {
    Look { now: NOON, from: Lane::at(from), each: EACH }
}

#[tokio::test]
async fn few_waiting_jobs_are_one_read() {
    let entries = vec![
        ("active".to_owned(), format!("pending#{:014}", 7), "job_old".to_owned()),
        ("active".to_owned(), rank(1, 4, 5), "job_1".to_owned()),
        ("active".to_owned(), rank(1, 4, NOON.millis() + 1), "job_later".to_owned()),
        ("active".to_owned(), rank(9, 0, NOON.millis()), "job_9".to_owned()),
        ("active".to_owned(), "processing#1".to_owned(), "job_running".to_owned()),
    ];
    let (jobs, calls) = table(index(entries));
    let ids = ["job_1", "job_old", "job_9"].map(|id| JobId::parse(id).unwrap());
    assert_eq!(oldest_ready(&jobs, NOON, 10).await.unwrap(), ids);
    let call = calls.only();
    assert_eq!(call.at("/IndexName"), "by-active");
    assert_eq!(call.at("/KeyConditionExpression"), "active = :active AND active_rank BETWEEN :first AND :last");
    let values = json!({ ":active": { "S": "active" }, ":first": { "S": "pending#" }, ":last": { "S": "pending#~" } });
    assert_eq!(call.at("/ExpressionAttributeValues"), &values);
    let ready = jobs.ready(&look(0)).await.unwrap();
    let of_nine = ready.jobs.iter().find(|waiting| waiting.lane == Lane::at(9)).unwrap();
    assert_eq!((of_nine.priority.get(), of_nine.ready_at), (9, NOON));
    assert_eq!((ready.all, ready.is_cut), (true, false));
}

#[tokio::test]
async fn many_jobs_of_one_lane_hide_no_other() {
    for from in [0, 3, 5, 900] {
        let mut entries = many("active", 5, 10_000);
        for lane in [1, 2, 3, 6, 7, 800] {
            entries.extend(many("active", lane, 1));
        }
        entries.push(("active".to_owned(), format!("pending#{:014}", 1), "job_old".to_owned()));
        let (jobs, calls) = table(index(entries));
        let ready = jobs.ready(&look(from)).await.unwrap();
        let mut lanes: Vec<Lane> = ready.jobs.iter().map(|waiting| waiting.lane).collect();
        lanes.sort();
        let of_many = lanes.iter().filter(|lane| **lane == Lane::at(5)).count();
        lanes.dedup();
        assert_eq!(lanes, [0, 1, 2, 3, 5, 6, 7, 800].map(Lane::at), "from {from}");
        assert_eq!((of_many, ready.all, ready.is_cut), (EACH, true, true), "from {from}");
        assert!(calls.all().len() <= 7, "{} reads", calls.all().len());
    }
}

#[tokio::test]
async fn a_look_reads_some_lanes_of_many_and_says_so() {
    let entries: Vec<Entry> = (1..500).flat_map(|lane| many("active", lane, 3)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for from in (0..500).step_by(10) {
        let (jobs, calls) = table(index(entries.clone()));
        let ready = jobs.ready(&look(from)).await.unwrap();
        assert!(!ready.all && calls.all().len() <= 8, "{} reads", calls.all().len());
        seen.extend(ready.jobs.iter().map(|waiting| waiting.lane));
    }
    assert_eq!(seen.len(), 499, "from other places, other lanes");
}

#[tokio::test]
async fn jobs_that_may_start_later_hide_neither_their_lane_nor_others() {
    let later = NOON.millis() + 1;
    let mut entries: Vec<Entry> =
        (0..40).map(|n| ("active".to_owned(), rank(1, 0, later + n), format!("job_later_{n}"))).collect();
    entries.push(("active".to_owned(), rank(1, 0, 2), "job_urgent".to_owned()));
    entries.push(("active".to_owned(), rank(1, 4, 1), "job_ready".to_owned()));
    entries.extend(many("active", 2, 1));
    let (jobs, _) = table(index(entries));
    let ready = jobs.ready(&look(0)).await.unwrap();
    let ids: Vec<&str> = ready.jobs.iter().map(|waiting| waiting.job.as_str()).collect();
    assert_eq!(ids, ["job_urgent", "job_ready", "job_2_00000"], "nor those of a lower priority");
    assert_eq!((ready.all, ready.is_cut), (true, false));
}

#[tokio::test]
async fn a_list_of_waiting_jobs_reads_the_newest_of_each_lane() {
    let entries: Vec<Entry> = (1..4).flat_map(|lane| many("active", lane, 300)).collect();
    let (jobs, calls) = table(index(entries));
    let newest = jobs.newest(None, Status::Pending, "1970-01", Timestamp(10_000), 5).await.unwrap();
    assert_eq!(newest.iter().map(|(at, _)| at.millis()).collect::<Vec<_>>(), [299, 299, 299, 298, 298]);
    let limits: Vec<Value> = calls.all().iter().map(|call| call.at("/Limit").clone()).collect();
    assert_eq!(limits, [100, 200, 400, 100], "one page of each lane, and one of jobs that start");
    let all = jobs.newest(None, Status::Pending, "1970-01", Timestamp(10_000), 1000).await.unwrap();
    assert_eq!(all.len(), 900);
}

#[tokio::test]
async fn claimed_jobs_are_due_though_they_are_among_the_waiting_ones() {
    let waiting = index(many("active", 5, 3));
    let mut row = Admission::default();
    row.active.insert(format!("job_5_00001.1.1@{}", Lane::at(5)), Timestamp(NOON.millis() + 1000));
    let slots = rows(vec![row]);
    let (jobs, _) = table(move |call, before| match call.operation.as_str() {
        "Query" => waiting(call, before),
        _ => slots(call, before),
    });
    // Their timer is in no range of the index, and a slot that they hold may be the one that they wait for.
    let due = jobs.due(jobs.parts() - 1, NOON).await.unwrap();
    assert_eq!(due, [JobId::parse("job_5_00001").unwrap()]);
}

#[tokio::test]
async fn a_claimed_job_is_due_however_many_lanes_and_jobs_of_a_higher_priority_wait() {
    let mut entries: Vec<Entry> = (1..=300).flat_map(|lane| many("active", lane, 20)).collect();
    entries.extend((0..3000).map(|n| ("active".to_owned(), rank(200, 0, n), format!("job_urgent_{n}"))));
    let waiting = index(entries);
    let mut row = Admission::default();
    for claimed in ["job_7_00000", "job_200_00000", "job_299_00019"] {
        row.active.insert(format!("{claimed}.1.1"), Timestamp(NOON.millis() + 1000));
    }
    let slots = rows(vec![row]);
    let (jobs, calls) = table(move |call, before| match call.operation.as_str() {
        "Query" => waiting(call, before),
        _ => slots(call, before),
    });
    let due = jobs.due(jobs.parts() - 1, NOON).await.unwrap();
    let expected = ["job_200_00000", "job_299_00019", "job_7_00000"].map(|id| JobId::parse(id).unwrap());
    assert_eq!(due, expected);
    assert!(calls.all().len() <= 13, "{} calls", calls.all().len());
}

#[tokio::test]
async fn jobs_are_written_to_their_shard_and_read_from_those_of_before_too() {
    let shards: Vec<String> = {
        let seen = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
        for n in 0..40 {
            let (jobs, calls) = table(|_, _| ok());
            let job = reelhook_testkit::make_job(n, NOON, &reelhook_testkit::policy());
            let jobs = jobs.sharded(ActiveShards::new(4, 1));
            assert_eq!(jobs.save(&reelhook_domain::Job { version: 2, ..job }).await.unwrap(), Saved::Done);
            seen.lock().unwrap().insert(calls.only().at("/Item/active/S").as_str().unwrap().to_owned());
        }
        let seen = seen.lock().unwrap();
        seen.iter().cloned().collect()
    };
    assert_eq!(shards, ["active", "active#1", "active#2", "active#3"]);
    for (now, before) in [(4, 1), (1, 4)] {
        let entries = shards.iter().zip(1_u64..).flat_map(|(active, lane)| many(active, lane, 1)).collect();
        let (jobs, calls) = table(index(entries));
        let jobs = jobs.sharded(ActiveShards::new(now, before));
        assert_eq!(jobs.ready(&look(0)).await.unwrap().jobs.len(), 4, "{now} after {before}");
        assert!(jobs.running().await.unwrap().is_empty());
        assert_eq!(calls.all().len(), 8, "one read for each shard");
    }
}

#[tokio::test]
async fn active_jobs_of_all_shards_are_counted_and_many_once_a_second() {
    let (jobs, calls) = table(|call, _| {
        let of_shard = call.at("/ExpressionAttributeValues/:active/S").as_str().map_or(0, str::len);
        let items: Vec<Value> = (0..if of_shard > 0 { 30 } else { 0 })
            .map(|n| json!({ "active_rank": { "S": if n == 0 { "processing#1" } else { "pending#1" } } }))
            .collect();
        (200, json!({ "Count": items.len(), "Items": items }))
    });
    let jobs = jobs.sharded(ActiveShards::new(3, 1));
    for pending in [87, 87] {
        let counts = jobs.active_counts().await.unwrap();
        assert_eq!((counts.pending, counts.processing), (pending, 3));
    }
    assert_eq!(calls.all().len(), 3, "the second answer is the first one's");
    use reelhook_app::jobs::submit::SubmitStore;
    assert_eq!(jobs.insert(&waiting()).await.unwrap(), Saved::Done);
    assert_eq!(jobs.active_counts().await.unwrap().pending, 88, "what this instance added is counted");
}

/// Reads of rows of slots find these; everything else succeeds.
fn rows(rows: Vec<Admission>) -> impl Fn(&Call, usize) -> Answer + Send + Sync + 'static {
    move |call, _| {
        let item = |key: &Value| {
            let pk = key["pk"]["S"].as_str()?;
            let number: usize = if pk == "admission" { 0 } else { pk.strip_prefix("admission#")?.parse().ok()? };
            let body = serde_json::to_string(rows.get(number)?).unwrap();
            Some(json!({ "pk": { "S": pk }, "body": { "S": body } }))
        };
        match call.operation.as_str() {
            "GetItem" => item(call.at("/Key")).map_or_else(ok, |item| (200, json!({ "Item": item }))),
            "BatchGetItem" => {
                let keys = call.at("/RequestItems/Counters/Keys").as_array().expect("keys");
                let items: Vec<Value> = keys.iter().filter_map(item).collect();
                (200, json!({ "Responses": { "Counters": items } }))
            }
            _ => ok(),
        }
    }
}

/// Rows that grant numbers.
fn arranged(count: usize) -> Vec<Admission> {
    let first = Slots::from(Admission::default()).arranged(count, true).expect("another arrangement").row;
    let other = Admission { version: 1, revision: first.revision, ..Admission::default() };
    std::iter::once(first).chain(std::iter::repeat_n(other, count - 1)).collect()
}

#[tokio::test]
async fn all_rows_are_read_and_a_claim_writes_the_one_that_it_takes() {
    let (jobs, calls) = table(rows(arranged(3)));
    let slots = jobs.admission().await.unwrap();
    assert_eq!(slots.rows(), 3);
    assert_eq!(calls.all().len(), 2, "the first read says how many there are");
    assert_eq!(jobs.admission().await.unwrap().rows(), 3);
    assert_eq!(calls.all().len(), 3, "from then on they are known");
    assert_eq!(calls.all()[2].at("/RequestItems/Counters/ConsistentRead"), &json!(true));

    let until = Timestamp(NOON.millis() + 1000);
    let taken = slots.take(&[waiting().next_slot(), "job_2.1.1".to_owned()], NOON, until, 9, 1).unwrap();
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.claim(&[claimed(), claimed()], &taken.rows).await.unwrap(), Claimed::Done);
    let call = calls.only();
    let row = call.at("/TransactItems/0/Put");
    assert_eq!(row["Item"]["pk"], json!({ "S": "admission#1" }));
    assert_eq!(row["ConditionExpression"], "attribute_not_exists(pk) OR #version = :version");
    assert_eq!(call.at("/TransactItems").as_array().unwrap().len(), 3, "one row and two jobs");
}

#[tokio::test]
async fn a_look_at_many_rows_takes_half_a_unit_each_and_one_row_is_read_as_it_is() {
    for (count, consistent) in [(1, "/ConsistentRead"), (3, "/RequestItems/Counters/ConsistentRead")] {
        let (jobs, calls) = table(rows(arranged(count)));
        assert_eq!(jobs.admission().await.unwrap().rows(), count);
        let before = calls.all().len();
        assert_eq!(jobs.recent_admission().await.unwrap().rows(), count);
        let calls = calls.all();
        assert_eq!((calls.len(), calls[before].at(consistent)), (before + 1, &json!(count == 1)));
    }
}

#[tokio::test]
async fn some_rows_are_read_without_the_others() {
    let (jobs, calls) = table(rows(arranged(9)));
    let some = jobs.some_rows(&[0].into()).await.unwrap();
    assert_eq!((some.len(), some[0].row.layout.rows), (1, 9));
    assert_eq!(calls.only().operation, "GetItem");
    let some = jobs.some_rows(&[3, 8, 40].into()).await.unwrap();
    assert_eq!(some.iter().map(|row| row.number).collect::<Vec<_>>(), [3, 8, 40]);
    assert_eq!(some[2].row, Admission::default(), "there is no such row");
    assert_eq!(calls.all().len(), 2);
}

#[tokio::test]
async fn rows_that_are_being_changed_are_read_again() {
    let mut torn = arranged(2);
    torn[1].revision += 1;
    let (jobs, _) = table(rows(torn));
    assert!(jobs.admission().await.unwrap_err().is_busy());
}

#[tokio::test]
async fn a_row_whose_slots_have_numbers_is_nothing_that_older_functions_read() {
    let slots = Slots::read(arranged(2)).unwrap();
    let until = Timestamp(NOON.millis() + 1000);
    for draw in 0..2 {
        let taken = slots.take(&["job_2.1.1".to_owned()], NOON, until, 9, draw).unwrap();
        let (jobs, calls) = table(|_, _| ok());
        assert_eq!(jobs.save_admission(&taken.rows[0]).await.unwrap(), Saved::Done);
        let item = calls.only().at("/Item").clone();
        assert!(item["body"].get("S").is_none(), "a text without names in `active` would be free slots: {item}");
        let (jobs, _) = table(move |_, _| (200, json!({ "Item": item.clone() })));
        assert_eq!(jobs.some_rows(&[draw as usize].into()).await.unwrap(), taken.rows);
    }
    // With names, all is as it was: also while `StoredForm` is `text`.
    let named = Slots::from(Admission::default()).take(&["job_2.1.1".to_owned()], NOON, until, 9, 0).unwrap();
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.save_admission(&named.rows[0]).await.unwrap(), Saved::Done);
    let expected = format!(r#"{{"version":1,"paused":false,"active":{{"job_2.1.1":{}}}}}"#, until.millis());
    assert_eq!(calls.only().at("/Item/body/S"), &json!(expected));
}

#[tokio::test]
async fn a_row_with_1875_slots_of_one_lane_takes_three_write_units_at_most() {
    // 120,000 slots in 64 rows. What infra/simulator takes a row to be is less than that.
    let mut row = arranged(1).remove(0);
    let (mut held, mut drawn) = (Vec::new(), 1_u64);
    for n in 0..6000 {
        let now = Timestamp(NOON.millis() + n);
        let until = Timestamp(now.millis() + 2_000_000);
        let taken = Slots::from(row).take(&[format!("job_{n}.1.1")], now, until, 9999, 0).unwrap();
        row = taken.rows[0].row.clone();
        held.extend(taken.slots);
        if held.len() > 1875 {
            // Runs that end in any order leave the most gaps.
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let freed = held.swap_remove((drawn >> 33) as usize % held.len());
            row = SlotRow { number: 0, row }.released(&[freed.as_str()]).expect("it is held").row;
        }
    }
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.save_admission(&SlotRow { number: 0, row }).await.unwrap(), Saved::Done);
    let body = calls.only().at("/Item/body/B").as_str().expect("it is compressed").len() * 3 / 4;
    assert!((1000..2 * 1024 + 512).contains(&body), "{body} bytes");
}

#[tokio::test]
async fn the_oldest_waiting_jobs_are_loaded_where_rows_have_forgotten_who_holds_slots() {
    // More numbered slots than a row remembers.
    let slots = Slots::read(arranged(1)).unwrap();
    let names: Vec<String> = (0..200).map(|n| format!("job_other_{n}.1.1")).collect();
    let taken = slots.take(&names, NOON, Timestamp(NOON.millis() + 1_000_000), 999, 0).unwrap();
    let (found, stored) = (rows(vec![taken.rows[0].row.clone()]), claimed());
    let (jobs, calls) = table(|_, _| ok());
    assert_eq!(jobs.save(&stored).await.unwrap(), Saved::Done);
    let item = calls.only().at("/Item").clone();
    let entry = ("active".to_owned(), rank(5, 5, 1), stored.id.to_string());
    let waiting = index(vec![entry]);
    let (jobs, _) = table(move |call, before| match call.operation.as_str() {
        "Query" => waiting(call, before),
        "BatchGetItem" => (200, json!({ "Responses": { "Jobs": [item.clone()] } })),
        _ => found(call, before),
    });
    let lease = stored.run.start.claim.as_ref().expect("a claim").lease_until;
    let before = Timestamp(lease.millis() - 1);
    assert!(jobs.due(jobs.parts() - 1, before).await.unwrap().is_empty(), "its claim has not ended");
    assert_eq!(jobs.due(jobs.parts() - 1, lease).await.unwrap(), [stored.id]);
}

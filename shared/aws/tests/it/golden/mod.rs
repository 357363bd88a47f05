//! Golden items: everything that versions 0.1.0 and 0.2.0 stored (tests/upgrade) is read by this version, and written again
//! as it was stored.

mod counters;
mod endpoints;
mod jobs;
mod logs;
mod messages;
mod metadata;
mod release_0_2;
mod side_by_side;
mod texts;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use reelhook_domain::Lane;
use serde_json::{Map, Value, json};

use crate::replay::{Calls, dynamodb, ok};

/// The recorded versions.
const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];
/// The recorded tables.
const TABLES: [&str; 6] = ["Catalog", "Counters", "Deliveries", "Endpoints", "JobEvents", "Jobs"];
/// The attributes that identify an item of any table.
const KEYS: [&str; 5] = ["pk", "sk", "id", "job_id", "seq"];

/// The path of a recorded file.
fn path(version: &str, name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/upgrade", version, name].iter().collect()
}

/// A recorded file.
fn file(version: &str, name: &str) -> String {
    let path = path(version, name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The items of a recorded table, in DynamoDB's JSON.
fn rows(version: &str, table: &str) -> Vec<Value> {
    let text = file(version, &format!("tables/{table}.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).expect("an item in JSON")).collect()
}

/// The items of one kind in a recorded table.
fn rows_of(version: &str, table: &str, of: &str) -> Vec<Value> {
    let rows: Vec<Value> = rows(version, table).into_iter().filter(|row| kind(table, row) == of).collect();
    assert!(!rows.is_empty(), "version {version} stored no {of}");
    rows
}

/// The kind of a stored item.
fn kind(table: &str, item: &Value) -> String {
    let has = |name: &str| item.get(name).is_some();
    let kind = match table {
        "Jobs" => "job",
        "JobEvents" if has("line") => "log line",
        "JobEvents" => "live events",
        "Endpoints" if has("registry") => "registration",
        "Endpoints" => "endpoint",
        "Catalog" if has("body") => "movie",
        "Catalog" => "movie's rows",
        "Deliveries" => prefix(item, "sk"),
        "Counters" => prefix(item, "pk"),
        other => panic!("unknown table `{other}`"),
    };
    kind.to_owned()
}

/// The part of a key before the first `#`.
fn prefix<'a>(item: &'a Value, name: &str) -> &'a str {
    let text = string(item, name);
    text.split_once('#').map_or(text, |(prefix, _)| prefix)
}

/// A text attribute.
fn string<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name]["S"].as_str().unwrap_or_else(|| panic!("no text `{name}` in {item}"))
}

/// A number attribute.
fn number(item: &Value, name: &str) -> i64 {
    let text = item[name]["N"].as_str().unwrap_or_else(|| panic!("no number `{name}` in {item}"));
    text.parse().expect("a whole number")
}

/// The JSON that an attribute holds as text.
fn content(item: &Value, name: &str) -> Value {
    serde_json::from_str(string(item, name)).expect("JSON")
}

/// DynamoDB with these items: it reads them by key, finds them by partition, and answers every write with success.
fn holding(items: Vec<Value>) -> (aws_sdk_dynamodb::Client, Calls) {
    dynamodb(move |call, _| {
        let get = |key: &Value| items.iter().find(|item| is_at(item, key)).cloned();
        match call.operation.as_str() {
            "GetItem" => get(call.at("/Key")).map_or_else(ok, |item| (200, json!({ "Item": item }))),
            "BatchGetItem" => {
                let mut found = Map::new();
                for (table, wanted) in call.at("/RequestItems").as_object().expect("tables") {
                    let keys = wanted["Keys"].as_array().expect("keys");
                    found.insert(table.clone(), keys.iter().filter_map(get).collect());
                }
                (200, json!({ "Responses": found }))
            }
            "Query" => {
                let live = !call.at("/FilterExpression").is_null();
                let values = call.at("/ExpressionAttributeValues");
                let found: Vec<&Value> =
                    items.iter().filter(|item| is_in(item, values) && (!live || item.get("live").is_some())).collect();
                (200, json!({ "Items": found }))
            }
            _ => ok(),
        }
    })
}

/// Whether an item has this key.
fn is_at(item: &Value, key: &Value) -> bool {
    key.as_object().expect("a key").iter().all(|(name, value)| item.get(name) == Some(value))
}

/// Whether an item is in the partition that a query names: a job's log, a delivery's attempts, or the counters.
fn is_in(item: &Value, values: &Value) -> bool {
    let names = [("job_id", ":job"), ("pk", ":pk"), ("pk", ":finals")];
    let in_partition =
        names.iter().any(|(name, value)| values.get(*value).is_some_and(|of| item.get(*name) == Some(of)));
    let sort = item["sk"]["S"].as_str().unwrap_or_default();
    in_partition && sort.starts_with(values[":attempts"]["S"].as_str().unwrap_or_default())
}

/// The items that were written as a whole, in any kind of call.
fn written(calls: &Calls) -> Vec<Value> {
    let mut items = Vec::new();
    for call in calls.all() {
        match call.operation.as_str() {
            "PutItem" => items.push(call.at("/Item").clone()),
            "BatchWriteItem" => {
                for requests in call.at("/RequestItems").as_object().expect("tables").values() {
                    let requests = requests.as_array().expect("requests");
                    items.extend(requests.iter().filter_map(|request| request.pointer("/PutRequest/Item")).cloned());
                }
            }
            "TransactWriteItems" => {
                let writes = call.at("/TransactItems").as_array().expect("writes");
                items.extend(writes.iter().filter_map(|write| write.pointer("/Put/Item")).cloned());
            }
            _ => {}
        }
    }
    items
}

/// An item to compare: without the id of its write, which each write draws anew, and with its JSON as values.
fn comparable(item: &Value) -> Value {
    let attribute = |(name, value): (&String, &Value)| {
        let text = value["S"].as_str().filter(|text| text.starts_with(['{', '[']));
        let parsed = text.and_then(|text| serde_json::from_str(text).ok());
        (name.clone(), parsed.unwrap_or_else(|| value.clone()))
    };
    let attributes = item.as_object().expect("an item").iter();
    attributes.filter(|(name, _)| name.as_str() != "write_id").map(attribute).collect()
}

/// Items to compare, by their keys.
fn by_key(items: &[Value]) -> BTreeMap<String, Value> {
    let key = |item: &Value| {
        let parts: Vec<&str> = KEYS.iter().filter_map(|name| item[*name]["S"].as_str()).collect();
        parts.join(" ")
    };
    items.iter().map(|item| (key(item), comparable(item))).collect()
}

/// A recorded job with the attributes that this version writes: jobs under way are in no index by status, due times are in
/// the index of jobs under way, and waiting jobs of a caller have a lane there.
fn as_now(mut job: Value) -> Value {
    const MINUTE_MS: i64 = 60_000;
    let (body, due) = (content(&job, "body"), job.get("due_at").map(|_| number(&job, "due_at")));
    let due = due.map(|due| format!("{:014}", due - due % MINUTE_MS));
    let rank = job.get("active_rank").map(|_| string(&job, "active_rank").to_owned());
    let mut remove = vec!["schema", "status", "due_shard", "due_at"];
    if rank.is_some() {
        remove.push("status_month");
    }
    // Only the index by status has the time.
    if rank.is_some() || job.get("status_month").is_none() {
        remove.push("created_at");
    }
    let members = job.as_object_mut().expect("an item");
    members.retain(|name, _| !remove.contains(&name.as_str()));
    let mut index = |active: &str, rank: String| {
        members.insert("active".to_owned(), json!({ "S": active }));
        members.insert("active_rank".to_owned(), json!({ "S": rank }));
    };
    match (rank, due) {
        (Some(rank), due) => {
            let kind = if body["dialect"] == "vidbuilder" { "#video" } else { "" };
            let (stage, ready) = rank.split_once('#').expect("a rank");
            let at = if stage == "pending" { ready.to_owned() } else { due.expect("a timer") };
            let lane = Lane::of(None, body["caller"].as_str());
            let class =
                if stage == "pending" && lane != Lane::default() { format!("o{lane}4#") } else { String::new() };
            index("active", format!("{stage}#{class}{at}#{}{kind}", body["created_at"]));
        }
        (None, Some(due)) => index("confirming", due),
        (None, None) => {}
    }
    job
}

/// Checks that exactly the stored items were written, each as it was stored.
fn assert_unchanged(written: &[Value], stored: &[Value]) {
    let (written, stored) = (by_key(written), by_key(stored));
    for (key, item) in &stored {
        assert_eq!(written.get(key), Some(item), "item `{key}`");
    }
    assert_eq!(written.len(), stored.len());
}

/// The checked kinds. The tools write movies, and the functions only read them.
#[test]
fn each_recorded_item_is_of_a_known_kind_and_no_kind_is_missing() {
    let known = [
        "admission",
        "attempt",
        "counted",
        "delivery",
        "endpoint",
        "event",
        "finals",
        "job",
        "key",
        "live events",
        "log line",
        "movie",
        "movie's rows",
        "rate",
        "recovery",
        "registration",
        "render",
        "speed",
    ];
    for version in VERSIONS {
        let kinds: BTreeSet<String> = TABLES
            .iter()
            .flat_map(|table| rows(version, table).into_iter().map(move |row| kind(table, &row)))
            .collect();
        assert_eq!(kinds, BTreeSet::from(known.map(str::to_owned)), "version {version}");
    }
}

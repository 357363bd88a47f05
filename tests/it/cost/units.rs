//! Computes DynamoDB request units from the calls that functions log (shared/aws/src/calls.rs) and from the tables.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

use super::Call;
use super::indexes::{self, Entry, Index, key_names};
use super::sizes::{OVERHEAD, kilobytes, size};
use crate::aws::{Aws, Item};

/// The outputs that name the tables.
const TABLES: [&str; 10] = [
    "JobsTable",
    "ProjectsTable",
    "ClipsTable",
    "CreditsTable",
    "ErrorsTable",
    "JobEventsTable",
    "DeliveriesTable",
    "EndpointsTable",
    "CountersTable",
    "CatalogTable",
];

/// The billed units of a call: writes of 1 KB, reads of 4 KB (eventually consistent ones count half).
#[derive(Debug, Clone, Copy, Default)]
pub struct Units {
    pub write: f64,
    pub read: f64,
}

/// The key attributes of a table and of its indexes.
struct Keys {
    /// The output that names the table.
    output: &'static str,
    of_table: Vec<String>,
    of_indexes: Vec<Index>,
}

/// One write of one item.
struct Written {
    call: usize,
    /// 2 in a transaction, whose units count twice.
    factor: f64,
    version: u64,
    /// The item after the write, or only the attributes that a statement changes.
    item: Map<String, Value>,
    partial: bool,
}

/// What the calls had a table do.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    /// Items that were written.
    writes: usize,
    /// Items that were read, and queries.
    reads: usize,
    units: Units,
    /// The size of the largest item that was written.
    largest: f64,
}

/// What calls consume.
pub struct Consumed {
    /// The units of each call, in order; none where it is not DynamoDB's.
    pub units: Vec<Units>,
    /// The bytes that the written items take in the end with their entries in indexes: those of webhooks, and the others.
    pub stored: [f64; 2],
    /// By the name of the table's output.
    of_tables: BTreeMap<&'static str, Use>,
}

impl Consumed {
    /// A table of what each table had to do.
    pub fn table_of_tables(&self) -> String {
        let mut text = String::from(
            "| table | items written | write units | items read, queries | read units | largest item |\n\
             |---|---:|---:|---:|---:|---:|\n",
        );
        for (output, done) in &self.of_tables {
            let (name, Units { write, read }) = (output.trim_end_matches("Table"), done.units);
            let largest = if done.writes > 0 { format!("{:.1} KB", done.largest / 1024.0) } else { String::new() };
            text += &format!("| {name} | {} | {write} | {} | {read} | {largest} |\n", done.writes, done.reads);
        }
        text
    }
}

/// Adds up what calls consume.
struct Tally<'a> {
    tables: &'a BTreeMap<String, Keys>,
    units: Vec<Units>,
    of_tables: BTreeMap<&'static str, Use>,
}

impl Tally<'_> {
    /// What a table did so far.
    fn of(&mut self, table: &str) -> &mut Use {
        self.of_tables.entry(self.tables[table].output).or_default()
    }

    /// An item of this size was written by a call.
    fn wrote(&mut self, call: usize, table: &str, size: f64, units: f64) {
        self.units[call].write += units;
        let done = self.of(table);
        done.writes += 1;
        done.units.write += units;
        done.largest = done.largest.max(size);
    }

    /// An item or a page was read by a call.
    fn read(&mut self, call: usize, table: &str, units: f64) {
        self.units[call].read += units;
        let done = self.of(table);
        done.reads += 1;
        done.units.read += units;
    }
}

/// The units of calls, and what their items take.
pub async fn measure(aws: &Aws, calls: &[Call]) -> Consumed {
    let mut tables = BTreeMap::new();
    for output in TABLES {
        tables.insert(aws.output(output).to_owned(), keys(aws, output).await);
    }
    let mut tally = Tally { tables: &tables, units: vec![Units::default(); calls.len()], of_tables: BTreeMap::new() };
    let mut written: BTreeMap<String, (String, Vec<Written>)> = BTreeMap::new();
    let ours = || calls.iter().enumerate().filter(|(_, call)| call.service == "DynamoDB");
    for (index, call) in ours() {
        for (table, item, partial) in puts(call) {
            let version = item["version"]["N"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
            let name = name(&table, &item, &tables[&table]);
            let item = item.as_object().expect("an item").clone();
            let write = Written { call: index, factor: factor(call), version, item, partial };
            written.entry(name).or_insert_with(|| (table, Vec::new())).1.push(write);
        }
        for (table, key) in removals(call) {
            // Nothing is left of the item, whenever the lines of the functions come.
            let write = Written { call: index, factor: 1.0, version: u64::MAX, item: Map::new(), partial: false };
            let name = name(table, key, &tables[table]);
            written.entry(name).or_insert_with(|| (table.to_owned(), Vec::new())).1.push(write);
        }
    }
    let mut sizes = BTreeMap::new();
    let mut stored = [0.0; 2];
    for (name, (table, versions)) in &mut written {
        // Functions log at the end of their run, so that lines may come in another order than the versions.
        versions.sort_by_key(|write| write.version);
        let Keys { output, of_indexes, .. } = &tables[table.as_str()];
        let indexed = |item: &Map<String, Value>| -> Vec<Option<Entry>> {
            of_indexes.iter().map(|index| index.entry(item)).collect()
        };
        let (mut before, mut largest) = (Map::new(), 0.0_f64);
        for write in versions.iter() {
            let item = if write.partial { changed(&before, &write.item) } else { write.item.clone() };
            let larger = size(&item).max(size(&before));
            let (old, new) = (indexed(&before), indexed(&item));
            let moved: f64 = old.iter().zip(&new).map(|(old, new)| indexes::units(old.as_ref(), new.as_ref())).sum();
            tally.wrote(write.call, table, size(&item), write.factor * (kilobytes(larger, 1.0) + moved));
            largest = largest.max(size(&item));
            before = item;
        }
        sizes.insert(name.clone(), largest);
        if !before.is_empty() {
            let entries: f64 = indexed(&before).iter().flatten().map(Entry::stored).sum();
            stored[usize::from(!is_of_webhooks(output))] += size(&before) + OVERHEAD + entries;
        }
    }
    for (index, call) in ours() {
        for (table, key) in updates(call) {
            let size = size_of(aws, &mut sizes, &tables, table, key).await;
            tally.wrote(index, table, size, factor(call) * kilobytes(size, 1.0));
        }
        for (table, key, consistent) in gets(call) {
            let size = size_of(aws, &mut sizes, &tables, table, key).await;
            tally.read(index, table, kilobytes(size, 4.0) * if consistent { 1.0 } else { 0.5 });
        }
        if call.operation == "Query" {
            // One page of keys or counters, less than 4 KB while few jobs are under way.
            let units = if call.request["ConsistentRead"] == true { 1.0 } else { 0.5 };
            tally.read(index, table(&call.request), units);
        }
    }
    Consumed { units: tally.units, stored, of_tables: tally.of_tables }
}

fn factor(call: &Call) -> f64 {
    if call.operation.starts_with("Transact") { 2.0 } else { 1.0 }
}

/// Whether a table is about webhooks and their endpoints.
fn is_of_webhooks(output: &str) -> bool {
    matches!(output, "DeliveriesTable" | "EndpointsTable")
}

/// Whether a call is made for webhooks: on their tables, or to the queue of their hints.
pub fn is_for_webhooks(aws: &Aws, call: &Call) -> bool {
    let request = call.request.to_string();
    let names = ["DeliveriesTable", "EndpointsTable", "DeliveriesQueueUrl"].map(|output| aws.output(output));
    names.iter().any(|name| request.contains(&format!("\"{name}\"")))
}

async fn keys(aws: &Aws, output: &'static str) -> Keys {
    let table = aws.output(output);
    // The SDK can't read the emulator's answer, which has a string instead of a boolean.
    let target = Some("DynamoDB_20120810.DescribeTable");
    let (status, answer, _) = aws.call("dynamodb", "POST", "/", target, &json!({ "TableName": table })).await;
    assert_eq!(status, 200, "{answer}");
    let (table, of_table) = (&answer["Table"], key_names(&answer["Table"]));
    let described = table["GlobalSecondaryIndexes"].as_array().map_or(&[][..], Vec::as_slice);
    let of_indexes = described.iter().map(|index| Index::of(index, &of_table)).collect();
    Keys { output, of_table, of_indexes }
}

/// A name of an item that does not depend on the order of its key's attributes.
fn name(table: &str, item: &Value, keys: &Keys) -> String {
    let key: Vec<&Value> = keys.of_table.iter().map(|name| &item[name]).collect();
    format!("{table} {}", json!(key))
}

/// The size of an item: the largest that this job wrote, else the size in the table.
async fn size_of(
    aws: &Aws,
    sizes: &mut BTreeMap<String, f64>,
    tables: &BTreeMap<String, Keys>,
    table: &str,
    key: &Value,
) -> f64 {
    let name = name(table, key, &tables[table]);
    if let Some(size) = sizes.get(&name) {
        return *size;
    }
    let text = |value: &Value| AttributeValue::S(value["S"].as_str().expect("keys are short texts").to_owned());
    let key = key.as_object().expect("a key").iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let answer = aws.dynamodb.get_item().table_name(table).set_key(Some(key)).send().await.expect("an item");
    let size = answer.item.map_or(0.0, |item| stored_size(&item));
    sizes.insert(name, size);
    size
}

fn stored_size(item: &Item) -> f64 {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len() / 2 + 2,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        _ => 1,
    };
    item.iter().map(|(name, of)| (name.len() + value(of)) as f64).sum()
}

/// An item after a statement; null removes an attribute.
fn changed(before: &Map<String, Value>, change: &Map<String, Value>) -> Map<String, Value> {
    let mut item = before.clone();
    item.extend(change.clone());
    item.retain(|_, value| !value.is_null());
    item
}

/// Items that a call writes, with their tables, and whether only in part.
fn puts(call: &Call) -> Vec<(String, Value, bool)> {
    let request = &call.request;
    let whole = |table: &str, item: &Value| (table.to_owned(), item.clone(), false);
    match call.operation.as_str() {
        "PutItem" => vec![whole(table(request), &request["Item"])],
        "BatchWriteItem" => of_tables(request)
            .flat_map(|(table, writes)| {
                let writes = writes.as_array().expect("writes").iter();
                writes.filter_map(move |write| Some(whole(table, write["PutRequest"].get("Item")?)))
            })
            .collect(),
        "TransactWriteItems" => actions(request, "Put").map(|put| whole(table(put), &put["Item"])).collect(),
        "BatchExecuteStatement" => request["Statements"].as_array().expect("statements").iter().map(update).collect(),
        "UpdateItem" | "GetItem" | "BatchGetItem" | "Query" => Vec::new(),
        other => panic!("tests/it/cost/units.rs has no costs of {other}"),
    }
}

/// What `UPDATE "table" SET "name"=? ... REMOVE "name" ... WHERE "pk"=? AND "sk"=? AND "version"=?` changes.
fn update(statement: &Value) -> (String, Value, bool) {
    let text = statement["Statement"].as_str().expect("a statement");
    let mut parameters = statement["Parameters"].as_array().expect("parameters").iter();
    let mut quoted = text.split('"');
    let (mut item, mut table) = (Map::new(), None);
    while let (Some(before), Some(name)) = (quoted.next(), quoted.next()) {
        match before.trim_start_matches("=?").trim() {
            "UPDATE" => table = Some(name.to_owned()),
            "REMOVE" => drop(item.insert(name.to_owned(), Value::Null)),
            // The last parameter is the expected version and not a new value.
            "AND" if name == "version" => {}
            "SET" | "WHERE" | "AND" => {
                drop(item.insert(name.to_owned(), parameters.next().expect("a value for each").clone()));
            }
            other => panic!("tests/it/cost/units.rs does not know `{other}` in `{text}`"),
        }
    }
    (table.expect("a table"), Value::Object(item), true)
}

/// Keys of items that a call removes with others.
fn removals(call: &Call) -> Vec<(&str, &Value)> {
    if call.operation != "BatchWriteItem" {
        return Vec::new();
    }
    let writes = of_tables(&call.request).flat_map(|(table, writes)| {
        writes.as_array().expect("writes").iter().map(move |write| (table, &write["DeleteRequest"]["Key"]))
    });
    writes.filter(|(_, key)| !key.is_null()).collect()
}

/// Keys that a call updates or deletes.
fn updates(call: &Call) -> Vec<(&str, &Value)> {
    let request = &call.request;
    match call.operation.as_str() {
        "UpdateItem" => vec![(table(request), &request["Key"])],
        "TransactWriteItems" => {
            let changed = ["Update", "Delete"].into_iter().flat_map(|kind| actions(request, kind));
            changed.map(|change| (table(change), &change["Key"])).collect()
        }
        _ => Vec::new(),
    }
}

/// Keys that a call reads, and whether consistently.
fn gets(call: &Call) -> Vec<(&str, &Value, bool)> {
    let request = &call.request;
    match call.operation.as_str() {
        "GetItem" => vec![(table(request), &request["Key"], request["ConsistentRead"] == true)],
        "BatchGetItem" => of_tables(request)
            .flat_map(|(table, wanted)| {
                let consistent = wanted["ConsistentRead"] == true;
                wanted["Keys"].as_array().expect("keys").iter().map(move |key| (table, key, consistent))
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn table(request: &Value) -> &str {
    request["TableName"].as_str().expect("a table")
}

fn of_tables(request: &Value) -> impl Iterator<Item = (&str, &Value)> {
    request["RequestItems"].as_object().expect("tables").iter().map(|(table, of)| (table.as_str(), of))
}

fn actions<'a>(request: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    request["TransactItems"].as_array().expect("actions").iter().filter_map(move |action| action.get(kind))
}

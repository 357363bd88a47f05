//! DynamoDB in memory with the conditions that the ledger uses: each request is applied as a whole, and may get lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::replay::{Answer, Call, Calls, cancelled, condition_failed, dynamodb, error, ok};

/// The rows, by table and key.
type Rows = BTreeMap<(String, String), Value>;

/// The tables.
#[derive(Debug, Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rows: Rows,
    /// The tokens of the transactions that were made: a request with one of them is a repeat, and writes nothing.
    made: BTreeSet<String>,
    /// What gets lost of the next requests for transactions.
    losses: VecDeque<Lost>,
}

/// What gets lost of a request for a transaction; its sender gets an error that says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The request: nothing is written.
    Request,
    /// The answer: what it asks for is done.
    Answer,
}

impl Fake {
    /// A client of these tables.
    pub fn client(&self) -> (aws_sdk_dynamodb::Client, Calls) {
        let tables = self.clone();
        dynamodb(move |call, _| tables.answer(call))
    }

    /// Loses these of the next requests for transactions, each attempt of the SDK being one; later ones arrive.
    pub fn lose(&self, losses: impl IntoIterator<Item = Lost>) {
        self.0.lock().unwrap().losses = losses.into_iter().collect();
    }

    /// The rows of a table whose keys contain this text.
    pub fn rows(&self, table: &str, text: &str) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        let rows = state.rows.iter();
        rows.filter(|((of, key), _)| of == table && key.contains(text)).map(|(_, row)| row.clone()).collect()
    }

    fn answer(&self, call: &Call) -> Answer {
        let table = call.at("/TableName").as_str().unwrap_or_default();
        let mut state = self.0.lock().unwrap();
        let State { rows, made, losses } = &mut *state;
        match call.operation.as_str() {
            "GetItem" => match rows.get(&(table.to_owned(), key(call.at("/Key")))) {
                Some(row) => (200, json!({ "Item": row })),
                None => ok(),
            },
            "PutItem" if !holds(rows, table, &call.body) => condition_failed(None),
            "PutItem" => {
                rows.insert((table.to_owned(), key(call.at("/Item"))), call.at("/Item").clone());
                ok()
            }
            "Query" => {
                let values = call.at("/ExpressionAttributeValues");
                let sk = |row: &Value| row["sk"]["S"].as_str().unwrap().to_owned();
                let (oldest, newest) = (values[":oldest"]["S"].as_str(), values[":newest"]["S"].as_str());
                let of_account = |row: &&Value| {
                    let sk = sk(row);
                    row["pk"] == values[":account"] && oldest <= Some(sk.as_str()) && Some(sk.as_str()) <= newest
                };
                let limit = usize::try_from(call.at("/Limit").as_u64().unwrap()).unwrap();
                // The keys of the map are in the order of the sort keys.
                let of_table = rows.iter().rev().filter(|((of, _), _)| of == table).map(|(_, row)| row);
                let found: Vec<&Value> = of_table.filter(of_account).take(limit).collect();
                (200, json!({ "Items": found, "Count": found.len() }))
            }
            "TransactWriteItems" => match losses.pop_front() {
                None => transact(rows, made, call),
                Some(Lost::Request) => error("InternalServerError"),
                Some(Lost::Answer) => {
                    transact(rows, made, call);
                    error("InternalServerError")
                }
            },
            other => panic!("{other} is not expected"),
        }
    }
}

/// Makes a transaction, unless it was made before.
fn transact(rows: &mut Rows, made: &mut BTreeSet<String>, call: &Call) -> Answer {
    let token = call.at("/ClientRequestToken").as_str().unwrap();
    if made.contains(token) {
        return ok();
    }
    let writes = call.at("/TransactItems").as_array().unwrap();
    let part = |write: &Value| write.as_object().unwrap().values().next().unwrap().clone();
    let parts: Vec<Value> = writes.iter().map(part).collect();
    let table_of = |part: &Value| part["TableName"].as_str().unwrap().to_owned();
    let reasons: Vec<&str> = parts
        .iter()
        .map(|part| if holds(rows, &table_of(part), part) { "None" } else { "ConditionalCheckFailed" })
        .collect();
    if reasons.iter().any(|reason| *reason != "None") {
        return cancelled(&reasons);
    }
    for part in &parts {
        match part.get("Item") {
            Some(item) => rows.insert((table_of(part), key(item)), item.clone()),
            None => rows.remove(&(table_of(part), key(&part["Key"]))),
        };
    }
    made.insert(token.to_owned());
    ok()
}

/// The text of a row's key.
fn key(item: &Value) -> String {
    match item["id"]["S"].as_str() {
        Some(id) => id.to_owned(),
        None => format!("{} {}", item["pk"]["S"].as_str().unwrap(), item["sk"]["S"].as_str().unwrap()),
    }
}

/// Whether the condition of a write holds.
fn holds(rows: &Rows, table: &str, write: &Value) -> bool {
    let row = rows.get(&(table.to_owned(), key(write.get("Item").unwrap_or(&write["Key"]))));
    let values = &write["ExpressionAttributeValues"];
    match write["ConditionExpression"].as_str() {
        None => true,
        Some("attribute_not_exists(pk)" | "attribute_not_exists(id)") => row.is_none(),
        Some("attribute_exists(pk)") => row.is_some(),
        Some("credits = :held") => row.is_some_and(|row| row["credits"] == values[":held"]),
        Some("#version = :version") => row.is_some_and(|row| row["version"] == values[":version"]),
        Some("attribute_not_exists(pk) OR expires_at <= :now") => row.is_none_or(|row| {
            let seconds = |value: &Value| value["N"].as_str().unwrap().parse::<i64>().unwrap();
            seconds(&row["expires_at"]) <= seconds(&values[":now"])
        }),
        Some(other) => panic!("{other} is not expected"),
    }
}

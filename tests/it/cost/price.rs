//! Prices what was counted, by the list prices of docs/cost.md.

use std::collections::BTreeMap;

use super::rows::Row;
use super::units::{self, Units};
use super::{Case, Measured};
use crate::stack::Stack;

/// Functions that Lambda runs for messages of a queue.
const OF_QUEUES: [&str; 3] = ["worker", "dispatcher", "render"];
/// Functions that wait for responses from outside.
const WAITING: [&str; 2] = ["worker", "dispatcher"];
/// The function with more memory.
const RENDER: &str = "render";

// List prices of docs/cost.md, in dollars per million, or per GB, which is the same as per million KB.
const WRITE_UNIT: f64 = 0.625;
const READ_UNIT: f64 = 0.125;
const SQS_REQUEST: f64 = 0.40;
const API_REQUEST: f64 = 1.00;
const S3_WRITE: f64 = 5.00;
const S3_READ: f64 = 0.40;
const INVOCATION: f64 = 0.20;
const GB_SECOND: f64 = 13.3334;
const LOG_GB: f64 = 0.50;
const STORED_GB_MONTH: f64 = 0.25 + 0.20;

const MEMORY_GB: f64 = 0.25;
const RENDER_GB: f64 = 3008.0 / 1024.0;
/// Assumed durations: of a function that only works, and of one that waits for an external response.
const OWN_SECONDS: f64 = 0.02;
const WAITING_SECONDS: f64 = 0.25;
/// A line of the API's access log, with what CloudWatch adds to it.
const ACCESS_LOG_BYTES: f64 = 330.0;
/// START, END and REPORT, as Lambda writes them for each run.
const LAMBDA_LOG_BYTES: f64 = 300.0;

/// The rows of what was counted, and a table of what each DynamoDB table had to do.
pub async fn price(stack: &Stack, case: &Case, measured: &Measured) -> (Vec<Row>, String) {
    let consumed = units::measure(&stack.aws, &measured.calls).await;
    let mut counted: BTreeMap<(usize, String), (usize, Units)> = BTreeMap::new();
    for (call, units) in measured.calls.iter().zip(&consumed.units) {
        let position = case.functions.iter().position(|function| *function == call.function).expect("one of them");
        let row = counted.entry((position, format!("{} {}", call.service, call.operation))).or_default();
        row.0 += 1;
        row.1 = Units { write: row.1.write + units.write, read: row.1.read + units.read };
    }
    let mut rows = Vec::new();
    let mut row = |function: &str, operation: &str, count: f64, units: String, price: f64| {
        // A function may have nothing to do.
        if count > 0.0 {
            rows.push(Row { function: function.to_owned(), operation: operation.to_owned(), count, units, price });
        }
    };
    for ((position, operation), (count, units)) in counted {
        let count = count as f64;
        let (text, price) = match operation.split_once(' ') {
            Some(("DynamoDB", _)) if units.write > 0.0 => (format!("{} write", units.write), units.write * WRITE_UNIT),
            Some(("DynamoDB", _)) => (format!("{} read", units.read), units.read * READ_UNIT),
            Some(("SQS", _)) => (format!("{count} requests"), count * SQS_REQUEST),
            Some(("S3", call)) => (format!("{count} requests"), count * of_bucket(call)),
            _ => panic!("`{operation}` has no price"),
        };
        row(case.functions[position], &operation, count, text, price);
    }
    let (function, requests) = case.requests;
    row(function, "DynamoDB UpdateItem", requests, format!("{requests} write"), requests * WRITE_UNIT);
    let runs = |of: &[&str]| of.iter().filter_map(|name| measured.invocations.get(*name)).sum::<usize>() as f64;
    let (all, of_queues, api) = (runs(case.functions), runs(&OF_QUEUES), runs(case.api));
    for function in case.functions.iter().copied() {
        let runs = measured.invocations[function] as f64;
        let time = match function {
            RENDER => case.render_seconds * RENDER_GB,
            waiting if WAITING.contains(&waiting) => runs * WAITING_SECONDS * MEMORY_GB,
            _ => runs * OWN_SECONDS * MEMORY_GB,
        };
        row(function, "Lambda run", runs, format!("{time:.3} GB-s"), runs * INVOCATION + time * GB_SECOND);
    }
    let (operation, polls) = ("SQS receive and delete by Lambda", 2.0 * of_queues);
    row("all", operation, of_queues, format!("{polls} requests"), polls * SQS_REQUEST);
    row("all", "HTTP API request", api, format!("{api} requests"), api * API_REQUEST);
    let access = api * ACCESS_LOG_BYTES / 1e3;
    row("all", "access log of the API", api, format!("{access:.0} KB"), access * LOG_GB);
    let log = (measured.log_bytes + all * LAMBDA_LOG_BYTES) / 1e3;
    row("all", "log", 1.0, format!("{log:.0} KB"), log * LOG_GB);
    let stored = consumed.stored / 1e3;
    row("all", "rows kept for 30 days", 1.0, format!("{stored:.0} KB"), stored * STORED_GB_MONTH);
    (rows, consumed.table_of_tables())
}

/// The price of a million requests of S3.
fn of_bucket(operation: &str) -> f64 {
    match operation {
        "GetObject" | "HeadObject" => S3_READ,
        "DeleteObject" | "AbortMultipartUpload" => 0.0,
        _ => S3_WRITE,
    }
}

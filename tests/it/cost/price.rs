//! Prices what was counted, by the list prices of docs/cost.md.

use std::collections::BTreeMap;

use reelhook_app::metrics::prices::Price;

use super::rows::{Purpose, Row};
use super::units::{self, Units};
use super::{Case, Measured};
use crate::stack::Stack;

/// Functions that Lambda runs for messages of a queue.
const OF_QUEUES: [&str; 3] = ["worker", DISPATCHER, RENDER];
/// Functions whose runs all wait for a response from outside.
const WAITING: [&str; 3] = ["worker", "creatomate-webhook", DISPATCHER];
/// The function of which one run waits: the callback that asks Creatomate about the end that it reports.
const CALLBACKS: &str = "callbacks";
/// The function with more memory.
const RENDER: &str = "render";
/// The function whose runs and calls are all for webhooks.
const DISPATCHER: &str = "dispatcher";

// List prices, in dollars per million, or per GB, which is the same as per million KB.
pub const WRITE_UNIT: f64 = Price::WriteUnit.per_million();
pub const READ_UNIT: f64 = Price::ReadUnit.per_million();
pub const SQS_REQUEST: f64 = Price::SqsRequest.per_million();
pub const API_REQUEST: f64 = Price::ApiRequest.per_million();
const S3_WRITE: f64 = 5.00;
const S3_READ: f64 = 0.40;
pub const INVOCATION: f64 = Price::LambdaRequest.per_million();
pub const GB_SECOND: f64 = Price::LambdaGbSecond.per_million();
const LOG_GB: f64 = 0.50;
const STORED_GB_MONTH: f64 = 0.25 + 0.20;

pub const MEMORY_GB: f64 = 0.25;
const RENDER_GB: f64 = 3008.0 / 1024.0;
/// Assumed durations: of a function that only works, and of one that waits for an external response.
pub const OWN_SECONDS: f64 = 0.02;
pub const WAITING_SECONDS: f64 = 0.25;
/// A line of the API's access log, as template.yaml formats it, with what CloudWatch adds to it.
const ACCESS_LOG_BYTES: f64 = 250.0;

/// The rows of what was counted, and a table of what each DynamoDB table had to do.
pub async fn price(stack: &Stack, case: &Case, measured: &Measured) -> (Vec<Row>, String) {
    let consumed = units::measure(&stack.aws, &measured.calls).await;
    let mut counted: BTreeMap<(usize, Purpose, String), (usize, Units)> = BTreeMap::new();
    for (call, units) in measured.calls.iter().zip(&consumed.units) {
        let position = case.functions.iter().position(|function| *function == call.function).expect("one of them");
        let is_webhook = call.function == DISPATCHER || units::is_for_webhooks(&stack.aws, call);
        let purpose = if is_webhook { Purpose::Webhooks } else { Purpose::Own };
        let row = counted.entry((position, purpose, format!("{} {}", call.service, call.operation))).or_default();
        row.0 += 1;
        row.1 = Units { write: row.1.write + units.write, read: row.1.read + units.read };
    }
    let mut rows = Vec::new();
    let mut row = |function: &str, operation: &str, purpose: Purpose, count: f64, units: String, price: f64| {
        // A function may have nothing to do.
        if count > 0.0 {
            let (function, operation) = (function.to_owned(), operation.to_owned());
            rows.push(Row { function, operation, purpose, count, units, price });
        }
    };
    for ((position, purpose, operation), (count, units)) in counted {
        let count = count as f64;
        let (text, price) = match operation.split_once(' ') {
            Some(("DynamoDB", _)) if units.write > 0.0 => (format!("{} write", units.write), units.write * WRITE_UNIT),
            Some(("DynamoDB", _)) => (format!("{} read", units.read), units.read * READ_UNIT),
            Some(("SQS", _)) => (format!("{count} requests"), count * SQS_REQUEST),
            Some(("S3", call)) => (format!("{count} requests"), count * of_bucket(call)),
            _ => panic!("`{operation}` has no price"),
        };
        row(case.functions[position], &operation, purpose, count, text, price);
    }
    let (function, requests) = case.requests;
    let leases = format!("{requests} write");
    row(function, "DynamoDB UpdateItem", Purpose::Own, requests, leases, requests * WRITE_UNIT);
    for function in case.functions.iter().copied() {
        let runs = measured.invocations[function] as f64;
        let time = match function {
            RENDER => case.render_seconds * RENDER_GB,
            waiting if WAITING.contains(&waiting) => runs * WAITING_SECONDS * MEMORY_GB,
            CALLBACKS => (WAITING_SECONDS + (runs - 1.0).max(0.0) * OWN_SECONDS) * MEMORY_GB,
            _ => runs * OWN_SECONDS * MEMORY_GB,
        };
        let price = runs * INVOCATION + time * GB_SECOND;
        row(function, "Lambda run", purpose_of(function), runs, format!("{time:.3} GB-s"), price);
    }
    let runs = |of: &[&str]| of.iter().filter_map(|name| measured.invocations.get(*name)).sum::<usize>() as f64;
    let api = runs(case.api);
    let access = api * ACCESS_LOG_BYTES / 1e3;
    row("all", "HTTP API request", Purpose::Own, api, format!("{api} requests"), api * API_REQUEST);
    row("all", "access log of the API", Purpose::Own, api, format!("{access:.0} KB"), access * LOG_GB);
    for (purpose, stored) in [(Purpose::Own, consumed.stored[1]), (Purpose::Webhooks, consumed.stored[0])] {
        let mut functions = case.functions.to_vec();
        functions.retain(|function| purpose_of(function) == purpose);
        let mut of_queues = functions.clone();
        of_queues.retain(|function| OF_QUEUES.contains(function));
        let (receives, polls) = (runs(&of_queues), 2.0 * runs(&of_queues));
        let operation = "SQS receive and delete by Lambda";
        row("all", operation, purpose, receives, format!("{polls} requests"), polls * SQS_REQUEST);
        let lines: f64 = functions.iter().filter_map(|function| measured.log_bytes.get(function)).sum();
        // Lambda itself writes only about runs that failed (`PlatformLogLevel`).
        let log = lines / 1e3;
        row("all", "log", purpose, f64::from(u8::from(log > 0.0)), format!("{log:.0} KB"), log * LOG_GB);
        let (stored, is_any) = (stored / 1e3, f64::from(u8::from(stored > 0.0)));
        row("all", "rows kept for 30 days", purpose, is_any, format!("{stored:.0} KB"), stored * STORED_GB_MONTH);
    }
    (rows, consumed.table_of_tables())
}

/// What the runs of a function are for.
fn purpose_of(function: &str) -> Purpose {
    if function == DISPATCHER { Purpose::Webhooks } else { Purpose::Own }
}

/// The price of a million requests of S3.
fn of_bucket(operation: &str) -> f64 {
    match operation {
        "GetObject" | "HeadObject" => S3_READ,
        "DeleteObject" | "AbortMultipartUpload" => 0.0,
        _ => S3_WRITE,
    }
}

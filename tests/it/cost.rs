//! The cost of one job: counts and prices every AWS call of a successful job and compares them with docs/cost.md.
//!
//! `REELHOOK_UPDATE_DOCS=1` rewrites that section.

mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::stack::Stack;
use units::Units;

/// The number of jobs that a cold start or a sweep may disturb before one must match.
const ATTEMPTS: usize = 6;
/// Slow enough that each version is fanned out alone, as with real workers: the most expensive case.
const SCENARIO: &str = "step_ms=300&render_ms=600";
/// Functions that run for each job; `cleanup` is in the cost of an idle month, and `job-status` depends on clients.
const FUNCTIONS: [&str; 6] = ["generate", "step-webhook", "creatomate-webhook", "worker", "fanout", "dispatcher"];
const OF_QUEUES: [&str; 2] = ["worker", "dispatcher"];
const OF_API: [&str; 3] = ["generate", "step-webhook", "creatomate-webhook"];

// List prices of docs/cost.md, in dollars per million, or per GB, which is the same as per million KB.
const WRITE_UNIT: f64 = 0.625;
const READ_UNIT: f64 = 0.125;
const SQS_REQUEST: f64 = 0.40;
const API_REQUEST: f64 = 1.00;
const INVOCATION: f64 = 0.20;
const GB_SECOND: f64 = 13.3334;
const LOG_GB: f64 = 0.50;
const STORED_GB_MONTH: f64 = 0.25 + 0.20;

const MEMORY_GB: f64 = 0.25;
/// Assumed durations: of a function that only works, and of one that waits for an external response.
const OWN_SECONDS: f64 = 0.02;
const WAITING_SECONDS: f64 = 0.25;
/// A line of the API's access log, with what CloudWatch adds to it.
const ACCESS_LOG_BYTES: f64 = 330.0;
/// START, END and REPORT, as Lambda writes them for each run.
const LAMBDA_LOG_BYTES: f64 = 300.0;

/// An AWS call in a function's log.
pub struct Call {
    function: String,
    service: String,
    operation: String,
    request: Value,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    function: String,
    operation: String,
    count: f64,
    units: String,
    price: f64,
}

impl Row {
    fn is_like(&self, other: &Row) -> bool {
        self.function == other.function && self.operation == other.operation
    }
}

/// The calls of one job.
struct Measured {
    calls: Vec<Call>,
    log_bytes: f64,
    invocations: BTreeMap<&'static str, usize>,
    /// The reason why other work disturbed the measurement.
    disturbed: BTreeSet<String>,
}

#[tokio::test]
async fn a_job_calls_aws_as_often_as_the_docs_say() {
    let stack = Stack::open().await;
    // Warms up all functions.
    run_job(&stack, "step_ms=5").await;
    let update = std::env::var("REELHOOK_UPDATE_DOCS").is_ok_and(|value| value == "1");
    let documented_before = documented();
    // How hints and records fall into batches differs: documented is the most of several jobs, checked the least.
    let mut merged: Option<Vec<Row>> = None;
    for _ in 0..ATTEMPTS {
        let measured = measure(&stack).await;
        if !measured.disturbed.is_empty() {
            println!("measuring again: {:?}", measured.disturbed);
            continue;
        }
        let rows = price(&stack, &measured).await;
        let rows = match merged.take() {
            None => rows,
            Some(before) if update => most(before, rows),
            Some(before) => least(before, &rows),
        };
        let fits = exceeded(&rows, &documented_before).is_empty();
        merged = Some(rows);
        if fits && !update {
            break;
        }
    }
    let rows = merged.expect("an undisturbed job");
    let text = section(&rows);
    println!("{text}");
    if update {
        write_section(&text);
    }
    let exceeded = exceeded(&rows, &documented());
    let hint = "if it is meant so, run this test with REELHOOK_UPDATE_DOCS=1";
    assert!(exceeded.is_empty(), "a job calls AWS more often than docs/cost.md says; {hint}: {exceeded:#?}");
    let (now, then) = (total(&rows), total(&documented()));
    assert!((now / then - 1.0).abs() <= 0.2, "docs/cost.md says ${then:.2} per million jobs, it is ${now:.2}; {hint}");
}

/// Two events of the job that is counted, to two endpoints each.
const WEBHOOKS: f64 = 4.0;

/// A job from submit to both webhooks, without a sweep by the test.
async fn run_job(stack: &Stack, scenario: &str) {
    let job = stack.submit(scenario).await;
    quietly("a job with both webhooks", async || {
        let mut arrived = stack.job(&job).await["status"] == "completed";
        for hook in ["main", "second"] {
            arrived = arrived && stack.webhooks(hook, &job).await.iter().any(|got| got["event"] == "job.completed");
        }
        arrived
    })
    .await;
    log_at_rest(stack).await;
}

/// Waits until no work is left and every function has logged its calls.
pub async fn log_at_rest(stack: &Stack) {
    let mut calm = (0, 0);
    quietly("a log at rest and empty queues", async || {
        let empty = stack.aws.depths().await.iter().all(|(_, depth)| *depth == 0);
        let length = log_length();
        calm = if empty && length == calm.1 { (calm.0 + 1, length) } else { (0, length) };
        calm.0 == 10
    })
    .await;
}

/// The log of the functions from an offset on: the function, the line as text, and as JSON if it is JSON.
pub fn log_lines(from: u64) -> Vec<(String, String, Value)> {
    let mut log = String::new();
    let mut file = std::fs::File::open(log_path()).expect("the log");
    file.seek(SeekFrom::Start(from)).expect("an offset in it");
    file.read_to_string(&mut log).expect("text");
    let read = |line: &str| {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| entry[name].as_str().expect("a text").to_owned();
        let line = text("line");
        let fields = serde_json::from_str(&line).unwrap_or_default();
        (crate_name(&text("function")), line, fields)
    };
    log.lines().map(read).collect()
}

async fn quietly(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let (deadline, mut poll) =
        (Instant::now() + Duration::from_secs(90), tokio::time::interval(Duration::from_millis(100)));
    loop {
        poll.tick().await;
        if check().await {
            return;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
    }
}

async fn measure(stack: &Stack) -> Measured {
    let (from, since) = (log_length(), SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis());
    run_job(stack, SCENARIO).await;
    let mut measured =
        Measured { calls: Vec::new(), log_bytes: 0.0, invocations: BTreeMap::new(), disturbed: BTreeSet::new() };
    for (function, line, fields) in log_lines(from) {
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let is_call = text("message") == "AWS call";
        if !FUNCTIONS.contains(&function.as_str()) {
            if function == "cleanup" && is_call && text("operation") != "Query" {
                measured.disturbed.insert("the sweep acted".to_owned());
            }
        } else if !is_call {
            measured.log_bytes += line.len() as f64;
        } else if text("service") == "SSM" {
            measured.disturbed.insert(format!("{function} read its settings"));
        } else {
            let request: Value = serde_json::from_str(&text("request")).unwrap_or_default();
            let (service, operation) = (text("service"), text("operation"));
            // Whether a call leases depends on the calls before it: `price` adds the most.
            if is_lease(&request) {
                continue;
            }
            measured.calls.push(Call { function, service, operation, request });
        }
    }
    assert!(!measured.calls.is_empty(), "the stack was started with LogLevel `info,aws_calls=debug`");
    for function in FUNCTIONS {
        let body = json!({
            "logGroupName": format!("/aws/lambda/{}", stack.aws.function(function)), "startTime": since as u64,
            "filterPattern": "REPORT",
        });
        let (status, answer, _) =
            stack.aws.call("logs", "POST", "/", Some("Logs_20140328.FilterLogEvents"), &body).await;
        assert_eq!(status, 200, "{answer}");
        measured.invocations.insert(function, answer["events"].as_array().expect("events").len());
    }
    measured
}

/// Whether a request counts calls per minute (shared/aws/src/jobs/counters.rs).
fn is_lease(request: &Value) -> bool {
    request["Key"]["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("rate#"))
}

/// `StepWebhook` is `step-webhook`.
fn crate_name(logical: &str) -> String {
    let mut name = String::new();
    for letter in logical.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

async fn price(stack: &Stack, measured: &Measured) -> Vec<Row> {
    let (units, stored) = units::measure(&stack.aws, &measured.calls).await;
    let mut counted: BTreeMap<(usize, String), (usize, Units)> = BTreeMap::new();
    for (call, units) in measured.calls.iter().zip(units) {
        let position = FUNCTIONS.iter().position(|function| *function == call.function).expect("one of them");
        let row = counted.entry((position, format!("{} {}", call.service, call.operation))).or_default();
        row.0 += 1;
        row.1 = Units { write: row.1.write + units.write, read: row.1.read + units.read };
    }
    let mut rows = Vec::new();
    let mut row = |function: &str, operation: &str, count: f64, units: String, price: f64| {
        rows.push(Row { function: function.to_owned(), operation: operation.to_owned(), count, units, price });
    };
    for ((position, operation), (count, units)) in counted {
        let count = count as f64;
        let (text, price) = match operation.split(' ').next() {
            Some("DynamoDB") if units.write > 0.0 => (format!("{} write", units.write), units.write * WRITE_UNIT),
            Some("DynamoDB") => (format!("{} read", units.read), units.read * READ_UNIT),
            Some("SQS") => (format!("{count} requests"), count * SQS_REQUEST),
            _ => panic!("`{operation}` has no price"),
        };
        row(FUNCTIONS[position], &operation, count, text, price);
    }
    row("generate", "DynamoDB UpdateItem", 1.0, "1 write".to_owned(), WRITE_UNIT);
    let runs = |of: &[&str]| of.iter().map(|function| measured.invocations[function] as f64).sum::<f64>();
    let (all, waiting, api) = (runs(&FUNCTIONS), runs(&OF_QUEUES), runs(&OF_API));
    for function in FUNCTIONS {
        let runs = measured.invocations[function] as f64;
        let seconds = if OF_QUEUES.contains(&function) { WAITING_SECONDS } else { OWN_SECONDS };
        let time = runs * seconds * MEMORY_GB;
        row(function, "Lambda run", runs, format!("{time:.3} GB-s"), runs * INVOCATION + time * GB_SECOND);
    }
    row(
        "all",
        "SQS receive and delete by Lambda",
        waiting,
        format!("{} requests", 2.0 * waiting),
        2.0 * waiting * SQS_REQUEST,
    );
    row("all", "HTTP API request", api, format!("{api} requests"), api * API_REQUEST);
    let access = api * ACCESS_LOG_BYTES / 1e3;
    row("all", "access log of the API", api, format!("{access:.0} KB"), access * LOG_GB);
    let log = (measured.log_bytes + all * LAMBDA_LOG_BYTES) / 1e3;
    row("all", "log", 1.0, format!("{log:.0} KB"), log * LOG_GB);
    let stored = stored / 1e3;
    row("all", "rows kept for 30 days", 1.0, format!("{stored:.0} KB"), stored * STORED_GB_MONTH);
    rows
}

/// The more expensive of each pair of rows.
fn most(mut rows: Vec<Row>, others: Vec<Row>) -> Vec<Row> {
    for other in others {
        match rows.iter_mut().find(|row| row.is_like(&other)) {
            Some(row) if (other.count, other.price) > (row.count, row.price) => *row = other,
            Some(_) => {}
            None => rows.push(other),
        }
    }
    rows
}

/// The cheaper of each pair of rows that both jobs have.
fn least(rows: Vec<Row>, others: &[Row]) -> Vec<Row> {
    let both = rows.into_iter().filter_map(|row| {
        let other = others.iter().find(|other| row.is_like(other))?;
        Some(if (other.count, other.price) < (row.count, row.price) { other.clone() } else { row })
    });
    both.collect()
}

fn total(rows: &[Row]) -> f64 {
    rows.iter().map(|row| row.price).sum()
}

/// Rows whose count is above what is documented; by one where it follows from how messages and records come together.
fn exceeded(rows: &[Row], documented: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        let known = documented.iter().find(|known| known.is_like(row));
        let most = known.map_or(0.0, |known| known.count);
        let batched = row.operation.contains("Batch") || row.operation.contains("Lambda");
        if row.count > most + f64::from(batched) {
            found.push(format!("{} {}: {} instead of {most}", row.function, row.operation, row.count));
        }
    }
    found
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cost.md")
}

const BEGIN: &str = "<!-- cost:begin -->\n";
const END: &str = "<!-- cost:end -->";

/// docs/cost.md before, in and after the section.
fn parts() -> (String, String, String) {
    let text = std::fs::read_to_string(docs()).expect("docs/cost.md");
    let (before, rest) = text.split_once(BEGIN).expect("the section's beginning");
    let (section, after) = rest.split_once(END).expect("the section's end");
    (before.to_owned(), section.to_owned(), after.to_owned())
}

fn write_section(section: &str) {
    let (before, _, after) = parts();
    std::fs::write(docs(), format!("{before}{BEGIN}{section}{END}{after}")).expect("written");
}

/// The rows in the document.
fn documented() -> Vec<Row> {
    let section = parts().1;
    let cells = section.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let row = |cells: Vec<&str>| {
        let [_, function, operation, count, units, price, _] = cells[..] else { return None };
        let function = function.trim_matches('`').to_owned();
        let (count, price) = (count.parse().ok()?, price.parse().ok()?);
        Some(Row { function, operation: operation.to_owned(), count, units: units.to_owned(), price })
    };
    cells.filter_map(row).collect()
}

fn section(rows: &[Row]) -> String {
    let mut text =
        String::from("| function | operation | per job | units | $ per million jobs |\n|---|---|---:|---:|---:|\n");
    for row in rows {
        let function = if row.function == "all" { "all".to_owned() } else { format!("`{}`", row.function) };
        text += &format!("| {function} | {} | {} | {} | {:.2} |\n", row.operation, row.count, row.units, row.price);
    }
    let share = |of: &str| rows.iter().filter(|row| row.operation.starts_with(of)).map(|row| row.price).sum::<f64>();
    let share = ["DynamoDB", "Lambda"].map(share);
    let of_dispatcher = || rows.iter().filter(|row| row.function == "dispatcher");
    // Each attempt begins with one.
    let webhook = of_dispatcher().map(|row| row.price).sum::<f64>() / WEBHOOKS;
    text += &format!("| **together** | | | | **{:.2}** |\n\n", total(rows));
    let prices = [("{dynamodb}", share[0]), ("{lambda}", share[1]), ("{webhook}", webhook)];
    let notes = NOTES.replace("{webhooks}", &WEBHOOKS.to_string());
    text + &prices.iter().fold(notes, |notes, (name, price)| notes.replace(name, &format!("{price:.2}")))
}

/// The explanation below the table.
const NOTES: &str = "\
Of this DynamoDB's calls are ${dynamodb} and Lambda's runs ${lambda}.

- The job: a worker that reports the start and the end of each step, slowly enough for each version to be fanned out
  alone; one render; `job.script_completed` and `job.completed` to two endpoints each. `dispatcher`'s rows are for these
  {webhooks} webhooks, ${webhook} for one. By default only `job.completed` is sent, to as many endpoints as there are.
- Counted: each attempt of a call, as the functions log it (`aws_calls=debug`), and of several jobs the most in each row,
  since hints and records may come together or alone. Units follow from the sizes of what was sent, with the entries of
  indexes that came, went or moved; all of a transaction counts twice, the indexes too. Runs are those that the emulator
  reports; each one for a queue is a receive and a delete.
- Assumed: 256 MB for 20 ms a run, and for 250 ms where `worker` and `dispatcher` wait for a response; a query
  reads less than 4 KB; 300 bytes of Lambda's own lines a run, and 330 of the API's access log a request; rows are kept
  for 30 days, with point-in-time recovery; each submission leases its call of the caller's limit (a caller that submits
  often leases several at once), and a worker that sends at most ten reports a minute leases none.
- Left out: what goes on anyway (below), starts of functions with the settings that they read, clients that ask how a job
  is (one run, one request of the API, one read unit and at most one write unit each), traffic.

Written by `REELHOOK_UPDATE_DOCS=1 cargo xtask test --only e2e`; tests/it/cost.rs fails where a job calls more often, or
where the sum is off by a fifth.
";

/// The path of the functions' log.
pub fn log_path() -> PathBuf {
    let path = std::env::var("REELHOOK_RUN").expect("REELHOOK_RUN");
    let run: Value = serde_json::from_slice(&std::fs::read(path).expect("run.json")).expect("JSON");
    run["function_log"].as_str().expect("run.json has `function_log`").into()
}

/// The current end of the log.
pub fn log_length() -> u64 {
    std::fs::metadata(log_path()).map_or(0, |file| file.len())
}

//! The cost of a job, of a webhook, of a project and of a clip job: counts and prices every AWS call and compares them with docs/cost.md.
//!
//! `REELHOOK_UPDATE_DOCS=1` rewrites those sections.

mod clips;
mod deployed;
mod indexes;
mod jobs;
mod price;
mod projects;
mod rows;
mod sizes;
mod units;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::stack::Stack;
use rows::Row;

/// What `cleanup` calls when it finds nothing to do.
const SWEEP_READS: [&str; 4] = ["Query", "GetItem", "GetQueueAttributes", "GetParameters"];
/// The deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(240);

/// What is counted, and the section of docs/cost.md that has it.
pub struct Case {
    /// The name of the section's markers.
    section: &'static str,
    /// One of what is counted.
    of: &'static str,
    /// The functions that run for it.
    functions: &'static [&'static str],
    /// Those of them that the HTTP API calls.
    api: &'static [&'static str],
    /// The function that takes the client's requests, and how many there are: each leases a call of the caller's limit.
    requests: (&'static str, f64),
    /// Assumed: the seconds for which `render` draws, joins and copies, in all.
    render_seconds: f64,
    /// Whether a start or a sweep spoils the count. What takes minutes always has some, and need not match to the call.
    exact: bool,
    /// So often it is counted at most.
    attempts: usize,
    /// Other sections that follow from the rows: their names and texts.
    more: &'static [Section],
    /// The explanation below the table, from the rows and from the table of tables.
    notes: fn(&[Row], &str) -> String,
}

/// Writes a section of docs/cost.md from the rows: its name and its text.
type Section = fn(&[Row]) -> (&'static str, String);

/// An AWS call in a function's log.
pub struct Call {
    function: String,
    service: String,
    operation: String,
    request: Value,
}

/// The calls of one run.
pub struct Measured {
    calls: Vec<Call>,
    log_bytes: BTreeMap<&'static str, f64>,
    invocations: BTreeMap<&'static str, usize>,
    /// The reason why other work disturbed the measurement.
    disturbed: BTreeSet<String>,
}

/// Counts what `run` does, which must be warmed up, and compares it with the document or rewrites the section. What is
/// counted is one real run, since the most of each row of several would be more than any of them: documented is the run in
/// the middle of several by its price, and one that fits it is enough.
async fn compare(stack: &Stack, case: &Case, run: impl AsyncFn()) {
    let update = std::env::var("REELHOOK_UPDATE_DOCS").is_ok_and(|value| value == "1");
    let documented = rows::documented(case.section);
    let mut runs: Vec<(Vec<Row>, String)> = Vec::new();
    for _ in 0..case.attempts {
        let measured = measure(stack, case, &run).await;
        if !measured.disturbed.is_empty() {
            println!("measuring again: {:?}", measured.disturbed);
            continue;
        }
        let (rows, tables) = price::price(stack, case, &measured).await;
        let fits = problem(case, &rows, &documented).is_none();
        runs.push((rows, tables));
        if fits && !update {
            return;
        }
    }
    runs.sort_by(|(one, _), (other, _)| rows::total(one).total_cmp(&rows::total(other)));
    assert!(!runs.is_empty(), "each run was disturbed");
    let spread = spread(&runs.iter().map(|(rows, _)| rows::total(rows)).collect::<Vec<_>>());
    let (rows, tables) = runs.swap_remove(runs.len() / 2);
    let text = rows::section(&rows, case.of, &format!("{spread}\n\n{}", (case.notes)(&rows, &tables)));
    println!("{text}");
    if update {
        rows::write_section(case.section, &text);
        for (section, text) in case.more.iter().map(|more| more(&rows)) {
            rows::write_section(section, &text);
        }
        return;
    }
    let problem = problem(case, &rows, &documented).expect("no run fits");
    panic!("{problem}; if it is meant so, run this test with REELHOOK_UPDATE_DOCS=1");
}

/// What the runs cost, from their sums in order.
fn spread(sums: &[f64]) -> String {
    let (least, most) = (sums.first().copied().unwrap_or_default(), sums.last().copied().unwrap_or_default());
    format!("Of {} counted runs this is the one in the middle; they cost ${least:.2} to ${most:.2}.", sums.len())
}

/// What is wrong with a run, compared with the document; none if it fits.
fn problem(case: &Case, rows: &[Row], documented: &[Row]) -> Option<String> {
    let exceeded = rows::exceeded(rows, documented, case.exact);
    if !exceeded.is_empty() {
        return Some(format!("a {} calls AWS more often than docs/cost.md says: {exceeded:#?}", case.of));
    }
    let (now, then, most) = (rows::total(rows), rows::total(documented), if case.exact { 0.05 } else { 0.2 });
    let off = (now / then - 1.0).abs() > most;
    off.then(|| format!("docs/cost.md says ${then:.2} per million {}s, it is ${now:.2}", case.of))
}

/// Waits until no work is left, without the hints that earlier tests delayed: they would come in the middle of a count.
pub async fn without_earlier_hints(stack: &Stack) {
    quietly("queues from which nothing can be received", async || {
        stack.aws.visible().await.iter().all(|(_, visible)| *visible == 0)
    })
    .await;
    stack.aws.purge_all().await;
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
    let (deadline, mut poll) = (Instant::now() + DEADLINE, tokio::time::interval(Duration::from_millis(100)));
    loop {
        poll.tick().await;
        if check().await {
            return;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
    }
}

async fn measure(stack: &Stack, case: &Case, run: &impl AsyncFn()) -> Measured {
    let (from, since) = (log_length(), SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis());
    run().await;
    let mut measured = Measured {
        calls: Vec::new(),
        log_bytes: BTreeMap::new(),
        invocations: BTreeMap::new(),
        disturbed: BTreeSet::new(),
    };
    for (function, line, fields) in log_lines(from) {
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let is_call = text("message") == "AWS call";
        let Some(counted) = case.functions.iter().copied().find(|known| *known == function) else {
            if case.exact && function == "cleanup" && is_call && !SWEEP_READS.contains(&text("operation").as_str()) {
                measured.disturbed.insert("the sweep acted".to_owned());
            }
            continue;
        };
        if !is_call {
            *measured.log_bytes.entry(counted).or_default() += line.len() as f64;
        } else if text("service") == "SSM" {
            if case.exact {
                measured.disturbed.insert(format!("{function} read its settings"));
            }
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
    for function in case.functions.iter().copied() {
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
    // Their logical ids differ from those of the tables.
    match name.as_str() {
        "project-api" => "projects".to_owned(),
        "clip-api" => "clips".to_owned(),
        "error-api" => "errors".to_owned(),
        _ => name,
    }
}

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

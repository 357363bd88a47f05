//! A line of a job's log as StreamGank's API shows it.

use std::borrow::Cow;

use reelhook_domain::LogLevel;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::names::LogLevelName;
use crate::outbox::rows::LogLine;
use crate::views::wire::{JobIdText, Time};

/// A line of a job's log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LogEntry")]
pub struct LogEntryView<'a> {
    /// When the line was written.
    timestamp: Time,
    /// The job.
    #[schemars(with = "JobIdText")]
    job_id: &'a str,
    /// `job_queued`, `job_started`, `job_progress`, `job_completed`, `job_failed`, `webhook_received`,
    /// `creatomate_monitoring` or `job_log`.
    event_type: &'a str,
    /// The line's importance.
    #[schemars(with = "LogLevelName")]
    level: LogLevel,
    /// The same as `level`.
    #[schemars(with = "LogLevelName")]
    r#type: LogLevel,
    /// A sentence.
    message: &'a str,
    /// Small facts. Those of `webhook_received` are `step_number`, `step_name`, `step_status` and `webhook_time`, and
    /// `creatomate_id` or `error` if the report has one.
    #[schemars(with = "Value", extend("type" = ["object", "null"]))]
    details: Cow<'a, Value>,
    /// `reelhook`.
    source: &'static str,
}

/// A line as the API shows it.
pub(super) fn entry(line: &LogLine) -> LogEntryView<'_> {
    let entry = &line.entry;
    LogEntryView {
        timestamp: line.at.into(),
        job_id: line.subject.as_str(),
        event_type: &entry.event_type,
        level: entry.level,
        r#type: entry.level,
        message: &entry.message,
        details: details(&entry.details),
        source: "reelhook",
    }
}

/// The details of a log line with the names of this dialect.
fn details(facts: &Value) -> Cow<'_, Value> {
    let Value::Object(members) = facts else { return Cow::Borrowed(facts) };
    if !members.contains_key("render_id") {
        return Cow::Borrowed(facts);
    }
    let name = |name: &str| if name == "render_id" { "creatomate_id".to_owned() } else { name.to_owned() };
    Cow::Owned(members.iter().map(|(known, value)| (name(known), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use reelhook_domain::{Subject, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::outbox::rows::LogEntry;
    use crate::views::dialect::Dialect;

    #[test]
    fn the_facts_of_a_log_line_call_a_render_by_the_name_that_pages_know() {
        let facts = json!({ "step_number": 7, "render_id": "render_1" });
        assert_eq!(*details(&facts), json!({ "step_number": 7, "creatomate_id": "render_1" }));
        let stored_before = json!({ "creatomate_id": "render_1" });
        assert_eq!(*details(&stored_before), stored_before);
        assert_eq!(*details(&Value::Null), Value::Null);
    }

    #[test]
    fn a_line_has_its_members_in_the_order_of_the_contract() {
        let line = LogLine {
            subject: Subject::parse("job_1").unwrap(),
            dialect: Dialect::StreamGank,
            at: Timestamp(1_704_110_400_000),
            entry: LogEntry {
                event_type: "job_failed".to_owned(),
                level: LogLevel::Error,
                message: "Run failed".to_owned(),
                details: json!({ "error": "no", "render_id": "render_1" }),
            },
        };
        let expected = r#"{"timestamp":"2024-01-01T12:00:00.000Z","job_id":"job_1","event_type":"job_failed","level":"error","type":"error","message":"Run failed","details":{"error":"no","creatomate_id":"render_1"},"source":"reelhook"}"#;
        assert_eq!(json!(entry(&line)).to_string(), expected);
    }
}

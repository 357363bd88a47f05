//! The log of the functions, made readable: the emulator appends what they print to a file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::{interrupt, visible};

/// Which lines are shown.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only lines of functions whose names contain this one.
    pub function: Option<String>,
    /// Only lines that contain this text.
    pub text: Option<String>,
}

impl Filter {
    fn matches(&self, function: &str, line: &str) -> bool {
        // `job-status` is the function JobStatusFunction.
        let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
        self.function.as_ref().is_none_or(|wanted| plain(function).contains(&plain(wanted)))
            && self.text.as_ref().is_none_or(|text| line.contains(text))
    }
}

/// Prints the existing lines.
pub fn show(path: &Path, filter: &Filter) -> anyhow::Result<()> {
    let file =
        File::open(path).with_context(|| format!("open the log {}: was the instance started?", path.display()))?;
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(file).lines() {
        if let Some(text) = readable(&line.context("read the log")?, filter) {
            match writeln!(out, "{text}") {
                // The reader of the pipe has closed it.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                written => written.context("print the log")?,
            }
        }
    }
    Ok(())
}

/// Prints existing and new lines, until a signal or until `check` fails.
pub fn follow(path: &Path, filter: &Filter, mut check: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut reader = None;
    let mut line = String::new();
    loop {
        if reader.is_none() {
            reader = File::open(path).ok().map(BufReader::new);
        }
        if let Some(reader) = &mut reader {
            // An incomplete line stays in the buffer until its rest is written.
            while reader.read_line(&mut line).context("read the log")? > 0 && line.ends_with('\n') {
                if let Some(text) = readable(line.trim_end(), filter) {
                    println!("{text}");
                }
                line.clear();
            }
        }
        check()?;
        interrupt::pause(Duration::from_millis(200))?;
    }
}

/// The last warnings and errors.
pub fn last_warnings(path: &Path, count: usize) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| readable(line, &Filter::default()));
    let mut found: Vec<_> = lines.filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
    found.split_off(found.len().saturating_sub(count))
}

/// A line of the file in readable form; none if the filter excludes it.
fn readable(line: &str, filter: &Filter) -> Option<String> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let (function, printed) = (text("function").trim_end_matches("Function"), text("line"));
    // Metrics are for CloudWatch; a person who looks for one finds it.
    let is_metric = printed.starts_with("{\"_aws\":") && filter.text.is_none();
    if is_metric || !filter.matches(text("function"), line) {
        return None;
    }
    let time = text("at").get(11..23).unwrap_or_default();
    let (level, sentence) = match serde_json::from_str::<Value>(printed) {
        Ok(event) if event["level"].is_string() => {
            (event["level"].as_str().unwrap_or_default().to_owned(), sentence(&event))
        }
        _ => ("-".to_owned(), printed.to_owned()),
    };
    // Log lines may contain text from callers of the functions.
    Some(visible::line(&format!("{time} {level:<5} {function:<18} {sentence}")))
}

/// The message of a tracing event in JSON, and its fields.
fn sentence(event: &Value) -> String {
    let fields = event.get("fields").unwrap_or(event);
    let mut sentence = fields["message"].as_str().unwrap_or_default().to_owned();
    let spans = event["spans"].as_array().into_iter().flatten().chain(event.get("span"));
    let known = ["message", "timestamp", "level", "target", "span", "spans", "fields", "name", "filename", "threadId"];
    for object in std::iter::once(fields).chain(spans) {
        for (name, value) in object.as_object().into_iter().flatten() {
            if known.contains(&name.as_str()) {
                continue;
            }
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let field = format!(" {name}={value}");
            if !sentence.contains(&field) {
                sentence += &field;
            }
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(function: &str, printed: &str) -> String {
        json!({"at": "2026-11-22T03:49:25.271Z", "function": function, "line": printed}).to_string()
    }

    #[test]
    fn tracing_events_become_sentences() {
        let event = json!({
            "timestamp": "2026-11-22T03:49:25.27Z", "level": "INFO", "target": "fanout",
            "fields": {"message": "delivery planned", "delivery_id": "d1", "count": 3},
            "span": {"name": "handle", "job_id": "job_1"},
        });
        let shown = readable(&line("FanoutFunction", &event.to_string()), &Filter::default()).unwrap();
        assert_eq!(shown, "03:49:25.271 INFO  Fanout             delivery planned delivery_id=d1 count=3 job_id=job_1");
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let shown = readable(&line("worker", "thread 'main' panicked"), &Filter::default()).unwrap();
        assert_eq!(shown, "03:49:25.271 -     worker             thread 'main' panicked");
        assert_eq!(readable("no JSON", &Filter::default()), None);
    }

    #[test]
    fn metrics_are_shown_only_to_those_who_look_for_them() {
        let metric = line("FanoutFunction", r#"{"_aws":{},"service":"reelhook","JobsEnded":1}"#);
        assert_eq!(readable(&metric, &Filter::default()), None);
        assert!(readable(&metric, &Filter { function: None, text: Some("JobsEnded".to_owned()) }).is_some());
    }

    #[test]
    fn logged_text_cannot_forge_a_line() {
        let forged = "x\r\n03:49:25.271 ERROR Fanout lost\u{1b}[2K\u{9b}A\u{202e}\u{2028}y";
        let event = json!({"level": "INFO", "fields": {"message": forged, "user_agent": forged, forged: forged}});
        for printed in [event.to_string(), forged.to_owned()] {
            let shown = readable(&line("FanoutFunction", &printed), &Filter::default()).unwrap();
            assert_eq!(visible::line(&shown), shown);
            assert_eq!(shown.lines().count(), 1, "{shown}");
            assert!(
                shown.contains("x\\r\\n03:49:25.271 ERROR Fanout lost\\u{1b}[2K\\u{9b}A\\u{202e}\\u{2028}y"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_filter_takes_crate_names() {
        let filter = Filter { function: Some("job-status".to_owned()), text: None };
        assert!(readable(&line("JobStatusFunction", "x"), &filter).is_some());
        assert!(readable(&line("GenerateFunction", "x"), &filter).is_none());
        let filter = Filter { function: None, text: Some("job_1".to_owned()) };
        assert!(readable(&line("GenerateFunction", "job_2"), &filter).is_none());
    }
}

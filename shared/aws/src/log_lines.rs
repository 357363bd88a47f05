//! The size limit of log lines. Values from outside are cut before they are logged (`reelhook_domain::brief`). A line
//! that is still too long is cut here and gets the field `line_bytes`, so that callers cannot fill the log.

use std::io;

use reelhook_domain::brief;
use serde_json::{Map, Value, json};
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of a line, at most.
const LINE: usize = 2048;

/// Writes lines of JSON of at most 2 KB.
pub(crate) struct Bounded<M>(pub(crate) M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Bounded<M> {
    type Writer = BoundedWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        BoundedWriter { to: self.0.make_writer(), bounded: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        // The log of AWS calls (calls.rs) is for counting and has no values from outside.
        BoundedWriter { to: self.0.make_writer_for(metadata), bounded: metadata.target() != "aws_calls" }
    }
}

/// A writer that receives one line per write, as `tracing_subscriber` makes it.
pub(crate) struct BoundedWriter<W> {
    to: W,
    bounded: bool,
}

impl<W: io::Write> io::Write for BoundedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bounded && line.len() > LINE {
            self.to.write_all(&shortened(line))?;
        } else {
            self.to.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The line with each text cut; if that is too long too, only its level, message and size.
fn shortened(line: &[u8]) -> Vec<u8> {
    let mut fields: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
    fields.values_mut().for_each(shorten);
    fields.insert("line_bytes".to_owned(), json!(line.len()));
    let mut text = Value::Object(fields).to_string();
    if text.len() >= LINE {
        let fields: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        let kept = fields.into_iter().filter(|(name, _)| matches!(name.as_str(), "level" | "message" | "line_bytes"));
        text = Value::Object(kept.collect()).to_string();
    }
    text.push('\n');
    text.into_bytes()
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => *text = brief(text),
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use reelhook_testkit::log_lines;

    use super::*;

    /// The lines that are logged during `work`, as functions write them.
    fn lines(work: impl FnOnce()) -> Vec<String> {
        log_lines(tracing::Level::DEBUG, Bounded, work)
    }

    #[test]
    fn a_line_that_is_too_long_keeps_its_start_and_says_so() {
        let long = "\"a\n".repeat(1 << 20);
        let lines = lines(|| {
            let span = tracing::error_span!("request", request_id = "r1");
            let _in_it = span.enter();
            tracing::warn!(job_id = "job_1", error = long, "it failed");
            tracing::info!(count = 3, "it went well");
        });
        let [long, short] = &lines[..] else { panic!("{} lines", lines.len()) };
        assert!(long.len() < LINE, "{}", long.len());
        let read: Value = serde_json::from_str(long).unwrap();
        assert_eq!(
            (&read["message"], &read["level"], &read["job_id"]),
            (&json!("it failed"), &json!("WARN"), &json!("job_1"))
        );
        assert_eq!(read["span"]["request_id"], "r1");
        assert!(read["error"].as_str().unwrap().starts_with("\"a?\"a?"), "{read}");
        assert!(read["line_bytes"].as_u64().unwrap() > 3 << 20, "{read}");
        let read: Value = serde_json::from_str(short).unwrap();
        assert_eq!((&read["count"], &read["line_bytes"]), (&json!(3), &Value::Null));
    }

    #[test]
    fn no_number_of_long_texts_makes_a_long_line() {
        let long = "\\".repeat(1 << 16);
        let lines = lines(|| {
            tracing::error!(a = long, b = long, c = long, d = long, e = long, f = long, g = long, "{long}");
        });
        assert!(lines.len() == 1 && lines[0].len() < LINE, "{lines:?}");
        let read: Value = serde_json::from_str(&lines[0]).unwrap();
        assert!(read["message"].as_str().unwrap().starts_with("\\\\") && read["level"] == "ERROR", "{read}");
    }

    #[test]
    fn calls_of_aws_stay_whole() {
        let long = "x".repeat(1 << 16);
        let lines = lines(|| tracing::debug!(target: "aws_calls", request = long, "AWS call"));
        assert!(lines[0].len() > 1 << 16);
    }
}

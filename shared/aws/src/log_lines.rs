//! The size limit of log lines. Values from outside are cut before they are logged (`reelhook_domain::brief`). A line
//! that is still too long is cut here and gets the field `line_bytes`, so that callers cannot fill the log.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reelhook_domain::brief;
use serde_json::{Map, Value, json};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of a line, at most.
const LINE: usize = 2048;
/// Bytes of collected lines that are written together.
const TOGETHER: usize = 32 * 1024;

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

/// Collects lines until they are flushed, 32 KB together, or a warning or an error is among them.
#[derive(Debug, Clone, Default)]
pub struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl LogBuffer {
    /// Writes all collected lines to the standard output.
    pub fn flush(&self) {
        let mut lines = self.lines();
        // The log is the only place that could report it.
        let _ = write_out(&mut io::stdout(), &mut lines);
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for LogBuffer {
    type Writer = CollectingWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        CollectingWriter { buffer: self, is_urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        CollectingWriter { buffer: self, is_urgent: *metadata.level() <= Level::WARN }
    }
}

/// A writer that adds to a [`LogBuffer`].
pub struct CollectingWriter<'a> {
    buffer: &'a LogBuffer,
    is_urgent: bool,
}

impl io::Write for CollectingWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.buffer.lines();
        lines.extend_from_slice(line);
        if self.is_urgent || lines.len() >= TOGETHER {
            write_out(&mut io::stdout(), &mut lines)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_out(to: &mut impl io::Write, lines: &mut Vec<u8>) -> io::Result<()> {
    let written = to.write_all(lines).and_then(|()| to.flush());
    lines.clear();
    written
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
    fn collected_lines_wait_for_a_flush_and_urgent_ones_do_not() {
        use io::Write as _;
        let buffer = LogBuffer::default();
        let writer = |is_urgent| CollectingWriter { buffer: &buffer, is_urgent };
        writer(false).write_all(b"one\n").unwrap();
        writer(false).write_all(b"two\n").unwrap();
        assert_eq!(*buffer.lines(), b"one\ntwo\n");
        writer(true).write_all(b"three\n").unwrap();
        assert!(buffer.lines().is_empty(), "a warning is written with the lines before it");
        writer(false).write_all(&[b'x'; TOGETHER]).unwrap();
        assert!(buffer.lines().is_empty());
        writer(false).write_all(b"four\n").unwrap();
        buffer.flush();
        assert!(buffer.lines().is_empty());
        let mut out = Vec::new();
        write_out(&mut out, &mut b"five\n".to_vec()).unwrap();
        assert_eq!(out, b"five\n");
    }

    #[test]
    fn calls_of_aws_stay_whole() {
        let long = "x".repeat(1 << 16);
        let lines = lines(|| tracing::debug!(target: "aws_calls", request = long, "AWS call"));
        assert!(lines[0].len() > 1 << 16);
    }
}

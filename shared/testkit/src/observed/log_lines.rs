//! Captures log lines, so that tests can check them.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

/// A log writer that keeps the written bytes.
#[derive(Debug, Clone, Default)]
pub struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for CapturedLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

/// The lines that are logged during `work`, in the format of the functions and down to this level. `writer` wraps the
/// writer that captures them.
///
/// # Panics
/// When the log is not UTF-8.
pub fn log_lines<W>(level: Level, writer: impl FnOnce(CapturedLog) -> W, work: impl FnOnce()) -> Vec<String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let captured = CapturedLog::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .without_time()
        .with_max_level(level)
        .with_writer(writer(captured.clone()))
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let written = captured.0.lock().unwrap().clone();
    String::from_utf8(written).unwrap().lines().map(str::to_owned).collect()
}

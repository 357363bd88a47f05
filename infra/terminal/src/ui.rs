//! Progress on standard error, a spinner on a terminal and plain lines elsewhere; and the colours of standard output.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::visible;

/// Whether standard error is a terminal.
pub fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Prints one or more lines. A reader of standard error that has gone, such as `head`, ends nothing.
pub fn say(sentence: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", visible::lines(sentence.as_ref()));
}

/// Runs quiet work behind a spinner, and prints how long it took.
pub fn step<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    let spinner = is_terminal().then(|| {
        let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        spinner.set_style(style("{spinner} {msg} ({elapsed})"));
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    });
    if spinner.is_none() {
        say(format!("{what} ..."));
    }
    let outcome = work();
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    let mark = if outcome.is_ok() { "done" } else { "FAILED" };
    say(format!("{what}: {mark} ({})", seconds(began.elapsed())));
    outcome
}

/// A progress bar from 0 to 100, hidden if standard error is not a terminal.
pub fn percent_bar() -> ProgressBar {
    ProgressBar::with_draw_target(Some(100), draw_target()).with_style(percent())
}

/// Such bars, one below the other.
pub fn percent_bars(count: usize) -> Vec<ProgressBar> {
    let all = MultiProgress::with_draw_target(draw_target());
    (0..count).map(|_| all.add(ProgressBar::new(100).with_style(percent()))).collect()
}

/// A bar of bytes that arrive; without `total`, their number only. Hidden if standard error is not a terminal.
pub fn byte_bar(total: Option<u64>) -> ProgressBar {
    let template = match total {
        Some(_) => "  [{bar:40}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        None => "  {binary_bytes}, {binary_bytes_per_sec}",
    };
    ProgressBar::with_draw_target(total, draw_target()).with_style(style(template).progress_chars("=> "))
}

fn draw_target() -> ProgressDrawTarget {
    if is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}

fn percent() -> ProgressStyle {
    style("  [{bar:40}] {pos:>3} %  {msg}").progress_chars("=> ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant")
}

/// Terminal colours, if they are enabled.
#[derive(Clone, Copy, Debug)]
pub struct Colours(bool);

impl Colours {
    /// No colours.
    pub const PLAIN: Self = Self(false);

    /// Enabled if standard output is a terminal with colours and `NO_COLOR` is not set (<https://no-color.org>).
    pub fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self(std::io::stdout().is_terminal() && !unwanted && !dumb)
    }

    fn with(self, code: u8, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Bold.
    pub fn bold(self, text: &str) -> String {
        self.with(1, text)
    }

    /// Less visible.
    pub fn dim(self, text: &str) -> String {
        self.with(2, text)
    }

    /// Red.
    pub fn red(self, text: &str) -> String {
        self.with(31, text)
    }

    /// Green.
    pub fn green(self, text: &str) -> String {
        self.with(32, text)
    }

    /// Yellow.
    pub fn yellow(self, text: &str) -> String {
        self.with(33, text)
    }
}

/// `1.2 s`, `2 min 5 s`.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

/// `412 KiB`, `1.9 MiB`.
pub fn bytes(count: u64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    match count {
        0..1024 => format!("{count} bytes"),
        1024..1_048_576 => format!("{:.0} KiB", count as f64 / 1024.0),
        _ => format!("{:.1} MiB", count as f64 / MIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!(seconds(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(bytes(900), "900 bytes");
        assert_eq!(bytes(2_000), "2 KiB");
        assert_eq!(bytes(2_000_000), "1.9 MiB");
    }
}

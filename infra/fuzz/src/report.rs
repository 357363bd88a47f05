//! What a run prints: a line for each target.

use crate::run::Tally;

/// The heading of the lines.
pub fn heading() -> String {
    format!(
        "{:<20} {:>10} {:>10} {:>8} {:>10} {:>12} {:>14}",
        "target", "inputs", "accepted", "s", "inputs/s", "slowest, ms", "most allocated"
    )
}

/// The line of a target.
pub fn line(target: &str, tally: &Tally, counts_memory: bool) -> String {
    let seconds = tally.time.as_secs_f64();
    let rate = if seconds > 0.0 { tally.inputs as f64 / seconds } else { 0.0 };
    let allocated = if counts_memory { format!("{} KiB", tally.allocated.div_ceil(1024)) } else { "-".to_owned() };
    format!(
        "{target:<20} {:>10} {:>10} {seconds:>8.1} {rate:>10.0} {:>12.1} {allocated:>14}",
        tally.inputs,
        tally.accepted,
        tally.slowest.as_secs_f64() * 1000.0,
    )
}

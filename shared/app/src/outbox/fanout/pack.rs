//! Packs recorded versions into few rows: one for a job of some minutes.

use reelhook_domain::{Recorded, Subject};

use crate::jobs::logs::PACKED_SPAN;
use crate::outbox::rows::{LogEntry, LogRow};
use crate::views::dialect::Dialect;

/// The rows of recorded versions, the oldest first. The same versions make the same rows.
///
/// A row is that of its last line, with the lines before it inside. All of its lines are from one day of UTC and from the
/// time that a search reads again after a cursor, and none is newer than the last one.
pub(super) fn pack(subject: &Subject, dialect: Dialect, recorded: Vec<Recorded>) -> Vec<LogRow> {
    let mut groups: Vec<Vec<Recorded>> = Vec::new();
    for version in recorded {
        match groups.last_mut().filter(|group| fits(group, &version)) {
            Some(group) => group.push(version),
            None => groups.push(vec![version]),
        }
    }
    groups.into_iter().flat_map(split).map(|group| row(subject, dialect, group)).collect()
}

/// Whether a version fits into the row of these, which have a first one and a last one.
fn fits(group: &[Recorded], next: &Recorded) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return true };
    next.at >= last.at && next.at.since(first.at) <= PACKED_SPAN && next.at.day() == first.at.day()
}

/// Versions after the last one with a line get a row of their own, since a row has the sort key of its last line.
fn split(mut group: Vec<Recorded>) -> Vec<Vec<Recorded>> {
    let lines = group.iter().rposition(|version| !version.lines.is_empty()).map_or(0, |last| last + 1);
    let rest = group.split_off(lines);
    [group, rest].into_iter().filter(|versions| !versions.is_empty()).collect()
}

fn row(subject: &Subject, dialect: Dialect, mut packed: Vec<Recorded>) -> LogRow {
    let last = packed.last_mut().expect("a group has versions");
    let (version, at) = (last.version, last.at);
    let line = last.lines.pop();
    packed.retain(|version| !version.is_empty());
    LogRow {
        subject: subject.clone(),
        dialect,
        version,
        index: line.as_ref().map_or(0, |line| line.index),
        at,
        entry: line.as_ref().map(LogEntry::from),
        live: None,
        packed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reelhook_domain::Timestamp;
    use reelhook_domain::{JobSnapshot, Live, LiveSnapshot, LogEvent, LogLevel, RecordedLine, RecordedLive, Status};
    use serde_json::Value;

    use super::*;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    fn recorded(version: u64, at: Timestamp, lines: usize, live: bool) -> Recorded {
        let line = |index| RecordedLine {
            index,
            event: LogEvent::Note.name().into(),
            level: LogLevel::Info,
            message: format!("{version}.{index}"),
            details: Value::Null,
        };
        let snapshot = LiveSnapshot::Job(JobSnapshot {
            status: Status::Processing,
            progress: 1,
            current_step: String::new(),
            video_url: None,
            error: None,
            render_id: None,
            step_details: Default::default(),
        });
        let live = live.then(|| RecordedLive { after: version - 1, events: vec![Live::Job], snapshot });
        Recorded { version, at, lines: (0..lines).map(line).collect(), live }
    }

    fn rows(recorded: Vec<Recorded>) -> Vec<(u64, usize, Option<String>, Vec<u64>)> {
        let rows = pack(&Subject::parse("job_1").unwrap(), Dialect::StreamGank, recorded).into_iter();
        let message = |entry: LogEntry| entry.message;
        let packed = |packed: &[Recorded]| packed.iter().map(|of| of.version).collect();
        rows.map(|row| (row.version, row.index, row.entry.map(message), packed(&row.packed))).collect()
    }

    #[test]
    fn a_short_job_is_one_row_that_is_the_row_of_its_last_line() {
        let at = |minutes: u64| NOON.after(Duration::from_secs(minutes * 60));
        let job = vec![recorded(1, at(0), 1, false), recorded(2, at(1), 1, true), recorded(5, at(5), 2, true)];
        assert_eq!(rows(job), [(5, 1, Some("5.1".to_owned()), vec![1, 2, 5])]);
        assert_eq!(rows(vec![recorded(3, at(0), 1, false)]), [(3, 0, Some("3.0".to_owned()), Vec::new())]);
        assert!(rows(Vec::new()).is_empty());
    }

    #[test]
    fn a_row_spans_few_minutes_of_one_day_in_order() {
        let at = |seconds: u64| NOON.after(Duration::from_secs(seconds));
        let versions = |of: Vec<Recorded>| rows(of).into_iter().map(|(version, ..)| version).collect::<Vec<_>>();
        let job =
            |times: &[u64]| (1..).zip(times).map(|(version, time)| recorded(version, at(*time), 1, false)).collect();
        assert_eq!(versions(job(&[0, 299, 300, 301])), [3, 4], "five minutes");
        assert_eq!(versions(job(&[0, 10, 9, 11])), [2, 4], "a clock that was behind");
        let midnight = 12 * 3600;
        assert_eq!(versions(job(&[midnight - 1, midnight])), [1, 2], "a day of UTC");
    }

    #[test]
    fn live_events_after_the_last_line_have_a_row_without_a_line() {
        let job = vec![recorded(1, NOON, 1, false), recorded(2, NOON, 0, true), recorded(3, NOON, 0, true)];
        assert_eq!(rows(job), [(1, 0, Some("1.0".to_owned()), Vec::new()), (3, 0, None, vec![2, 3])]);
    }
}

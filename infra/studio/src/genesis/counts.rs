//! What the clipping worker did with every submission, by source and by external id.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

/// What happened to a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Accepted and answered.
    Accepted,
    /// Accepted, but the answer was lost.
    Lost,
    /// Refused.
    Refused,
    /// The connection was closed before it was accepted.
    Dropped,
}

/// The counts of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Count {
    submissions: u64,
    accepted: u64,
    lost: u64,
    refused: u64,
    dropped: u64,
    /// Jobs that were worked on to their end: each cuts the source once.
    cut: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.submissions += other.submissions;
        self.accepted += other.accepted;
        self.lost += other.lost;
        self.refused += other.refused;
        self.dropped += other.dropped;
        self.cut += other.cut;
    }
}

/// All counts.
#[derive(Default)]
pub(crate) struct Counts {
    by_source: BTreeMap<String, Count>,
    /// Accepted submissions.
    by_external_id: BTreeMap<String, (String, u64)>,
}

impl Counts {
    pub(crate) fn submitted(&mut self, source: &str, external_id: Option<&str>, outcome: Outcome) {
        let count = self.by_source.entry(source.to_owned()).or_default();
        count.submissions += 1;
        match outcome {
            Outcome::Accepted => count.accepted += 1,
            Outcome::Lost => count.lost += 1,
            Outcome::Refused => count.refused += 1,
            Outcome::Dropped => count.dropped += 1,
        }
        let is_there = matches!(outcome, Outcome::Accepted | Outcome::Lost);
        if let Some(id) = external_id.filter(|_| is_there) {
            self.by_external_id.entry(id.to_owned()).or_insert_with(|| (source.to_owned(), 0)).1 += 1;
        }
    }

    pub(crate) fn cut(&mut self, source: &str) {
        self.by_source.entry(source.to_owned()).or_default().cut += 1;
    }

    /// The counts of one source, or of all.
    pub(crate) fn report(&self, source: Option<&str>) -> Value {
        let is_shown = |of: &str| source.is_none_or(|source| source == of);
        let by_source: BTreeMap<&String, &Count> = self.by_source.iter().filter(|(of, _)| is_shown(of)).collect();
        let by_external_id: BTreeMap<&String, u64> = self
            .by_external_id
            .iter()
            .filter(|(_, (of, _))| is_shown(of))
            .map(|(id, (_, count))| (id, *count))
            .collect();
        let mut all = Count::default();
        by_source.values().for_each(|count| all.add(**count));
        let mut report = json!(all);
        report["by_source"] = json!(by_source);
        report["by_external_id"] = json!(by_external_id);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_and_cuts_are_counted_by_source() {
        let mut counts = Counts::default();
        for outcome in [Outcome::Refused, Outcome::Dropped, Outcome::Lost, Outcome::Accepted] {
            counts.submitted("http://a/1.mp4", Some("x"), outcome);
        }
        counts.submitted("http://a/2.mp4", None, Outcome::Accepted);
        counts.cut("http://a/1.mp4");
        let all = counts.report(None);
        assert_eq!((&all["submissions"], &all["accepted"], &all["cut"]), (&json!(5), &json!(2), &json!(1)));
        assert_eq!(all["by_external_id"], json!({"x": 2}));
        let one = counts.report(Some("http://a/2.mp4"));
        assert_eq!((&one["submissions"], &one["cut"], &one["by_external_id"]), (&json!(1), &json!(0), &json!({})));
    }
}

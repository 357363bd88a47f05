//! Numbered slots of a row (ADR 71): the numbers in use are kept as ranges for each lane, so that a slot takes a byte or
//! two, and no number is granted twice, so that a slot that is freed twice frees nothing else.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::jobs::slots::fair::Lane;

/// Rows at most. A look reads all of them in one call of BatchGetItem, which takes 100 keys, and a claim writes at most 16.
pub(super) const MOST_ROWS: usize = 64;
/// What the name of a numbered slot begins with. No id of a job does.
const NUMBERED: char = '#';
/// Grants whose jobs a row remembers. All rows together remember those of some seconds, in which claimed jobs start.
const NEWEST: usize = 128;
/// Slots whose leases end within this time of each other have one lease, the one that ends last.
const LEASE_STEP: Duration = Duration::from_secs(300);

/// The numbered slots of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Numbered {
    /// The number of the next slot; 0 before the first one.
    next: u64,
    /// The numbers in use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lanes: BTreeMap<Lane, Ranges>,
    /// When leases end: that of a number and of those after it, up to the next entry. Each one ends after the one before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leases: Vec<(u64, Timestamp)>,
    /// Marks of the jobs that got the last numbers before `next`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    newest: Vec<u32>,
}

impl Numbered {
    /// Whether no number was ever granted.
    pub(crate) fn is_new(&self) -> bool {
        self.next == 0
    }

    /// The slots in use, whether their leases have ended or not.
    pub(crate) fn used(&self) -> usize {
        self.lanes.values().map(|ranges| ranges.count_from(0)).sum()
    }

    /// The slots in use at `now`.
    pub(crate) fn running(&self, now: Timestamp) -> usize {
        self.held(now).map(|(_, count)| count).sum()
    }

    /// The slots that lanes hold at `now`.
    pub(crate) fn held(&self, now: Timestamp) -> impl Iterator<Item = (Lane, usize)> {
        let first = self.first(now);
        self.lanes.iter().map(move |(lane, ranges)| (*lane, ranges.count_from(first)))
    }

    /// Marks of the jobs that hold slots at `now`, as far as the row remembers them.
    pub(crate) fn marks(&self, now: Timestamp) -> impl Iterator<Item = u32> {
        let begin = self.next.saturating_sub(self.newest.len() as u64);
        let since = begin.max(self.first(now));
        let numbers = self.lanes.values().flat_map(move |ranges| ranges.since(since));
        numbers.filter_map(move |number| self.newest.get(usize::try_from(number - begin).ok()?).copied())
    }

    /// Grants a slot to a job with this mark until `lease_until` or later, and returns its number. The first number of a row
    /// is the time in milliseconds: a row that was lost grants no number again, unless it granted a thousand a second.
    pub(crate) fn grant(&mut self, lane: Lane, mark: u32, now: Timestamp, lease_until: Timestamp) -> u64 {
        if self.is_new() {
            self.next = u64::try_from(now.millis()).unwrap_or_default().max(1);
        }
        let number = self.next;
        self.next += 1;
        if self.leases.last().is_none_or(|(_, end)| *end < lease_until) {
            self.leases.push((number, lease_until.after(LEASE_STEP)));
        }
        self.lanes.entry(lane).or_default().push(number);
        self.newest.push(mark);
        let forgotten = self.newest.len().saturating_sub(NEWEST);
        self.newest.drain(..forgotten);
        number
    }

    /// Frees a slot; false if it is not in use.
    pub(crate) fn free(&mut self, number: u64) -> bool {
        let Some(lane) = self.lanes.iter_mut().find_map(|(lane, ranges)| ranges.remove(number).then_some(*lane)) else {
            return false;
        };
        if self.lanes.get(&lane).is_some_and(Ranges::is_empty) {
            self.lanes.remove(&lane);
        }
        true
    }

    /// Frees the slots whose leases have ended.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let first = self.first(now);
        self.leases.retain(|(_, end)| *end > now);
        self.lanes.retain(|_, ranges| {
            ranges.retain_from(first);
            !ranges.is_empty()
        });
    }

    /// The first number whose lease has not ended.
    fn first(&self, now: Timestamp) -> u64 {
        self.leases.iter().find(|(_, end)| *end > now).map_or(self.next, |(first, _)| *first)
    }
}

/// Numbers in order, as ranges that do not touch. Stored as the gap before each range and its length.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
struct Ranges(Vec<Range<u64>>);

impl From<Ranges> for Vec<u64> {
    fn from(Ranges(ranges): Ranges) -> Self {
        let mut end = 0;
        let mut stored = Self::with_capacity(2 * ranges.len());
        for range in ranges {
            stored.extend([range.start - end, range.end - range.start]);
            end = range.end;
        }
        stored
    }
}

impl From<Vec<u64>> for Ranges {
    fn from(stored: Vec<u64>) -> Self {
        let mut end = 0_u64;
        let mut ranges = Vec::with_capacity(stored.len() / 2);
        for range in stored.chunks_exact(2) {
            let start = end.saturating_add(range[0]);
            end = start.saturating_add(range[1]);
            ranges.push(start..end);
        }
        Self(ranges)
    }
}

impl Ranges {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a number that is higher than all others.
    fn push(&mut self, number: u64) {
        match self.0.last_mut() {
            Some(last) if last.end == number => last.end += 1,
            Some(_) | None => self.0.push(number..number + 1),
        }
    }

    /// Removes a number; false if it is not among them.
    fn remove(&mut self, number: u64) -> bool {
        let place = self.0.partition_point(|range| range.end <= number);
        let Some(range) = self.0.get(place).filter(|range| range.contains(&number)).cloned() else { return false };
        let rest = [range.start..number, number + 1..range.end].into_iter().filter(|range| !range.is_empty());
        drop(self.0.splice(place..=place, rest));
        true
    }

    /// How many of them are `first` or higher.
    fn count_from(&self, first: u64) -> usize {
        let count: u64 = self.0.iter().map(|range| range.end.saturating_sub(range.start.max(first))).sum();
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Those that are `first` or higher.
    fn since(&self, first: u64) -> impl Iterator<Item = u64> {
        let ranges = self.0.iter().rev().take_while(move |range| range.end > first);
        ranges.flat_map(move |range| range.start.max(first)..range.end)
    }

    /// Removes those below `first`.
    fn retain_from(&mut self, first: u64) {
        self.0.retain_mut(|range| {
            range.start = range.start.max(first);
            range.start < range.end
        });
    }
}

/// The mark by which a row remembers a job: FNV-1a. A job with the mark of another one is taken for it, as long as that one
/// holds a slot: it waits until no other job can be claimed.
pub(super) fn mark(job: &str) -> u32 {
    job.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The name of a numbered slot: its row, and its number there.
pub(super) fn name(row: usize, number: u64) -> String {
    format!("{NUMBERED}{row}.{number}")
}

/// Reads the row and the number of a slot; none if it has a name of its own.
pub(super) fn parse(slot: &str) -> Option<(usize, u64)> {
    let (row, number) = slot.strip_prefix(NUMBERED)?.split_once('.')?;
    let row = row.parse().ok().filter(|row| *row < MOST_ROWS)?;
    Some((row, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.after(Duration::from_secs(seconds))
    }

    fn granted(count: u32) -> Numbered {
        let mut numbered = Numbered::default();
        for n in 0..count {
            let number = numbered.grant(Lane::at(u64::from(n % 2)), n, NOW, after(60));
            assert_eq!(number, 1_000_000 + u64::from(n));
        }
        numbered
    }

    #[test]
    fn a_number_is_freed_once_and_never_granted_again() {
        let mut numbered = granted(6);
        assert!(numbered.free(1_000_002) && !numbered.free(1_000_002) && !numbered.free(999_999));
        assert_eq!((numbered.used(), numbered.running(NOW)), (5, 5));
        for number in [0, 1, 3, 4, 5] {
            assert!(numbered.free(1_000_000 + number), "{number}");
        }
        assert_eq!((numbered.used(), numbered.lanes.len()), (0, 0));
        assert_eq!(numbered.grant(Lane::default(), 1, NOW, after(60)), 1_000_006);
        let mut lost = Numbered::default();
        assert!(lost.grant(Lane::default(), 1, after(1), after(60)) > 1_000_006, "the row was lost");
    }

    #[test]
    fn lanes_hold_what_they_were_granted() {
        let mut numbered = granted(5);
        numbered.free(1_000_000);
        assert_eq!(numbered.held(NOW).collect::<Vec<_>>(), [(Lane::at(0), 2), (Lane::at(1), 2)]);
    }

    #[test]
    fn slots_are_free_when_their_lease_has_ended_and_not_before() {
        let mut numbered = Numbered::default();
        for second in (0..1000).step_by(10) {
            numbered.grant(Lane::default(), 0, after(second), after(second + 60));
        }
        assert!(numbered.leases.len() <= 5, "{:?}", numbered.leases);
        for second in 0..1500 {
            let running = numbered.running(after(second)) as u64;
            let leased = 100 - second.checked_sub(60).map_or(0, |ended| ended / 10 + 1).min(100);
            assert!(
                (leased..=leased + 31).contains(&running),
                "{second}: {running} of {leased}, and those of 5 minutes"
            );
        }
        numbered.expire(after(700));
        assert_eq!(numbered.running(after(700)), numbered.used());
        numbered.expire(after(2000));
        assert_eq!((numbered.used(), numbered.leases.len()), (0, 0));
        assert!(numbered.grant(Lane::default(), 0, after(2000), after(2060)) > 1_000_099);
    }

    #[test]
    fn a_lease_that_became_shorter_ends_no_earlier_than_those_before() {
        let mut numbered = Numbered::default();
        numbered.grant(Lane::default(), 0, NOW, after(1000));
        numbered.grant(Lane::default(), 0, NOW, after(10));
        assert_eq!(numbered.running(after(1000)), 2);
        assert_eq!(numbered.running(after(1300)), 0);
    }

    #[test]
    fn a_row_remembers_the_newest_jobs_that_hold_slots() {
        let mut numbered = granted(200);
        assert_eq!(numbered.newest.len(), NEWEST);
        let marks = |numbered: &Numbered, now| {
            let mut marks: Vec<u32> = numbered.marks(now).collect();
            marks.sort_unstable();
            marks
        };
        assert_eq!(marks(&numbered, NOW), (72..200).collect::<Vec<u32>>());
        numbered.free(1_000_199);
        numbered.free(1_000_100);
        assert_eq!(marks(&numbered, NOW), (72..199).filter(|n| *n != 100).collect::<Vec<u32>>());
        assert!(marks(&numbered, after(400)).is_empty());
    }

    #[test]
    fn what_is_stored_is_read_and_stays_as_it_is() {
        let mut numbered = granted(7);
        numbered.free(1_000_002);
        let stored =
            r#"{"next":1000007,"lanes":{"000000000000":[1000000,1,3,1,1,1],"000000000001":[1000001,1,1,1,1,1]},"#;
        let stored = format!("{stored}\"leases\":[[1000000,1360000]],\"newest\":[0,1,2,3,4,5,6]}}");
        assert_eq!(serde_json::to_string(&numbered).expect("JSON"), stored);
        assert_eq!(serde_json::from_str::<Numbered>(&stored).expect("numbers"), numbered);
        let ranges = Ranges(vec![3..9, 10..11, 200..300]);
        assert_eq!(Vec::<u64>::from(ranges.clone()), [3, 6, 1, 1, 189, 100]);
        assert_eq!(Ranges::from(Vec::<u64>::from(ranges.clone())), ranges);
    }

    #[test]
    fn a_name_says_its_row_and_number() {
        assert_eq!(parse(&name(12, 1_704_110_400_007)), Some((12, 1_704_110_400_007)));
        for other in ["job_1.1.1@000000000001", "#64.1", "#1", "#x.1", "#1.x", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_ne!(mark("job_1"), mark("job_2"));
    }
}

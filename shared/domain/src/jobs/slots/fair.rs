//! Fair slots: who gets the next free slot (ADR 54). Each owner has a lane, and so has each key without an owner. The next
//! slot goes to the lane that holds the fewest in proportion to its weight; within a lane priority decides, then age.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{OwnerId, Timestamp};

/// How much younger than the oldest waiting job of its lane a job may be that is started before it.
pub const SPREAD: Duration = Duration::from_secs(2);
/// What separates the lane from the rest of a slot's key.
const OF_LANE: char = '@';
/// The bits of a lane.
const LANE_BITS: u32 = 48;
/// What the slots of a lane are multiplied with before they are divided by its weight.
const SCALE: u64 = 1_000_000;
/// The highest weight of a lane.
const MOST_WEIGHT: u32 = 100;
/// The most lanes with a weight of their own.
const MOST_WEIGHTS: usize = 100;

/// Jobs that share one part of the slots: those of an owner, or of a key that is no owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Lane(u64);

impl Lane {
    /// The lane of an owner's jobs, or else of those of a key. Jobs without both share the default lane.
    pub fn of(owner: Option<&OwnerId>, key: Option<&str>) -> Self {
        match (owner, key) {
            (Some(owner), _) => Self::of_owner(owner),
            (None, Some(key)) => Self::of_key(key),
            (None, None) => Self::default(),
        }
    }

    /// The lane of an owner.
    pub fn of_owner(owner: &OwnerId) -> Self {
        Self::of_text("owner:", owner.as_str())
    }

    /// The lane of a key, which its fingerprint names.
    pub fn of_key(fingerprint: &str) -> Self {
        Self::of_text("key:", fingerprint)
    }

    /// A lane by number, such as a random place from which lanes are read.
    pub fn at(number: u64) -> Self {
        Self(number & ((1 << LANE_BITS) - 1))
    }

    /// Reads [`Self`] as it was displayed.
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self::at)
    }

    /// The lane that uses a slot.
    pub(crate) fn of_slot(slot: &str) -> Self {
        slot.rsplit_once(OF_LANE).and_then(|(_, lane)| Self::parse(lane)).unwrap_or_default()
    }

    /// The key of a slot that this lane uses. Keys of the default lane are as before there were lanes.
    pub(crate) fn mark(self, slot: String) -> String {
        if self == Self::default() { slot } else { format!("{slot}{OF_LANE}{self}") }
    }

    fn of_text(kind: &str, name: &str) -> Self {
        // FNV-1a spreads well and never changes. Two names with one lane would share its part.
        let hash = kind
            .bytes()
            .chain(name.bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self::at(hash ^ (hash >> LANE_BITS))
    }
}

impl From<Lane> for String {
    fn from(lane: Lane) -> Self {
        lane.to_string()
    }
}

impl TryFrom<String> for Lane {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no lane"))
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// The priority of a job among the jobs of its lane, 0 to 9; higher ones start first. It gives a lane no more slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    /// The highest priority.
    pub const MOST: u8 = 9;

    /// A priority; none above [`Self::MOST`].
    pub fn new(value: u8) -> Option<Self> {
        (value <= Self::MOST).then_some(Self(value))
    }

    /// As a number.
    pub fn get(self) -> u8 {
        self.0
    }

    /// Whether it is the one of jobs that name none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

/// A job that waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting<J> {
    /// What names the job.
    pub job: J,
    /// Its lane.
    pub lane: Lane,
    /// Its priority within the lane.
    pub priority: Priority,
    /// Since when it may start.
    pub ready_at: Timestamp,
}

/// The parts of the slots that lanes get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FairShares {
    /// The weights of lanes; 1 for each other lane.
    weights: BTreeMap<Lane, u32>,
    /// The part of all slots that one lane holds at most, in percent.
    most_percent: usize,
}

impl Default for FairShares {
    fn default() -> Self {
        Self { weights: BTreeMap::new(), most_percent: 100 }
    }
}

/// A setting of fair shares is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FairSharesError {
    /// The text of the weights is invalid.
    #[error("weights are at most 100 entries such as `owner:acme=4,key:1f2e=2`, with weights from 1 to 100, not `{0}`")]
    Weights(String),
    /// The percentage is out of its bounds.
    #[error("a lane may hold 1 to 100 percent of the slots, not {0}")]
    Percent(usize),
}

/// Jobs in the order in which they get slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns<J> {
    /// The jobs.
    pub jobs: Vec<J>,
    /// How many of them come before every job of a lane that was not looked at: all that are on one level with the first.
    pub certain: usize,
    /// The jobs behind the parts of lanes that have room: each may start instead of one in `jobs` that can't.
    pub spare: Vec<J>,
}

/// The waiting jobs of one lane.
struct Line<J> {
    lane: Lane,
    held: usize,
    jobs: VecDeque<Waiting<J>>,
}

impl FairShares {
    /// Parses weights such as `owner:acme=4,key:1f2e=2`, and the part that one lane holds at most, in percent.
    ///
    /// # Errors
    /// [`FairSharesError`] says what would be right.
    pub fn parse(weights: &str, most_percent: usize) -> Result<Self, FairSharesError> {
        let bad = || FairSharesError::Weights(weights.to_owned());
        let mut parsed = BTreeMap::new();
        for entry in weights.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, weight) = entry.rsplit_once('=').ok_or_else(bad)?;
            let lane = match name.trim().split_once(':') {
                Some(("owner", owner)) => Lane::of_owner(&OwnerId::parse(owner).ok_or_else(bad)?),
                Some(("key", key)) if !key.is_empty() => Lane::of_key(key),
                Some(_) | None => return Err(bad()),
            };
            let weight =
                weight.trim().parse().ok().filter(|weight| (1..=MOST_WEIGHT).contains(weight)).ok_or_else(bad)?;
            parsed.insert(lane, weight);
        }
        if parsed.len() > MOST_WEIGHTS {
            return Err(bad());
        }
        if !(1..=100).contains(&most_percent) {
            return Err(FairSharesError::Percent(most_percent));
        }
        Ok(Self { weights: parsed, most_percent })
    }

    /// The slots that one lane holds at most, of `max`: at least one.
    pub fn most(&self, max: usize) -> usize {
        (max * self.most_percent).div_ceil(100).max(1)
    }

    /// The level of a lane with one more slot than it holds: the lane with the lowest one is next.
    fn level(&self, lane: Lane, held: usize) -> u64 {
        let weight = self.weights.get(&lane).copied().unwrap_or(1);
        u64::try_from(held + 1).unwrap_or(u64::MAX).saturating_mul(SCALE) / u64::from(weight)
    }

    /// Orders waiting jobs by their turns, of lanes that hold these slots of `max`. With a random `draw`, jobs that are at
    /// most [`SPREAD`] apart change places within their lane, so that claims of several launchers seldom meet.
    pub fn turns<J>(
        &self,
        waiting: Vec<Waiting<J>>,
        held: &BTreeMap<Lane, usize>,
        max: usize,
        draw: Option<u64>,
    ) -> Turns<J> {
        let most = self.most(max);
        let mut lines = lines(waiting, held, draw);
        lines.retain(|line| line.held < most);
        let mut turns = Turns { jobs: Vec::new(), certain: 0, spare: Vec::new() };
        let mut lowest = None;
        loop {
            let next = lines
                .iter_mut()
                .filter(|line| line.held < most && !line.jobs.is_empty())
                .min_by_key(|line| (self.level(line.lane, line.held), line.jobs[0].ready_at, line.lane));
            let Some(line) = next else { break };
            let level = self.level(line.lane, line.held);
            line.held += 1;
            turns.jobs.extend(line.jobs.pop_front().map(|waiting| waiting.job));
            if *lowest.get_or_insert(level) == level {
                turns.certain = turns.jobs.len();
            }
        }
        turns.spare = lines.into_iter().flat_map(|line| line.jobs).map(|waiting| waiting.job).collect();
        turns
    }
}

/// The waiting jobs by lane: higher priorities first, then the older ones.
fn lines<J>(waiting: Vec<Waiting<J>>, held: &BTreeMap<Lane, usize>, draw: Option<u64>) -> Vec<Line<J>> {
    let mut by_lane: BTreeMap<Lane, Vec<Waiting<J>>> = BTreeMap::new();
    for job in waiting {
        by_lane.entry(job.lane).or_default().push(job);
    }
    let line = |(lane, mut jobs): (Lane, Vec<Waiting<J>>)| {
        jobs.sort_by_key(|job| (std::cmp::Reverse(job.priority), job.ready_at));
        if let (Some(draw), Some(first)) = (draw, jobs.first()) {
            let (priority, last) = (first.priority, first.ready_at.after(SPREAD));
            let near = jobs.partition_point(|job| job.priority == priority && job.ready_at <= last);
            let by = usize::try_from((draw ^ lane.0) % near as u64).unwrap_or_default();
            jobs[..near].rotate_left(by);
        }
        Line { lane, held: held.get(&lane).copied().unwrap_or_default(), jobs: jobs.into() }
    };
    by_lane.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(job: u32, lane: u64, priority: u8, ready_ms: i64) -> Waiting<u32> {
        let priority = Priority::new(priority).expect("a priority");
        Waiting { job, lane: Lane::at(lane), priority, ready_at: Timestamp(ready_ms) }
    }

    fn held(slots: &[(u64, usize)]) -> BTreeMap<Lane, usize> {
        slots.iter().map(|(lane, held)| (Lane::at(*lane), *held)).collect()
    }

    #[test]
    fn one_lane_is_first_in_first_out() {
        let jobs = (0..5).map(|n| waiting(n, 1, 5, 100 - i64::from(n))).collect();
        let turns = FairShares::default().turns(jobs, &held(&[(1, 7)]), 10, None);
        assert_eq!((turns.jobs, turns.certain), (vec![4, 3, 2], 1), "a lane holds no more than there are slots");
    }

    #[test]
    fn the_lane_with_the_fewest_slots_is_next() {
        let jobs = vec![waiting(1, 1, 5, 0), waiting(2, 1, 5, 1), waiting(3, 2, 5, 50), waiting(4, 3, 5, 60)];
        let turns = FairShares::default().turns(jobs, &held(&[(1, 4)]), 10, None);
        assert_eq!((turns.jobs, turns.certain), (vec![3, 4, 1, 2], 2));
    }

    #[test]
    fn slots_are_in_proportion_to_weights() {
        let shares = FairShares { weights: [(Lane::at(1), 3)].into(), most_percent: 100 };
        let jobs = (0..8).map(|n| waiting(n, u64::from(n % 2) + 1, 5, i64::from(n))).collect();
        let turns = shares.turns(jobs, &held(&[]), 100, None);
        assert_eq!(
            turns.jobs,
            [0, 2, 1, 4, 6, 3, 5, 7],
            "three of lane 1 for one of lane 2, the older one first on one level"
        );
    }

    #[test]
    fn priority_counts_within_a_lane_only() {
        let jobs = vec![waiting(1, 1, 5, 0), waiting(2, 1, 9, 10), waiting(3, 2, 0, 20), waiting(4, 1, 9, 5)];
        let turns = FairShares::default().turns(jobs, &held(&[(1, 1)]), 10, None);
        assert_eq!(turns.jobs, [3, 4, 2, 1]);
    }

    #[test]
    fn a_lane_holds_at_most_its_part() {
        let shares = FairShares::parse("", 30).expect("shares");
        assert_eq!([1, 3, 10].map(|max| shares.most(max)), [1, 1, 3]);
        let jobs: Vec<Waiting<u32>> = (0..5).map(|n| waiting(n, 1, 5, 0)).collect();
        let turns = shares.turns(jobs.clone(), &held(&[(1, 1)]), 10, None);
        assert_eq!((turns.jobs.len(), turns.spare), (2, vec![2, 3, 4]), "others may start instead of these");
        let full = shares.turns(jobs, &held(&[(1, 3)]), 10, None);
        assert!(full.jobs.is_empty() && full.spare.is_empty(), "it has no room");
    }

    #[test]
    fn a_draw_lets_no_job_pass_one_that_is_more_than_the_spread_older() {
        let spread = i64::try_from(SPREAD.as_millis()).expect("milliseconds");
        for draw in 0..50 {
            let jobs = vec![waiting(1, 1, 5, 0), waiting(2, 1, 5, spread), waiting(3, 1, 5, spread + 1)];
            let turns = FairShares::default().turns(jobs, &held(&[]), 10, Some(draw));
            assert_eq!(turns.jobs[2], 3, "{draw}");
        }
        let firsts: Vec<u32> = (0..2)
            .map(|draw| {
                let jobs = vec![waiting(1, 1, 5, 0), waiting(2, 1, 5, 1)];
                FairShares::default().turns(jobs, &held(&[]), 10, Some(draw)).jobs[0]
            })
            .collect();
        assert_ne!(firsts[0], firsts[1]);
    }

    /// In virtual time: a lane with 10,000 waiting jobs holds every slot when 50 lanes with one job each arrive.
    #[test]
    fn ten_thousand_jobs_of_one_owner_delay_fifty_owners_by_two_service_times_at_most() {
        for max in [25, 50, 200] {
            let (service, shares) = (1000_i64, FairShares::default());
            let mut jobs: Vec<Waiting<u32>> = (0..10_000).map(|n| waiting(n, 1, 5, 0)).collect();
            let arrival = service / 2;
            jobs.extend((0..50).map(|n| waiting(20_000 + n, u64::from(n) + 2, 5, arrival)));
            // Slots that were taken one after the other end one after the other.
            let slots = i64::try_from(max).expect("a number of slots");
            let mut running: Vec<(i64, Lane)> =
                (1..=slots).map(|n| (arrival + n * service / slots, Lane::at(1))).collect();
            let (mut waits, mut now) = (Vec::new(), arrival);
            while waits.len() < 50 {
                running.retain(|(end, _)| *end > now);
                let held = running.iter().fold(BTreeMap::new(), |mut held, (_, lane)| {
                    *held.entry(*lane).or_default() += 1;
                    held
                });
                assert!(held.values().sum::<usize>() <= max);
                let free = max - running.len();
                for job in shares.turns(jobs.clone(), &held, max, None).jobs.into_iter().take(free) {
                    let place = jobs.iter().position(|waiting| waiting.job == job).expect("it waits");
                    let started = jobs.swap_remove(place);
                    running.push((now + service, started.lane));
                    if job >= 20_000 {
                        waits.push(now - arrival);
                    }
                }
                now = running.iter().map(|(end, _)| *end).min().expect("something runs");
            }
            waits.sort_unstable();
            assert!(waits[47] <= 2 * service, "{max} slots: the 95th percentile is {} ms", waits[47]);
        }
    }

    #[test]
    fn settings_outside_of_their_bounds_are_refused() {
        let shares = FairShares::parse("owner:acme=4, key:1f2e=2", 100).expect("shares");
        let acme = Lane::of_owner(&OwnerId::parse("acme").expect("an owner"));
        assert_eq!(shares.weights, [(acme, 4), (Lane::of_key("1f2e"), 2)].into());
        for bad in ["acme=4", "owner:acme", "owner:acme=0", "owner:acme=101", "key:=2", "team:a=1"] {
            assert_eq!(FairShares::parse(bad, 100), Err(FairSharesError::Weights(bad.to_owned())));
        }
        assert_eq!(FairShares::parse("", 0), Err(FairSharesError::Percent(0)));
        assert_eq!(Priority::new(10), None);
    }

    #[test]
    fn a_lane_is_read_as_it_is_shown() {
        let lane = Lane::of_key("caller");
        assert_eq!(Lane::parse(&lane.to_string()), Some(lane));
        assert_ne!(lane, Lane::of_key("caller2"));
        assert_ne!(Lane::default(), Lane::of_key(""));
    }
}

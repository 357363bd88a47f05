//! The runs that docs/scale.md shows.

use crate::agenda::{MILLISECOND, Micros, SECOND};
use crate::design::{Claims, Design};
use crate::fairness::Fairness;
use crate::limits::{Limit, Limits};
use crate::load::{Arrivals, Faults, Load};
use crate::outcome::{Outcome, percentile_of};
use crate::world::World;
use crate::world::ledger::Violation;

/// The largest MaxWorkers.
const MOST_SLOTS: u32 = 1_000;
/// How long a run takes.
pub const RUN_TIME: Micros = 60 * SECOND;

/// A ceiling of version 0.2, alone: all other limits are lifted.
pub struct Ceiling {
    /// The limits that hold; the first one is the ceiling.
    pub limits: &'static [Limit],
    /// Jobs a second as they follow from the code, without a simulation.
    pub expected: (f64, f64),
    /// Jobs that are submitted a second: more than the ceiling.
    pub submitted: f64,
    /// How long a run takes, in seconds: the admission item grows with the runs under way, and so do a submission's reads.
    pub run_time: u64,
}

const fn ceiling(limits: &'static [Limit], expected: (f64, f64), submitted: f64, run_time: u64) -> Ceiling {
    Ceiling { limits, expected, submitted, run_time }
}

/// The ceilings, the lowest first.
pub const CEILINGS: [Ceiling; 10] = [
    ceiling(&[Limit::Launcher], (31.0, 39.0), 50.0, 2),
    ceiling(&[Limit::Admission], (38.0, 62.0), 80.0, 2),
    ceiling(&[Limit::Api], (50.0, 60.0), 58.0, 2),
    ceiling(&[Limit::EndedConflicts, Limit::EndedCounts], (50.0, 70.0), 100.0, 2),
    ceiling(&[Limit::ActiveIndex], (100.0, 130.0), 160.0, 2),
    ceiling(&[Limit::LogIndex], (185.0, 210.0), 260.0, 2),
    ceiling(&[Limit::SubmitReads], (225.0, 260.0), 320.0, 8),
    ceiling(&[Limit::EndedCounts], (470.0, 520.0), 650.0, 2),
    ceiling(&[Limit::StatusIndex], (470.0, 520.0), 650.0, 2),
    ceiling(&[Limit::DeliveryIndex], (940.0, 1_040.0), 1_300.0, 2),
];

impl Ceiling {
    /// Submits more jobs than the ceiling, of short runs.
    ///
    /// # Errors
    /// A rule that was broken.
    pub fn measure(&self, seed: u64) -> Result<Outcome, Violation> {
        let load = Load {
            limits: Limits::only(self.limits),
            warm_up: 30 * SECOND,
            measured: 20 * SECOND,
            drain: 0,
            seed,
            ..Load::steady(self.submitted, self.run_time * SECOND)
        };
        World::new(Design::before(), load, Fairness::ByTime).run()
    }

    /// Whether a measured number of jobs a second is the expected one.
    pub fn is_met(&self, throughput: f64) -> bool {
        (self.expected.0..=self.expected.1).contains(&throughput)
    }
}

/// How much is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Full,
    /// Few jobs of short runs.
    Quick,
}

impl Extent {
    /// The rates of submissions, in jobs a second.
    pub fn rates(self) -> &'static [f64] {
        match self {
            Self::Full => &[10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 3_000.0, 5_000.0],
            Self::Quick => &[10.0, 100.0],
        }
    }

    /// The designs that are compared.
    pub fn designs(self) -> Vec<Design> {
        match self {
            Self::Full => [Design::before()].into_iter().chain([1, 4, 16].map(Design::as_built)).collect(),
            Self::Quick => vec![Design::before(), Design::as_built(4)],
        }
    }

    fn load(self, rate: f64) -> Load {
        match self {
            Self::Full => Load::steady(rate, RUN_TIME),
            Self::Quick => Load { measured: 10 * SECOND, ..Load::steady(rate, 5 * SECOND) },
        }
    }
}

/// One rate of a design.
pub struct Point {
    /// Jobs that are submitted a second.
    pub rate: f64,
    /// What was measured.
    pub outcome: Outcome,
}

/// A design at all rates, up to the second one that it does not keep up with.
pub struct Curve {
    /// The design.
    pub design: Design,
    /// The rates.
    pub points: Vec<Point>,
}

impl Curve {
    /// Measures a design.
    ///
    /// # Errors
    /// A rule that was broken.
    pub fn measure(design: Design, extent: Extent, seed: u64) -> Result<Self, Violation> {
        let mut points: Vec<Point> = Vec::new();
        for &rate in extent.rates() {
            let mut load = Load { seed, ..extent.load(rate) };
            if design.claims == Claims::OneByOne {
                load.max_workers = load.max_workers.min(MOST_SLOTS);
            }
            let outcome = World::new(design, load, Fairness::ByTime).run()?;
            let is_behind = |point: &Point| !point.outcome.keeps_up(point.rate);
            let ends = points.last().is_some_and(is_behind) && !outcome.keeps_up(rate);
            points.push(Point { rate, outcome });
            if ends {
                break;
            }
        }
        Ok(Self { design, points })
    }

    /// The most runs that started a second.
    pub fn most(&self) -> f64 {
        self.points.iter().map(|point| point.outcome.throughput).fold(0.0, f64::max)
    }
}

/// What stops a design, with the limits lifted that stop it before.
pub struct Ladder {
    /// The design.
    pub design: Design,
    /// Jobs that are submitted a second.
    pub rate: f64,
    /// The limit that was lifted last, and what was measured then.
    pub rungs: Vec<(Option<Limit>, Outcome)>,
}

impl Ladder {
    /// Measures a design at a rate, and lifts the limit that stops it most, until it keeps up.
    ///
    /// # Errors
    /// A rule that was broken.
    pub fn measure(design: Design, extent: Extent, seed: u64) -> Result<Self, Violation> {
        let rate = if extent == Extent::Full { 4_000.0 } else { 100.0 };
        let (mut limits, mut rungs, mut lifted) = (Limits::all(), Vec::new(), None);
        loop {
            let outcome = World::new(design, Load { limits, seed, ..extent.load(rate) }, Fairness::ByTime).run()?;
            let bound = outcome.bound(rate);
            rungs.push((lifted, outcome));
            let Some(limit) = bound else { return Ok(Self { design, rate, rungs }) };
            (limits, lifted) = (limits.without(limit), bound);
        }
    }
}

/// How long owners with one job each wait behind one with many.
pub struct Shares {
    /// Jobs of the first owner, and the other owners.
    pub owners: (u32, u32),
    /// Slots, and how long a run takes.
    pub slots: (u32, Micros),
    /// The 95th percentile of the others' waits, first come, first served.
    pub by_time: Option<Micros>,
    /// The same with ranks by owner.
    pub by_owner: Option<Micros>,
}

impl Shares {
    /// Measures both.
    ///
    /// # Errors
    /// A rule that was broken.
    pub fn measure(seed: u64) -> Result<Self, Violation> {
        let (owners, slots) = ((10_000, 50), (100, RUN_TIME));
        let load = Load {
            arrivals: Arrivals::Backlog { jobs: owners.0, others: owners.1 },
            max_workers: slots.0,
            warm_up: 0,
            measured: 300 * SECOND,
            drain: 0,
            seed,
            ..Load::steady(1.0, slots.1)
        };
        let p95 = |fairness| {
            let outcome = World::new(Design::as_built(1), load, fairness).run()?;
            Ok(percentile_of(&outcome.waits_of_others, 95).filter(|wait| *wait < Micros::MAX))
        };
        Ok(Self { owners, slots, by_time: p95(Fairness::ByTime)?, by_owner: p95(Fairness::by_owner())? })
    }

    /// Whether the others wait at most two service times.
    pub fn is_fair(&self) -> bool {
        self.by_owner.is_some_and(|wait| wait <= 2 * self.slots.1)
    }
}

/// A run in which functions are killed, records and messages are repeated, and shards of the stream are closed, until every
/// job has ended.
///
/// # Errors
/// A rule that was broken.
pub fn with_faults(design: Design, rate: f64, extent: Extent, seed: u64) -> Result<(f64, Outcome), Violation> {
    let rate = if extent == Extent::Full { rate } else { rate / 20.0 };
    let load = Load { seed, faults: Faults::some(), drain: 1_500 * SECOND, ..extent.load(rate) };
    Ok((rate, World::new(design, load, Fairness::ByTime).run()?))
}

/// Seconds with two digits.
pub fn seconds(micros: Micros) -> f64 {
    (micros / MILLISECOND) as f64 / 1_000.0
}

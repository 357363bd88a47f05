//! Work that is cut into pieces: renderers claim them under leases, send heartbeats, and report results (ADR 21).
//!
//! The work of a piece is its task `T`, which these rules do not read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Timestamp;

/// Leases end at multiples of this part of them, so that not each heartbeat moves the time at which the work is due.
const LEASE_STEPS: u32 = 3;
/// Failures of one piece (expired leases or errors of renderers) after which its run fails.
pub const MAX_CRASHES: u32 = 3;
/// How long a piece waits after its renderer failed.
const CRASH_WAIT: Duration = Duration::from_secs(30);
/// Hints that replace lost ones at most, at once.
const REPEATED_HINTS: usize = 100;
/// The due sweep runs this often; a lease that ends before its next run gets a hint of its own.
const SWEEP: Duration = Duration::from_secs(60);
/// Open pieces without a claim get new hints at least this often.
const MAX_HINT_WAIT: Duration = Duration::from_secs(15 * 60);

/// The times that pieces keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PiecePolicy {
    /// How long a renderer may send no heartbeat before its piece is open again.
    pub lease: Duration,
    /// How much later than its hint a waiting piece is due for the due sweep.
    pub hint_grace: Duration,
    /// Percentage of the wait after a renderer failed.
    pub retry_delay_percent: u32,
}

/// A claim on a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceClaim {
    /// Numbers of claims rise within a run, since a piece may be claimed again.
    pub number: u32,
    /// After this the piece is open again.
    pub lease_until: Timestamp,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<T> {
    /// What it is about.
    pub task: T,
    /// Units of work in it, such as frames.
    pub size: u32,
    /// Units that are done.
    pub units: u32,
    /// Whether it is done.
    pub done: bool,
    /// The claim of the renderer that works on it.
    pub claim: Option<PieceClaim>,
    /// Not to be claimed before this.
    pub ready_at: Option<Timestamp>,
    /// Claims that failed: their leases expired, or their renderers reported an error.
    pub crashes: u32,
}

impl<T> Piece<T> {
    /// An open piece of so many units.
    pub fn new(task: T, size: u32) -> Self {
        Self { task, size, units: 0, done: false, claim: None, ready_at: None, crashes: 0 }
    }

    /// Whether it waits for a renderer.
    pub fn is_open(&self) -> bool {
        !self.done && self.claim.is_none()
    }

    /// Whether the lease of its claim has expired.
    pub fn is_lost(&self, now: Timestamp) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.lease_until <= now)
    }
}

/// The pieces of one stage of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces<T> {
    /// In order.
    pub list: Vec<Piece<T>>,
    /// Claims ever made in the run.
    pub claims: u32,
    /// When a piece was last claimed, opened or finished.
    pub moved_at: Timestamp,
    /// When the due sweep sends hints again if pieces are still open.
    pub hint_at: Timestamp,
    /// When viewers last saw the progress.
    pub shown_at: Timestamp,
}

/// The state of a piece after its renderer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is open again after this time.
    Retried(Duration),
    /// It failed too often, or a retry would fail again.
    Exhausted,
}

/// What the due sweep found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swept {
    /// The piece at this index has lost too many leases.
    Exhausted(usize),
    /// Leases expired; these hints, each with its delay, start other renderers.
    Lost {
        /// The number of expired leases.
        count: u32,
        /// Hints and their delays.
        hints: Vec<(u32, Duration)>,
    },
    /// Open pieces need so many new hints.
    Hint(u32),
    /// Nothing is due.
    NotDue,
}

impl<T> Pieces<T> {
    /// Open pieces of a new run.
    pub fn new(list: Vec<Piece<T>>, now: Timestamp, policy: &PiecePolicy) -> Self {
        let mut pieces = Self { list, claims: 0, moved_at: now, hint_at: now, shown_at: now };
        pieces.moved(now, policy);
        pieces
    }

    /// Replaces the pieces by those of the next stage.
    pub fn begin_stage(&mut self, list: Vec<Piece<T>>, now: Timestamp, policy: &PiecePolicy) {
        self.list = list;
        self.moved(now, policy);
    }

    fn moved(&mut self, now: Timestamp, policy: &PiecePolicy) {
        self.moved_at = now;
        self.hint_at = now.after(policy.hint_grace);
    }

    /// Claims the first piece that is open, or whose lease has expired before the due sweep has opened it
    /// again. A piece that has lost too many leases is left to the sweep. Returns whether a lease had expired; none if
    /// no piece can be claimed.
    pub fn claim(&mut self, now: Timestamp, policy: &PiecePolicy) -> Option<bool> {
        let claimable = |piece: &&mut Piece<T>| match piece.is_lost(now) {
            true => piece.crashes + 1 < MAX_CRASHES,
            false => piece.is_open() && piece.ready_at.is_none_or(|at| at <= now),
        };
        let number = self.claims + 1;
        let piece = self.list.iter_mut().find(claimable)?;
        let taken_over = piece.is_lost(now);
        if taken_over {
            piece.crashes += 1;
        }
        piece.claim = Some(PieceClaim { number, lease_until: lease(now, policy) });
        piece.ready_at = None;
        self.claims = number;
        self.moved(now, policy);
        Some(taken_over)
    }

    /// The index of the piece that a claim holds.
    pub fn claimed(&self, number: u32) -> Option<usize> {
        self.list.iter().position(|piece| piece.claim.as_ref().is_some_and(|claim| claim.number == number))
    }

    /// A heartbeat: extends the lease of the piece at `index`, of which so many units are done.
    pub fn heartbeat(&mut self, index: usize, units: u32, now: Timestamp, policy: &PiecePolicy) {
        let piece = &mut self.list[index];
        piece.units = piece.units.max(units);
        if let Some(claim) = &mut piece.claim {
            claim.lease_until = lease(now, policy);
        }
    }

    /// Opens the piece at `index` again after `wait`: an outside service works on it.
    pub fn defer(&mut self, index: usize, units: u32, wait: Duration, now: Timestamp, policy: &PiecePolicy) {
        let piece = &mut self.list[index];
        piece.claim = None;
        piece.ready_at = Some(now.after(wait));
        piece.units = piece.units.max(units);
        self.moved_at = now;
        self.hint_at = now.after(wait + policy.hint_grace);
    }

    /// The piece at `index` is done.
    pub fn finish(&mut self, index: usize, now: Timestamp, policy: &PiecePolicy) {
        let piece = &mut self.list[index];
        piece.claim = None;
        piece.done = true;
        piece.units = piece.size;
        self.moved(now, policy);
    }

    /// The renderer of the piece at `index` failed: the piece is open again after a wait, unless a retry is useless
    /// or it failed too often.
    pub fn fail(&mut self, index: usize, can_improve: bool, now: Timestamp, policy: &PiecePolicy) -> AfterFailure {
        let wait = CRASH_WAIT * policy.retry_delay_percent / 100;
        let piece = &mut self.list[index];
        piece.crashes += 1;
        if !can_improve || piece.crashes >= MAX_CRASHES {
            return AfterFailure::Exhausted;
        }
        piece.claim = None;
        piece.ready_at = Some(now.after(wait));
        self.moved_at = now;
        self.hint_at = now.after(wait + policy.hint_grace);
        AfterFailure::Retried(wait)
    }

    /// Whether every piece is done.
    pub fn all_done(&self) -> bool {
        self.list.iter().all(|piece| piece.done)
    }

    /// Units that are done.
    pub fn units(&self) -> u32 {
        self.list.iter().map(|piece| piece.units).sum()
    }

    /// What the due sweep does: pieces whose leases expired are open again, and open pieces get new hints.
    pub fn sweep(&mut self, now: Timestamp, policy: &PiecePolicy) -> Swept {
        let (mut lost, mut exhausted) = (0, None);
        for (index, piece) in self.list.iter_mut().enumerate().filter(|(_, piece)| piece.is_lost(now)) {
            piece.claim = None;
            piece.crashes += 1;
            lost += 1;
            if piece.crashes >= MAX_CRASHES {
                exhausted = Some(index);
            }
        }
        if let Some(index) = exhausted {
            return Swept::Exhausted(index);
        }
        if lost > 0 {
            self.moved(now, policy);
            let mut hints = vec![(lost, Duration::ZERO)];
            hints.extend(self.leases_that_end_soon(now));
            return Swept::Lost { count: lost, hints };
        }
        if self.hint_at > now {
            return Swept::NotDue;
        }
        let open = self.list.iter().filter(|piece| piece.is_open()).count().clamp(1, REPEATED_HINTS);
        let grace = policy.hint_grace;
        self.hint_at = now.after(now.since(self.moved_at).clamp(grace, MAX_HINT_WAIT.max(grace)));
        Swept::Hint(u32::try_from(open).unwrap_or(1))
    }

    /// Renderers often fail together: a hint is sent for the end of each other lease too, and not only with
    /// the next sweep. A running renderer has extended its lease by then, and the hint finds nothing to do.
    fn leases_that_end_soon(&self, now: Timestamp) -> impl Iterator<Item = (u32, Duration)> {
        let next_sweep = now.after(SWEEP);
        let mut ends: BTreeMap<Timestamp, u32> = BTreeMap::new();
        let claims = self.list.iter().filter_map(|piece| piece.claim.as_ref());
        for claim in claims.filter(|claim| claim.lease_until <= next_sweep) {
            *ends.entry(claim.lease_until).or_default() += 1;
        }
        ends.into_iter().map(move |(end, hints)| (hints, end.wait_from(now)))
    }

    /// The time by which something has to happen; none if nothing is left to do.
    pub fn due_at(&self) -> Option<Timestamp> {
        let leases = self.list.iter().filter_map(|piece| piece.claim.as_ref()).map(|claim| claim.lease_until);
        let open = self.list.iter().any(Piece::is_open).then_some(self.hint_at);
        leases.min().into_iter().chain(open).min()
    }
}

/// When a lease that begins now ends.
fn lease(now: Timestamp, policy: &PiecePolicy) -> Timestamp {
    now.after(policy.lease).round_up(policy.lease / LEASE_STEPS)
}

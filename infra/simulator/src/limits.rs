//! The limits of a stack, each of which can be lifted to see the others alone.

/// What limits the number of jobs a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Limit {
    /// Invocations of the launcher at the same time.
    Launcher,
    /// The admission item or rows: their conflicts and their write units.
    Admission,
    /// Reads of the admission item or rows.
    AdmissionReads,
    /// The throttle of the API.
    Api,
    /// The index of active jobs.
    ActiveIndex,
    /// The index of log rows by day.
    LogIndex,
    /// Reads of a submission.
    SubmitReads,
    /// The write units of the row that counts ended jobs.
    EndedCounts,
    /// Conflicts of transactions on that row.
    EndedConflicts,
    /// The index of jobs by status.
    StatusIndex,
    /// The index of deliveries by day.
    DeliveryIndex,
    /// MaxWorkers.
    Slots,
    /// The partitions of the tables.
    Tables,
    /// Lambda's concurrent executions, and how fast they grow.
    Functions,
    /// How fast the pollers of a queue grow.
    Pollers,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Self; 15] = [
        Self::Launcher,
        Self::Admission,
        Self::AdmissionReads,
        Self::Api,
        Self::ActiveIndex,
        Self::LogIndex,
        Self::SubmitReads,
        Self::EndedCounts,
        Self::EndedConflicts,
        Self::StatusIndex,
        Self::DeliveryIndex,
        Self::Slots,
        Self::Tables,
        Self::Functions,
        Self::Pollers,
    ];

    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Launcher => "the launcher's loop",
            Self::Admission => "the admission item",
            Self::AdmissionReads => "reads of the admission item",
            Self::Api => "the API's throttle",
            Self::ActiveIndex => "the index by-active",
            Self::LogIndex => "the index of log rows by day",
            Self::SubmitReads => "reads of submissions",
            Self::EndedCounts => "the row that counts ended jobs",
            Self::EndedConflicts => "conflicts on the row that counts ended jobs",
            Self::StatusIndex => "the index by-status",
            Self::DeliveryIndex => "the index of deliveries by day",
            Self::Slots => "MaxWorkers",
            Self::Tables => "partitions of the table",
            Self::Functions => "Lambda's concurrency",
            Self::Pollers => "pollers of the queue",
        }
    }
}

/// The limits that hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits(u16);

impl Limits {
    /// All of them.
    pub fn all() -> Self {
        Self::only(&Limit::ALL)
    }

    /// Only these.
    pub fn only(limits: &[Limit]) -> Self {
        Self(limits.iter().fold(0, |held, limit| held | 1 << *limit as u16))
    }

    /// The same without one.
    #[must_use]
    pub fn without(self, limit: Limit) -> Self {
        Self(self.0 & !(1 << limit as u16))
    }

    /// Whether this one holds.
    pub fn hold(self, limit: Limit) -> bool {
        self.0 & 1 << limit as u16 != 0
    }
}

/// How often each limit stopped something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stops([u64; Limit::ALL.len()]);

impl Stops {
    /// Counts one.
    pub fn add(&mut self, limit: Limit) {
        self.0[limit as usize] += 1;
    }

    /// How often this one did.
    pub fn of(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// The limit that did so most often, if any did.
    pub fn most(&self) -> Option<Limit> {
        let most = Limit::ALL.into_iter().max_by_key(|limit| self.of(*limit));
        most.filter(|limit| self.of(*limit) > 0)
    }
}

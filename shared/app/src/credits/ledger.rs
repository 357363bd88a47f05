//! The port of the ledger. Each step is one conditional transaction, and repeating it changes nothing.

use async_trait::async_trait;
use reelhook_domain::Timestamp;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};
use reelhook_domain::credits::price::Basis;

use crate::store::StoreError;

/// Credits that a new attempt of a job reserves, in the transaction that saves the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The account.
    pub account: Account,
    /// Its id: `<job>.<attempt>`.
    pub id: String,
    /// The credits.
    pub credits: u64,
    /// The credits that it has so far, if it is raised; none for a new one.
    pub held: Option<u64>,
    /// Whether the account must have them (the setting CREDITS).
    pub limited: bool,
}

impl Reservation {
    /// The credits that it adds to what the account has reserved.
    pub fn added(&self) -> u64 {
        self.credits.saturating_sub(self.held.unwrap_or(0))
    }
}

/// The end of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The account.
    pub account: Account,
    /// The reservation's id.
    pub reservation: String,
    /// What is charged; none releases the reservation.
    pub charge: Option<Charge>,
    /// When the attempt ended.
    pub at: Timestamp,
}

/// What an attempt is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The credits.
    pub credits: u64,
    /// What the charge is based on.
    pub basis: Basis,
    /// The job, as clients know its id.
    pub job: String,
    /// A sentence for people.
    pub description: String,
}

/// Credits that an operator adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The account.
    pub account: Account,
    /// The entry's id, which follows from the request: a repeat adds nothing.
    pub id: String,
    /// Purchase, bonus or refund.
    pub kind: EntryKind,
    /// The credits.
    pub credits: u64,
    /// A sentence for people.
    pub description: String,
    /// When it happened.
    pub at: Timestamp,
}

/// Where a page of entries begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStart<'a> {
    /// At the newest entry that this version of the balance contains.
    AsOf(u64),
    /// After the page with this cursor.
    After(&'a str),
}

/// One page of the entries of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryPage {
    /// The entries, the newest first.
    pub entries: Vec<Entry>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// The ledger.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The balance of an account; an empty one if it has no entries.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn balance(&self, account: &Account) -> Result<Balance, StoreError>;

    /// A page of at most `limit` entries, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn entries(&self, account: &Account, from: PageStart<'_>, limit: usize) -> Result<EntryPage, StoreError>;

    /// Adds credits once, and returns the entry: the stored one if this is a repeat.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn add(&self, addition: &Addition) -> Result<Entry, StoreError>;

    /// Ends a reservation once; nothing happens if it has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn settle(&self, settlement: &Settlement) -> Result<(), StoreError>;
}

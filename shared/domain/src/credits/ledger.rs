//! The ledger of an account: a balance, entries whose sum it is, and reservations. Each step is idempotent by its id.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::Timestamp;
use crate::credits::price::Basis;

/// The type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum EntryKind {
    /// Clips were paid for: the amount is negative.
    Usage,
    /// Credits were bought.
    Purchase,
    /// Credits were given.
    Bonus,
    /// Credits were given back.
    Refund,
}

impl EntryKind {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// An entry of a ledger; it is never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id, which follows from the job and the attempt, or from the request that added credits.
    pub id: String,
    /// Its type.
    pub kind: EntryKind,
    /// The change of the balance.
    pub amount: i64,
    /// The balance after it.
    pub balance_after: i64,
    /// A sentence for people.
    pub description: String,
    /// The job that it is about, as clients know its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// What a charge is based on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// When it was made.
    pub at: Timestamp,
}

/// The balance of an account. Its entries add up to `balance`, and its open reservations to `reserved`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// Rises by one with each change.
    pub version: u64,
    /// Earned less spent. Below 0 where the source of a worker turned out to be longer than was known, or without a limit.
    pub balance: i64,
    /// Credits of open reservations.
    pub reserved: u64,
    /// All that was ever added.
    pub earned: u64,
    /// All that was ever charged.
    pub spent: u64,
}

impl Balance {
    /// What a new job may reserve.
    pub fn available(&self) -> i64 {
        self.balance.saturating_sub(i64::try_from(self.reserved).unwrap_or(i64::MAX))
    }

    /// After a reservation; none if `limited` and it exceeds what is available.
    pub fn reserve(&self, credits: u64, limited: bool) -> Option<Self> {
        let fits = i64::try_from(credits).is_ok_and(|credits| credits <= self.available());
        let reserved = self.reserved.checked_add(credits)?;
        (fits || !limited).then_some(Self { version: self.version + 1, reserved, ..*self })
    }

    /// After the reservation of `reserved` ended with a charge of `charged`; a charge of 0 releases it.
    pub fn settle(&self, reserved: u64, charged: u64) -> Self {
        let amount = i64::try_from(charged).unwrap_or(i64::MAX);
        Self {
            version: self.version + 1,
            balance: self.balance.saturating_sub(amount),
            reserved: self.reserved.saturating_sub(reserved),
            earned: self.earned,
            spent: self.spent.saturating_add(charged),
        }
    }

    /// After credits were added.
    pub fn add(&self, credits: u64) -> Self {
        let amount = i64::try_from(credits).unwrap_or(i64::MAX);
        Self {
            version: self.version + 1,
            balance: self.balance.saturating_add(amount),
            earned: self.earned.saturating_add(credits),
            ..*self
        }
    }
}

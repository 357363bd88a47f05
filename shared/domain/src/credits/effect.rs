//! Effects on the ledger.

use serde::{Deserialize, Serialize};

use crate::credits::price::Basis;

/// An effect on the ledger of the account that a job belongs to. It ends the reservation of one attempt, once: a repeat
/// finds no reservation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum CreditEffect {
    /// Charge credits for an attempt, and end its reservation.
    #[serde(rename = "settle_credits.v1")]
    Settle {
        /// The id of the reservation.
        reservation: String,
        /// The charge.
        credits: u64,
        /// What it is based on.
        basis: Basis,
    },
    /// End the reservation of an attempt without a charge.
    #[serde(rename = "release_credits.v1")]
    Release {
        /// The id of the reservation.
        reservation: String,
    },
}

impl CreditEffect {
    /// The stored kinds.
    pub(crate) const KINDS: [&str; 2] = ["settle_credits.v1", "release_credits.v1"];
}

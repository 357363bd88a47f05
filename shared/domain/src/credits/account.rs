//! The account that pays for clips.

use std::fmt;

use crate::OwnerId;

/// An account of the ledger: an owner's, or the one that all jobs without an owner share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Jobs that an operator created in no owner's name.
    Operator,
    /// An owner.
    Owner(OwnerId),
}

impl Account {
    /// The account of an owner; without one, the operator's.
    pub fn of(owner: Option<&OwnerId>) -> Self {
        owner.map_or(Self::Operator, |owner| Self::Owner(owner.clone()))
    }

    /// The name that clients see: `operator`, or the owner's id.
    pub fn user_id(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::Owner(owner) => owner.as_str(),
        }
    }
}

impl fmt::Display for Account {
    /// Its key in storage. An owner with the id `operator` has another one than the operator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Owner(owner) => write!(f, "owner:{owner}"),
        }
    }
}

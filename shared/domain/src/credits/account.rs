//! The account that pays for clips.

use std::fmt;

use crate::OwnerId;
use crate::ids::OPERATOR;

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
            Self::Operator => OPERATOR,
            Self::Owner(owner) => owner.as_str(),
        }
    }

    /// The account that clients mean by a name; none if no owner can have it as id.
    pub fn of_user_id(user_id: &str) -> Option<Self> {
        if user_id == OPERATOR { Some(Self::Operator) } else { OwnerId::parse(user_id).map(Self::Owner) }
    }
}

impl fmt::Display for Account {
    /// Its key in storage.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str(OPERATOR),
            Self::Owner(owner) => write!(f, "owner:{owner}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_clients_see_means_the_same_account() {
        let ann = OwnerId::parse("ann").unwrap();
        for account in [Account::Operator, Account::Owner(ann)] {
            assert_eq!(Account::of_user_id(account.user_id()), Some(account));
        }
        assert_eq!(Account::of_user_id(""), None);
    }
}

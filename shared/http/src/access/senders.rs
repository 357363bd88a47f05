//! Whose the messages of the job inbox are. IAM decides who may send to its queue; what a message says counts only as a
//! name that the stack knows (ADR 70).

use std::collections::BTreeMap;
use std::str::FromStr;

use reelhook_domain::OwnerId;

use crate::access::Caller;
use crate::problem::{Problem, bad};

/// The most characters of a name.
const NAME: usize = 64;
/// The name of messages that name nobody.
const DEFAULT: &str = "*";

/// The owners that messages may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Senders {
    names: BTreeMap<String, OwnerId>,
    default: Option<OwnerId>,
}

/// An entry is not `NAME=OWNER`, or its name is there twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {0} must be `NAME=OWNER`: a name of at most 64 letters, digits, `_`, `.` and `-` that is there once, or `*`"
)]
pub struct InvalidSenders(usize);

impl FromStr for Senders {
    type Err = InvalidSenders;

    /// Reads entries `NAME=OWNER`, separated by commas; `*` names the owner of messages that name nobody.
    fn from_str(text: &str) -> Result<Self, InvalidSenders> {
        let mut senders = Self::default();
        for (index, entry) in text.split(',').map(str::trim).enumerate().filter(|(_, entry)| !entry.is_empty()) {
            let read = entry.split_once('=').map(|(name, owner)| (name.trim(), OwnerId::parse(owner.trim())));
            let before = match read {
                Some((DEFAULT, Some(owner))) => senders.default.replace(owner),
                Some((name, Some(owner))) if is_name(name) => senders.names.insert(name.to_owned(), owner),
                Some(_) | None => return Err(InvalidSenders(index + 1)),
            };
            if before.is_some() {
                return Err(InvalidSenders(index + 1));
            }
        }
        Ok(senders)
    }
}

fn is_name(text: &str) -> bool {
    let fits = (1..=NAME).contains(&text.len());
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

impl Senders {
    /// The caller on whose behalf a message asks: the owner whom it names, or the default one. Without a default it is the
    /// operator.
    ///
    /// # Errors
    /// [`RequestProblem::BadField`](crate::problem::RequestProblem::BadField) if the name is unknown.
    pub fn caller(&self, name: Option<&str>) -> Result<Caller, Problem> {
        let owner = match name {
            Some(name) => Some(self.names.get(name).ok_or_else(|| bad("owner", "a name in JobInboxOwners"))?),
            None => self.default.as_ref(),
        };
        Ok(match owner {
            Some(owner) => Caller::known_as(format!("inbox owner:{owner}")).owned_by(owner.clone()),
            None => Caller::known_as("inbox"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner_of(senders: &Senders, name: Option<&str>) -> Option<String> {
        senders.caller(name).unwrap().owner.map(String::from)
    }

    #[test]
    fn a_message_has_the_owner_whom_it_names_or_else_the_default_one() {
        let senders: Senders = " shop=ann@example, news = bob ,*=carol,".parse().unwrap();
        assert_eq!(owner_of(&senders, Some("shop")).as_deref(), Some("ann@example"));
        assert_eq!(owner_of(&senders, Some("news")).as_deref(), Some("bob"));
        assert_eq!(owner_of(&senders, None).as_deref(), Some("carol"));
        assert_eq!(owner_of(&Senders::default(), None), None);
    }

    #[test]
    fn a_message_can_name_no_owner_whom_the_stack_does_not_know() {
        let senders: Senders = "shop=ann,*=carol".parse().unwrap();
        for name in ["ann", "carol", "*", "Shop", "", "operator"] {
            let problem = senders.caller(Some(name)).unwrap_err();
            assert_eq!(problem.path(), Some("owner"), "{name}");
            assert!(!problem.parts().2.contains("ann"), "the answer names no owner");
        }
    }

    #[test]
    fn a_wrong_entry_is_numbered() {
        for (text, entry) in [
            ("shop", 1),
            ("shop=ann,=bob", 2),
            ("shop=", 1),
            ("shop=operator", 1),
            ("a b=ann", 1),
            ("shop=ann,shop=bob", 2),
            ("*=ann,*=bob", 2),
        ] {
            assert_eq!(text.parse::<Senders>(), Err(InvalidSenders(entry)), "{text}");
        }
    }
}

//! The limits of single callers, which an operator sets: calls a minute, and jobs a day.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::OwnerId;

/// The most callers with limits of their own.
const MOST_CALLERS: usize = 100;
/// What a limit may be.
const BOUNDS: RangeInclusive<u32> = 1..=1_000_000;

/// The limits of one caller; none where those of all callers apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallerLimits {
    /// Calls a minute.
    pub calls: Option<u32>,
    /// Jobs, videos, projects and clip jobs that are made in a day of UTC.
    pub jobs: Option<u32>,
}

/// The limits of callers that have some of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyLimits {
    owners: BTreeMap<String, CallerLimits>,
    keys: BTreeMap<String, CallerLimits>,
    others: Option<CallerLimits>,
}

/// The setting of limits is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "KEY_LIMITS has at most 100 entries such as `key:1f2e=1000/500`, `owner:acme=50`, `*=/200`: calls a minute, and behind a \
     slash jobs a day, each from 1 to 1000000, and each name once; not `{0}`"
)]
pub struct KeyLimitsError(String);

impl KeyLimits {
    /// Parses limits such as `key:1f2e=1000/500,owner:acme=50,*=/200`. `*` stands for the callers that are not named.
    ///
    /// # Errors
    /// [`KeyLimitsError`] names the first entry that is none.
    pub fn parse(text: &str) -> Result<Self, KeyLimitsError> {
        let mut limits = Self::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            limits.add(entry).ok_or_else(|| KeyLimitsError(entry.to_owned()))?;
            if limits.owners.len() + limits.keys.len() > MOST_CALLERS {
                return Err(KeyLimitsError(entry.to_owned()));
            }
        }
        Ok(limits)
    }

    /// Adds an entry, if it is one and no other has its name.
    fn add(&mut self, entry: &str) -> Option<()> {
        let (name, numbers) = entry.rsplit_once('=')?;
        let (calls, jobs) = numbers.split_once('/').unwrap_or((numbers, ""));
        let limits = CallerLimits { calls: limit(calls).ok()?, jobs: limit(jobs).ok()? };
        if limits == CallerLimits::default() {
            return None;
        }
        let before = match name.trim().split_once(':') {
            Some(("owner", owner)) => self.owners.insert(OwnerId::parse(owner)?.as_str().to_owned(), limits),
            Some(("key", key)) if !key.is_empty() => self.keys.insert(key.to_owned(), limits),
            None if name.trim() == "*" => self.others.replace(limits),
            Some(_) | None => return None,
        };
        before.is_none().then_some(())
    }

    /// Whether keys have limits of their own.
    pub fn name_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The limits of an owner, or else of the key with one of these fingerprints. What its own entry leaves open is that of
    /// `*`.
    pub fn of<'a>(&self, owner: Option<&OwnerId>, mut fingerprints: impl Iterator<Item = &'a str>) -> CallerLimits {
        let own = match owner {
            Some(owner) => self.owners.get(owner.as_str()),
            None => fingerprints.find_map(|fingerprint| self.keys.get(fingerprint)),
        };
        let (own, others) = (own.copied().unwrap_or_default(), self.others.unwrap_or_default());
        CallerLimits { calls: own.calls.or(others.calls), jobs: own.jobs.or(others.jobs) }
    }
}

/// A text is no limit.
struct NoLimit;

/// A number in its bounds; none where the text is empty.
fn limit(text: &str) -> Result<Option<u32>, NoLimit> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().ok().filter(|number| BOUNDS.contains(number)).map(Some).ok_or(NoLimit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(calls: Option<u32>, jobs: Option<u32>) -> CallerLimits {
        CallerLimits { calls, jobs }
    }

    #[test]
    fn a_caller_has_the_limits_of_its_entry_and_else_those_of_all_others() {
        let all = KeyLimits::parse("key:1f2e=1000/500, owner:acme=50, owner:beta=/5,*=/200").unwrap();
        let of_key = |key: &str| all.of(None, [key].into_iter());
        let of_owner = |owner: &str| all.of(OwnerId::parse(owner).as_ref(), ["1f2e"].into_iter());
        assert_eq!(of_key("1f2e"), limits(Some(1000), Some(500)));
        assert_eq!(of_key("99aa"), limits(None, Some(200)));
        assert_eq!(
            of_owner("acme"),
            limits(Some(50), Some(200)),
            "the owner counts, and not what its token was signed with"
        );
        assert_eq!(of_owner("beta"), limits(None, Some(5)));
        assert_eq!(of_owner("other"), limits(None, Some(200)));
        assert_eq!(
            all.of(None, ["former", "1f2e"].into_iter()),
            limits(Some(1000), Some(500)),
            "after a rotation of SESSION_SECRET"
        );
        assert!(all.name_keys());
    }

    #[test]
    fn without_the_setting_nobody_has_limits_of_their_own() {
        let none = KeyLimits::parse("").unwrap();
        assert_eq!((none.of(None, ["1f2e"].into_iter()), none.name_keys()), (CallerLimits::default(), false));
    }

    #[test]
    fn an_entry_that_is_none_is_named() {
        for bad in [
            "acme=5",
            "owner:acme",
            "owner:acme=",
            "owner:acme=/",
            "owner:acme=0",
            "key:=5",
            "key:1=1000001",
            "*=a",
            "x:1=2",
            "owner:fine=2",
        ] {
            let error = KeyLimits::parse(&format!("owner:fine=1,{bad}")).unwrap_err().to_string();
            assert!(error.ends_with(&format!("not `{bad}`")), "{error}");
        }
        assert!(KeyLimits::parse("*=1,*=/2").is_err() && KeyLimits::parse("key:1f=1,key:1f=2").is_err());
        let many: Vec<String> = (0..=MOST_CALLERS).map(|n| format!("key:{n}=1")).collect();
        assert!(KeyLimits::parse(&many.join(",")).is_err());
        assert!(KeyLimits::parse(&many[1..].join(",")).is_ok());
    }
}

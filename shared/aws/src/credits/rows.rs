//! The rows of an account: its balance, entries in the order of the balance's versions, markers that find entries by
//! their ids, and open reservations.

use reelhook_app::store::StoreError;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry};

use crate::items::{Item, SCHEMA, json, n, s};

/// The sort key of the balance.
pub(super) const BALANCE: &str = "balance";
/// The prefix of the sort keys of entries.
pub(super) const ENTRY: &str = "entry#";

/// The sort key of the entry that made this version of the balance.
pub(super) fn entry(version: u64) -> String {
    format!("{ENTRY}{version:020}")
}

/// The version of the balance that the entry with this sort key made.
pub(super) fn version_of(sk: &str) -> Option<u64> {
    sk.strip_prefix(ENTRY)?.parse().ok()
}

/// The sort key of the marker that finds an entry by its id.
pub(super) fn marker(id: &str) -> String {
    format!("id#{id}")
}

/// The sort key of a reservation.
pub(super) fn reservation(id: &str) -> String {
    format!("reservation#{id}")
}

/// The row of a balance.
pub(super) fn balance_item(account: &Account, balance: &Balance) -> Item {
    let numbers = [
        ("version", n(balance.version)),
        ("balance", n(balance.balance)),
        ("reserved", n(balance.reserved)),
        ("earned", n(balance.earned)),
        ("spent", n(balance.spent)),
    ];
    row(account, BALANCE.to_owned(), numbers)
}

/// Reads a balance.
pub(super) fn read_balance(operation: &'static str, item: &Item) -> Result<Balance, StoreError> {
    Ok(Balance {
        version: count(operation, item, "version")?,
        balance: parsed(operation, item, "balance")?,
        reserved: count(operation, item, "reserved")?,
        earned: count(operation, item, "earned")?,
        spent: count(operation, item, "spent")?,
    })
}

/// The row of an entry that made this version of the balance.
pub(super) fn entry_item(account: &Account, entry: &Entry, version: u64) -> Item {
    row(account, self::entry(version), [("body", json(entry))])
}

/// The row of the marker of that entry.
pub(super) fn marker_item(account: &Account, entry: &Entry, version: u64) -> Item {
    row(account, marker(&entry.id), [("entry", s(self::entry(version)))])
}

/// The row of a reservation.
pub(super) fn reservation_item(account: &Account, id: &str, credits: u64) -> Item {
    row(account, reservation(id), [("credits", n(credits))])
}

/// A number that is never negative.
pub(super) fn count(operation: &'static str, item: &Item, name: &str) -> Result<u64, StoreError> {
    parsed(operation, item, name)
}

fn parsed<T: std::str::FromStr>(operation: &'static str, item: &Item, name: &str) -> Result<T, StoreError> {
    let number = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    number.ok_or_else(|| StoreError::Unreadable { operation, reason: format!("attribute `{name}` is no number") })
}

fn row<const N: usize>(
    account: &Account,
    sk: String,
    attributes: [(&str, aws_sdk_dynamodb::types::AttributeValue); N],
) -> Item {
    let key = [("pk", s(account.to_string())), ("sk", s(sk)), ("schema", n(SCHEMA))];
    key.into_iter().chain(attributes).map(|(name, value)| (name.to_owned(), value)).collect()
}

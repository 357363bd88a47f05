//! Requests about credits: reading an account, and adding to it.

use futures_util::future::try_join;
use reelhook_domain::credits::account::Account;
use reelhook_domain::credits::ledger::{Balance, Entry, EntryKind};

use crate::clock::ClockAndRandom;
use crate::credits::ledger::{Addition, EntryPage, Ledger, PageStart};
use crate::idempotency::{IdempotencyKey, IdempotencyStore, first_answer_or};
use crate::store::StoreError;

/// An account with a page of its entries.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountPage {
    /// The account.
    pub account: Account,
    /// Its balance.
    pub balance: Balance,
    /// The entries.
    pub page: EntryPage,
}

/// An account with at most `limit` of its entries after a cursor, the newest first. The first page has the entries that make
/// up the balance, whatever is written between the two reads.
///
/// # Errors
/// [`StoreError`].
pub async fn read(
    ledger: &dyn Ledger,
    account: Account,
    cursor: Option<&str>,
    limit: usize,
) -> Result<AccountPage, StoreError> {
    let (balance, page) = match cursor {
        Some(cursor) => {
            let page = ledger.entries(&account, PageStart::After(cursor), limit);
            try_join(ledger.balance(&account), page).await?
        }
        None => {
            let balance = ledger.balance(&account).await?;
            (balance, ledger.entries(&account, PageStart::AsOf(balance.version), limit).await?)
        }
    };
    Ok(AccountPage { account, balance, page })
}

/// A request of an operator to add credits.
#[derive(Debug, Clone)]
pub struct NewCredits {
    /// The account.
    pub account: Account,
    /// Purchase, bonus or refund.
    pub kind: EntryKind,
    /// The credits.
    pub credits: u64,
    /// A sentence for people.
    pub description: String,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

/// The ports of [`add`].
pub struct AddPorts<'a> {
    /// The ledger.
    pub ledger: &'a dyn Ledger,
    /// The records of keys.
    pub keys: &'a dyn IdempotencyStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
}

/// The outcome of [`add`].
#[derive(Debug, Clone, PartialEq)]
pub enum Added {
    /// The entry, which the first request with the key made, and the balance now.
    Entry(Box<Entry>, Balance),
    /// The key was used with another body.
    KeyReused,
}

/// Adds credits to an account. The record of a key has the id of the entry before the entry is there, so that a request which
/// failed half-way is completed by its repeat, and nothing is added twice.
///
/// # Errors
/// [`StoreError`].
pub async fn add(ports: &AddPorts<'_>, new: NewCredits) -> Result<Added, StoreError> {
    let now = ports.clock.now();
    let fresh = format!("add.{:032x}", ports.clock.random());
    let id = match &new.key {
        None => fresh,
        Some(key) => match first_answer_or(ports.keys, key, fresh, now).await? {
            Ok(id) => id,
            Err(_) => return Ok(Added::KeyReused),
        },
    };
    let NewCredits { account, kind, credits, description, key: _ } = new;
    let entry =
        ports.ledger.add(&Addition { account: account.clone(), id, kind, credits, description, at: now }).await?;
    Ok(Added::Entry(Box::new(entry), ports.ledger.balance(&account).await?))
}

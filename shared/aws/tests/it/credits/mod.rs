//! The Credits table.

pub mod fake;
mod histories;
mod ledger;

pub use ledger::{addition, in_memory};

use reelhook_app::credits::ledger::Reservation;
use reelhook_domain::OwnerId;
use reelhook_domain::credits::account::Account;

/// The account of an owner.
pub fn account() -> Account {
    Account::Owner(OwnerId::parse("u-1").unwrap())
}

/// Waits for a future on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A reservation of so many credits.
pub fn reservation(id: &str, credits: u64, limited: bool) -> Reservation {
    Reservation { account: account(), id: id.to_owned(), credits, held: None, limited }
}

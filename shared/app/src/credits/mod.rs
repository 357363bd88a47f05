//! Credits: reading an account, adding to it, and the ports of the ledger.

pub mod ledger;
pub mod requests;

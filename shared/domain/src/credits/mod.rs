//! Credits: what clips cost, and a ledger for each account (docs/contract/clipping.md, Credits).

pub mod account;
pub mod effect;
pub mod ledger;
pub mod price;

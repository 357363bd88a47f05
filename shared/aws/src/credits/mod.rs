//! The Credits table: a balance for each account, its entries, and open reservations.

mod ledger;
mod rows;
pub mod table;

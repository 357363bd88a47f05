//! Errors that people see: raised and resolved by effects, listed, dismissed and counted.

pub mod call;
pub mod dead_letters;
pub mod inbox;
pub mod lost_key;
pub mod raise;
pub mod refused;
pub mod report;
pub mod service_down;
pub mod steps;
pub mod store;
pub mod stream;
pub mod view;

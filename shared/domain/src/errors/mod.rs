//! Errors that people see and act on: rows that effects raise and resolve (docs/contract/errors.md).

pub mod cause;
pub mod error;

//! Fuzzing of every parser that reads what others write (ADR 73): targets, inputs that are made for them, and the runs of
//! `cargo xtask fuzz`. A target takes bytes, so that a coverage-guided engine can drive it too (infra/fuzz/guided).

pub mod corpus;
pub mod input;
pub mod memory;
pub mod mutation;
pub mod random;
pub mod report;
pub mod run;
pub mod shrink;
pub mod target;
pub mod targets;

#[cfg(test)]
mod tests;

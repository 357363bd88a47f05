//! A simulator of Reelhook in virtual time: what limits the jobs a second, and how long they wait for their start.
//!
//! It knows nothing of the wire or of stored forms; it counts units, waits and conflicts. What it is given follows from a
//! seed, so that a run is the same each time (docs/scale.md).

pub mod agenda;
pub mod cloud;
pub mod design;
pub mod fairness;
pub mod limits;
pub mod load;
pub mod outcome;
mod picture;
pub mod random;
pub mod report;
pub mod scenario;
pub mod world;

#[cfg(test)]
mod tests;

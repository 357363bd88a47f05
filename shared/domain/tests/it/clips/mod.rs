//! Clip jobs through their public API: each rule, and generated lives.

mod charges;
mod commands;
mod invariants;
mod model;
mod own;
mod reports;
mod shown;
mod story;
mod submissions;

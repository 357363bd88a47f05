//! Projects of scenes through their public API: generated lives, every state and event, and journeys.

mod chain;
mod commands;
mod invariants;
mod matrix;
mod model;
mod sizes;
mod stitches;
mod story;
mod submissions;

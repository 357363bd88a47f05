//! Tests of the domain through its public API: every state and event, generated lives, and journeys.

mod any_order;
mod claims;
mod cleared;
mod clips;
mod coverage;
mod credits;
mod drawings;
mod endpoints;
mod film;
mod invariants;
mod isolation;
mod journeys;
mod matrix;
mod names;
mod projects;
mod properties;
mod shown;
mod slots;
mod story;
mod usage;

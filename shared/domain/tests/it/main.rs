//! What the domain promises, seen through its public API: every state and event, generated lives, and told journeys.

mod any_order;
mod invariants;
mod journeys;
mod matrix;
mod properties;
mod story;

//! Requests as clients, browsers and tools really send them.

mod bodies;
mod forms;
mod idempotency;
mod spellings;
mod support;
mod trigger;

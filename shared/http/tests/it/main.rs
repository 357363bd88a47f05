//! Requests as clients, browsers and tools really send them.

mod bodies;
mod empty;
mod film;
mod forms;
mod idempotency;
mod log_lines;
mod numbers;
mod spellings;
mod support;
mod texts;
mod trigger;
mod warnings;

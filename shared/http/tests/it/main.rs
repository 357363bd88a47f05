//! Requests in the forms in which clients, browsers and tools send them.

mod access;
mod bodies;
mod edge;
mod empty;
mod film;
mod forms;
mod idempotency;
mod keyless;
mod log_lines;
mod metadata;
mod numbers;
mod owners;
mod preflight;
mod session;
mod spellings;
mod support;
mod texts;
mod trigger;
mod warnings;

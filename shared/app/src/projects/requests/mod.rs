//! Requests of clients about projects: creating, listing, reading, changing and commanding them.

pub mod command;
pub mod create;
pub mod list;
pub mod models;
pub mod scenes;
pub mod texts;

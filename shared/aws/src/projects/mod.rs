//! The Projects table, and what the Counters table has of projects: slots, look-ups and early callbacks.

mod early;
pub mod item;
mod lists;
mod lookups;
mod slots;
mod stored_pieces;
mod stored_project;
mod stored_scene;
mod stored_stitch;
mod stored_task;
pub mod table;

//! The program against a server on this machine: what it sends, what it prints, and its exit codes.

mod deliveries;
mod downloads;
mod following;
mod listening;
mod program;
mod server;
mod settings;
mod submissions;

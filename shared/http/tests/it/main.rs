//! What the edge of the API makes of requests, seen through its public API.

mod access;
mod edge;
mod keyless;
mod preflight;
mod session;

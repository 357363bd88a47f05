//! The guarded client through its public API, against listeners on loopback.

mod downloads;
mod exchange;
mod forbidden;
mod hostile;
mod limits;
mod odd;
mod proxies;
mod redirects;
mod server;

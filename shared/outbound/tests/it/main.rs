//! The guarded client as its callers see it, against listeners on loopback.

mod addresses;
mod exchange;
mod forbidden;
mod limits;
mod proxies;
mod server;

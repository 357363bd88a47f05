//! The guarded client as its callers see it, against listeners on loopback.

mod exchange;
mod forbidden;
mod hostile;
mod limits;
mod odd;
mod proxies;
mod redirects;
mod server;

//! The guarded HTTP client, the only way to call URLs from outside (ARCHITECTURE.md, invariant 8).

mod addresses;
mod allow_list;
mod body;
mod client;
mod failure;
mod resolver;

pub use addresses::is_public;
pub use allow_list::{AllowList, AllowListError};
pub use client::{BuildError, GuardedClient};

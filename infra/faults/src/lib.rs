//! A hostile AWS for local stacks: a proxy between the functions and the emulator that injects faults by seed and rate,
//! and one in front of the API that renames headers as the gateways of AWS do.

mod answers;
mod batch;
mod call;
mod chance;
mod config;
mod connection;
mod counts;
mod fault;
mod gateway;
mod proxy;
mod repeats;
mod settings;
mod upstream;

pub use crate::config::Config;
pub use crate::connection::{Connection, FaultyListener};

/// Serves both proxies until the process is stopped.
///
/// # Errors
/// When a port is in use.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    tokio::try_join!(proxy::serve(config.port, config.emulator), gateway::serve(config.gateway_port, config.api))?;
    Ok(())
}

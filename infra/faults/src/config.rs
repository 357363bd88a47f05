//! Configuration from flags, read once at the start.

use std::net::SocketAddr;

const AFTER_HELP: &str = "\
Faults are off at the start. Both ports are on 127.0.0.1. At --port:
  GET /_faults   the settings, how many calls met which fault, by service too, and the latest ones
  PUT /_faults   {\"seed\": 1, \"percent\": 5, \"only\": [\"lost_answer\"]} replaces the settings and begins to count anew.
                 The answer is that of GET until then. The emulator gets the settings too, for the messages and stream
                 records that it hands to functions";

/// The configuration of the fault proxy.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "faults", about = "Injects faults of AWS between functions and the emulator", after_help = AFTER_HELP)]
pub struct Config {
    /// Port for the calls of functions
    #[arg(long)]
    pub port: u16,
    /// Address of the emulator
    #[arg(long, value_name = "ADDRESS")]
    pub emulator: SocketAddr,
    /// Port for the callers of the API and of Function URLs
    #[arg(long)]
    pub gateway_port: u16,
    /// Address of the emulator's API
    #[arg(long, value_name = "ADDRESS")]
    pub api: SocketAddr,
}

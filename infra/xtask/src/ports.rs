//! The ports of an instance: defaults, requested ports or free ones, and an error that helps if a port is in use.

use std::net::{Ipv4Addr, TcpListener};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// The ports that an instance listens on, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Port of the API.
    pub api: u16,
    /// Port of the AWS emulator.
    pub emulator: u16,
    /// Port of the mock services.
    pub studio: u16,
}

impl Ports {
    /// Whether the instance uses this port.
    pub fn contains(self, port: u16) -> bool {
        [self.api, self.emulator, self.studio].contains(&port)
    }
}

/// The ports that the command line requests; 0 means any free port.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct RequestedPorts {
    /// Port of the API; 0 for any free port
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Port of the AWS emulator; 0 for any free port
    #[arg(long, default_value_t = 4566)]
    emulator_port: u16,
    /// Port of the mock services; 0 for any free port
    #[arg(long, default_value_t = 4600)]
    studio_port: u16,
}

impl RequestedPorts {
    /// Exactly these ports.
    pub const fn fixed(port: u16, emulator_port: u16, studio_port: u16) -> Self {
        Self { port, emulator_port, studio_port }
    }

    /// Any three free ports.
    pub fn any_free() -> Self {
        Self { port: 0, emulator_port: 0, studio_port: 0 }
    }

    /// The same ports, but a free one instead of each port that is in use.
    pub fn or_free(self) -> Self {
        let free = |port| if is_free(port) { port } else { 0 };
        Self { port: free(self.port), emulator_port: free(self.emulator_port), studio_port: free(self.studio_port) }
    }

    /// The same ports, but with the emulator on the port that its kept state belongs to.
    pub fn with_kept_emulator_port(self, kept: Option<u16>) -> Self {
        Self { emulator_port: kept.unwrap_or(self.emulator_port), ..self }
    }

    /// Chooses the ports. `owner_of` names the running instance that uses a port, for the error message.
    pub fn choose(self, owner_of: impl Fn(u16) -> Option<String>) -> anyhow::Result<Ports> {
        // All listeners stay open until every port is chosen, so that no two are equal.
        let mut listeners = Vec::new();
        let mut chosen = [0; 3];
        let requested = [
            (self.port, "the API", "--port"),
            (self.emulator_port, "the emulator", "--emulator-port"),
            (self.studio_port, "the mock services", "--studio-port"),
        ];
        for (slot, (port, what, flag)) in chosen.iter_mut().zip(requested) {
            let listener = match port {
                0 => listen_on_free_port()?,
                port => match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                    Ok(listener) => listener,
                    Err(_) => bail!(in_use(port, what, flag, owner_of(port))),
                },
            };
            *slot = listener.local_addr().context("read the listener's port")?.port();
            listeners.push(listener);
        }
        let [api, emulator, studio] = chosen;
        Ok(Ports { api, emulator, studio })
    }
}

/// Two free ports.
pub fn two_free() -> anyhow::Result<[u16; 2]> {
    // Both listeners stay open until both ports are known, so that they differ.
    let listeners = [listen_on_free_port()?, listen_on_free_port()?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    Ok([
        port(&listeners[0]).context("read the listener's port")?,
        port(&listeners[1]).context("read the listener's port")?,
    ])
}

/// Listens on a free port below the ephemeral range: a port of that range could be assigned to an outgoing connection
/// before the intended program listens on it.
fn listen_on_free_port() -> anyhow::Result<TcpListener> {
    const RANGE: std::ops::Range<u32> = 20_000..32_000;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let offset = now % RANGE.len() as u32;
    let mut candidates = (0..RANGE.len() as u32).map(|step| RANGE.start + (offset + step) % RANGE.len() as u32);
    candidates
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, u16::try_from(port).ok()?)).ok())
        .context("find a free port")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn in_use(port: u16, what: &str, flag: &str, owner: Option<String>) -> String {
    let choice = format!("choose another port for {what} with `{flag} PORT` (`{flag} 0` for any free port)");
    match owner {
        Some(instance) => format!(
            "port {port} is used by the running instance `{instance}`: \
             stop it with `cargo xtask down --instance {instance}`, or {choice}"
        ),
        None => format!("port {port} is in use by another program: {choice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ() {
        let ports = RequestedPorts::any_free().choose(|_| None).unwrap();
        assert!(ports.api != ports.emulator && ports.emulator != ports.studio && ports.api != ports.studio);
    }

    #[test]
    fn two_free_ports_differ_and_are_not_ephemeral() {
        let [first, second] = two_free().unwrap();
        assert!(first != second && first < 32_000 && second < 32_000);
    }

    #[test]
    fn the_error_for_a_port_in_use_names_the_flag_and_the_instance() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requested = RequestedPorts { studio_port: port, ..RequestedPorts::any_free() };
        let error = requested.choose(|_| None).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--studio-port"), "{error}");
        let error = requested.choose(|_| Some("dev".to_owned())).unwrap_err().to_string();
        assert!(error.contains("`cargo xtask down --instance dev`"), "{error}");
        assert_eq!(requested.or_free().studio_port, 0);
    }
}

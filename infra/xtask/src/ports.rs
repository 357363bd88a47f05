//! The ports of an instance: the usual ones, others on request, and a clear sentence where one is taken.

use std::net::{Ipv4Addr, TcpListener};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// The ports that an instance listens on, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// The API.
    pub api: u16,
    /// The emulator: every AWS service.
    pub emulator: u16,
    /// The stand-ins for outside services.
    pub studio: u16,
}

impl Ports {
    /// Whether one of them is this port.
    pub fn contains(self, port: u16) -> bool {
        [self.api, self.emulator, self.studio].contains(&port)
    }
}

/// Ports as asked for; 0 takes a free one.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Asked {
    /// Port of the API; 0 takes a free one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Port of the emulator, which stands for AWS; 0 takes a free one
    #[arg(long, default_value_t = 4566)]
    emulator_port: u16,
    /// Port of the studio, which stands for outside services; 0 takes a free one
    #[arg(long, default_value_t = 4600)]
    studio_port: u16,
}

impl Asked {
    /// Just these.
    pub const fn these(port: u16, emulator_port: u16, studio_port: u16) -> Self {
        Self { port, emulator_port, studio_port }
    }

    /// Any three free ports.
    pub fn any() -> Self {
        Self { port: 0, emulator_port: 0, studio_port: 0 }
    }

    /// The same, but a free one for each that is taken.
    pub fn or_free(self) -> Self {
        let free = |port| if is_free(port) { port } else { 0 };
        Self { port: free(self.port), emulator_port: free(self.emulator_port), studio_port: free(self.studio_port) }
    }

    /// The same, but with the emulator where its kept state belongs.
    pub fn with_kept_emulator_port(self, kept: Option<u16>) -> Self {
        Self { emulator_port: kept.unwrap_or(self.emulator_port), ..self }
    }

    /// Chooses the ports. `owner_of` names the running instance that uses a port, for the error message.
    pub fn choose(self, owner_of: impl Fn(u16) -> Option<String>) -> anyhow::Result<Ports> {
        // All are held until all are chosen, so that no two are the same.
        let mut held = Vec::new();
        let mut chosen = [0; 3];
        let wanted = [
            (self.port, "the API", "--port"),
            (self.emulator_port, "the emulator", "--emulator-port"),
            (self.studio_port, "the studio", "--studio-port"),
        ];
        for (slot, (port, what, flag)) in chosen.iter_mut().zip(wanted) {
            let listener = match port {
                0 => listen_anywhere()?,
                port => match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                    Ok(listener) => listener,
                    Err(_) => bail!(in_use(port, what, flag, owner_of(port))),
                },
            };
            *slot = listener.local_addr().context("ask for the port")?.port();
            held.push(listener);
        }
        let [api, emulator, studio] = chosen;
        Ok(Ports { api, emulator, studio })
    }
}

/// Two free ports.
pub fn two_free() -> anyhow::Result<[u16; 2]> {
    // Both are held until both are known, so that they differ.
    let held = [listen_anywhere()?, listen_anywhere()?];
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    Ok([port(&held[0]).context("ask for the port")?, port(&held[1]).context("ask for the port")?])
}

/// Listens on a free port below those that the system gives to outgoing connections: one of these could be taken by any
/// connection before the program that it is for listens on it.
fn listen_anywhere() -> anyhow::Result<TcpListener> {
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
    let choice = format!("choose another for {what} with `{flag} PORT` (`{flag} 0` takes a free one)");
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
        let ports = Asked::any().choose(|_| None).unwrap();
        assert!(ports.api != ports.emulator && ports.emulator != ports.studio && ports.api != ports.studio);
    }

    #[test]
    fn two_free_ports_differ_and_are_not_those_of_outgoing_connections() {
        let [first, second] = two_free().unwrap();
        assert!(first != second && first < 32_000 && second < 32_000);
    }

    #[test]
    fn a_taken_port_is_named_with_the_flag_that_helps() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let asked = Asked { studio_port: port, ..Asked::any() };
        let error = asked.choose(|_| None).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--studio-port"), "{error}");
        let error = asked.choose(|_| Some("dev".to_owned())).unwrap_err().to_string();
        assert!(error.contains("`cargo xtask down --instance dev`"), "{error}");
        assert_eq!(asked.or_free().studio_port, 0);
    }
}

//! A listener on loopback that detects unwanted connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

pub struct Canary {
    listener: TcpListener,
    /// The addresses of the listener: IPv4 always, IPv6 if the machine has it.
    addresses: Vec<SocketAddr>,
}

impl Canary {
    /// Listens on one port of every address of this machine, or of the IPv4 loopback address if there is no IPv6.
    pub fn new() -> Self {
        let everywhere = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0));
        let listener = everywhere.or_else(|_no_ipv6| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut ips = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        if address.is_ipv6() {
            ips.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
        }
        let addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())).collect();
        Self { listener, addresses }
    }

    pub fn port(&self) -> u16 {
        self.addresses[0].port()
    }

    /// The kernel completes a connection before the client learns of it, so an unwanted connection would already be
    /// pending. A connection of our own to each address then proves that others would have arrived.
    pub fn assert_never_called(self) {
        self.listener.set_nonblocking(true).expect("a socket");
        let error = self.listener.accept().expect_err("no connection");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        self.listener.set_nonblocking(false).expect("a socket");
        for address in &self.addresses {
            let ours = TcpStream::connect(address).expect("the canary listens");
            let (_stream, caller) = self.listener.accept().expect("a caller");
            assert_eq!(caller.port(), ours.local_addr().expect("an address").port(), "{address}");
        }
    }
}

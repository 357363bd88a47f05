//! A listener on loopback whose only visitors may be its own test's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

pub struct Canary {
    listener: TcpListener,
    /// Where it can be reached: IPv4 always, IPv6 where the machine has it.
    doors: Vec<SocketAddr>,
}

impl Canary {
    /// Listens on one port of every address of this machine, or of IPv4's loopback where there is no IPv6.
    pub fn new() -> Self {
        let everywhere = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0));
        let listener = everywhere.or_else(|_no_ipv6| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut ips = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        if address.is_ipv6() {
            ips.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
        }
        let doors = ips.into_iter().map(|ip| SocketAddr::new(ip, address.port())).collect();
        Self { listener, doors }
    }

    pub fn port(&self) -> u16 {
        self.doors[0].port()
    }

    /// The kernel completes a connection before its caller learns of it, so that whoever called waits here already.
    /// That a call of our own comes first through each door then shows that others would have come.
    pub fn assert_never_called(self) {
        self.listener.set_nonblocking(true).expect("a socket");
        let nobody = self.listener.accept().expect_err("nobody calls");
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
        self.listener.set_nonblocking(false).expect("a socket");
        for door in &self.doors {
            let ours = TcpStream::connect(door).expect("the canary listens");
            let (_stream, caller) = self.listener.accept().expect("a caller");
            assert_eq!(caller.port(), ours.local_addr().expect("an address").port(), "{door}");
        }
    }
}

//! A scripted receiver on loopback that counts connections, records requests and sends scripted responses.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reelhook_app::outbound::{Method, OutboundRequest};
use reelhook_outbound::{AllowList, GuardedClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::interval;
use url::Url;

/// A step of the script, which runs after each request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes once per interval, this number of times: the slowness under test.
    Drip(Vec<u8>, Duration, usize),
    /// Sends these bytes repeatedly until the client closes the connection.
    Flood(Vec<u8>),
    /// Sends nothing more and keeps the connection open.
    Stall,
    /// Closes the connection in order.
    Close,
    /// Resets the connection.
    Reset,
}

/// A running receiver; it stops when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    accepted: watch::Receiver<Vec<SocketAddr>>,
    markers: Vec<SocketAddr>,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(script: Vec<Step>) -> Self {
        Self::start_at("127.0.0.1:0", script).await.expect("a port")
    }

    /// Starts on a given socket.
    pub async fn start_at(socket: &str, script: Vec<Step>) -> io::Result<Self> {
        let listener = TcpListener::bind(socket).await?;
        let address = listener.local_addr()?;
        let (arrivals, accepted) = watch::channel(Vec::new());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, arrivals, Arc::clone(&requests), script));
        Ok(Self { address, accepted, markers: Vec::new(), requests, task })
    }

    /// A URL of this receiver.
    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).expect("a URL")
    }

    /// The number of connections so far. Connections are accepted in order, so once a connection of our own has
    /// arrived, no earlier one can be pending.
    pub async fn connections(&mut self) -> usize {
        let marker = TcpStream::connect(self.address).await.expect("a marker");
        let marker = marker.local_addr().expect("an address");
        self.markers.push(marker);
        let accepted = self.accepted.wait_for(|peers| peers.contains(&marker));
        let accepted = accepted.await.expect("a running receiver").len();
        accepted - self.markers.len()
    }

    /// The bytes of all requests that were read completely.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().expect("no panic").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    arrivals: watch::Sender<Vec<SocketAddr>>,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    script: Vec<Step>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        arrivals.send_modify(|peers| peers.push(peer));
        connections.spawn(converse(stream, Arc::clone(&requests), script.clone()));
    }
}

/// If the client closes the connection, the conversation ends; here this is not an error.
async fn converse(mut stream: TcpStream, requests: Arc<Mutex<Vec<Vec<u8>>>>, script: Vec<Step>) -> io::Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        requests.lock().expect("no panic").push(request);
        for step in &script {
            match step {
                Step::Send(bytes) => stream.write_all(bytes).await?,
                Step::Drip(bytes, every, times) => {
                    let mut ticks = interval(*every);
                    ticks.tick().await;
                    for _ in 0..*times {
                        ticks.tick().await;
                        stream.write_all(bytes).await?;
                    }
                }
                Step::Flood(bytes) => loop {
                    stream.write_all(bytes).await?;
                },
                Step::Stall => std::future::pending().await,
                Step::Close => return Ok(()),
                Step::Reset => {
                    stream.set_zero_linger()?;
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Reads one request with its body; `None` if the client has closed the connection.
async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |digits| digits.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    request.extend(body);
    Ok(Some(request))
}

/// A complete response with a content-length.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Step {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
    Step::Send([head.as_bytes(), body].concat())
}

/// A client that may call only this receiver.
pub fn client_of(server: &Server) -> GuardedClient {
    let allow = AllowList::parse(&server.address.to_string(), None).expect("a list");
    GuardedClient::new(allow, None).expect("a client")
}

/// A GET request whose deadline is reached only if there is a defect.
pub fn get(url: Url) -> OutboundRequest {
    OutboundRequest {
        method: Method::Get,
        url,
        headers: Vec::new(),
        body: Vec::new().into(),
        deadline: Duration::from_secs(20),
        response_limit: 64 * 1024,
    }
}

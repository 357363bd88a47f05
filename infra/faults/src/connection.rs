//! Connections that a handler can close, or stall within the headers of a response.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const NORMAL: u8 = 0;
const CLOSE: u8 = 1;
const STALL_HEAD: u8 = 2;
const STALLED: u8 = 3;

/// Bytes before a stall: `HTTP/1.1 200 OK`.
const STALL_AFTER: usize = 15;

/// The connection of a request, as its handler controls it.
#[derive(Clone, Debug)]
pub struct Connection(Arc<AtomicU8>);

impl Connection {
    /// Closes the connection without a response.
    pub fn close(&self) {
        self.0.store(CLOSE, Ordering::Relaxed);
    }

    /// Stops the response after its status line, and keeps the connection open.
    pub fn stall_head(&self) {
        self.0.store(STALL_HEAD, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, FaultyListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, FaultyListener>) -> Self {
        stream.io().connection.clone()
    }
}

/// A TCP listener whose connections can be made to fail.
pub struct FaultyListener(pub TcpListener);

impl Listener for FaultyListener {
    type Io = FaultyStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (FaultyStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        let connection = Connection(Arc::new(AtomicU8::new(NORMAL)));
        (FaultyStream { stream, connection }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection with the fault that its handler has set.
pub struct FaultyStream {
    stream: TcpStream,
    connection: Connection,
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.connection.0.load(Ordering::Relaxed) {
            CLOSE => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            STALL_HEAD => {
                let beginning = &bytes[..bytes.len().min(STALL_AFTER)];
                let written = Pin::new(&mut self.stream).poll_write(context, beginning);
                if let Poll::Ready(Ok(_)) = written {
                    self.connection.0.store(STALLED, Ordering::Relaxed);
                }
                written
            }
            // Dropped, but reported as written, so that the server goes on and notices when the client disconnects.
            STALLED => Poll::Ready(Ok(bytes.len())),
            _ => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

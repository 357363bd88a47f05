//! Connections that can be cut, or held in the middle of an answer's head, at a handler's wish.

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

const SOUND: u8 = 0;
const CUT: u8 = 1;
const HOLD_HEAD: u8 = 2;
const HELD: u8 = 3;

/// Enough for `HTTP/1.1 200 OK` and no more.
const HEAD_BEGINNING: usize = 15;

/// A handler's grip on the connection that its request came over.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Arc<AtomicU8>);

impl Connection {
    /// The connection closes instead of carrying the answer.
    pub(crate) fn cut(&self) {
        self.0.store(CUT, Ordering::Relaxed);
    }

    /// The answer stops after its first line, and the connection stays open.
    pub(crate) fn hold_head(&self) {
        self.0.store(HOLD_HEAD, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, FaultyListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, FaultyListener>) -> Self {
        stream.io().connection.clone()
    }
}

/// A TCP listener whose connections can be made to fail.
pub(crate) struct FaultyListener(pub TcpListener);

impl Listener for FaultyListener {
    type Io = FaultyStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (FaultyStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        let connection = Connection(Arc::new(AtomicU8::new(SOUND)));
        (FaultyStream { stream, connection }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One connection and the state that handlers set.
pub(crate) struct FaultyStream {
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
            CUT => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            HOLD_HEAD => {
                let beginning = &bytes[..bytes.len().min(HEAD_BEGINNING)];
                let written = Pin::new(&mut self.stream).poll_write(context, beginning);
                if let Poll::Ready(Ok(_)) = written {
                    self.connection.0.store(HELD, Ordering::Relaxed);
                }
                written
            }
            // Swallowed: the server believes it answered, so it notices when the client leaves.
            HELD => Poll::Ready(Ok(bytes.len())),
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

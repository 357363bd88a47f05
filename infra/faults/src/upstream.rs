//! The server behind a proxy: requests are passed on as they came, each over a connection of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::{HeaderMap, header, request, response};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Bytes of the largest body that is passed on.
pub const LARGEST_BODY: usize = 1 << 30;

/// The server behind a proxy.
#[derive(Clone, Copy, Debug)]
pub struct Upstream(pub SocketAddr);

impl Upstream {
    /// Passes a request on, and returns the whole answer.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn send(&self, request: request::Parts, body: Bytes) -> anyhow::Result<(response::Parts, Bytes)> {
        let (mut answer, body, _open) = self.begin(request, body).await?;
        let bytes = body.collect().await.context("read the answer")?.to_bytes();
        of_one_connection(&mut answer.headers);
        // The length of an answer to HEAD is that of no body.
        Ok((answer, bytes))
    }

    /// Passes a request on, and returns the answer while it arrives.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn stream(&self, request: request::Parts, body: Bytes) -> anyhow::Result<Response> {
        let (mut answer, body, open) = self.begin(request, body).await?;
        of_one_connection(&mut answer.headers);
        // The sender is kept as long as the body, so that the connection stays open.
        let chunks = stream::unfold((body, open), |(mut body, open)| async move {
            loop {
                match body.frame().await? {
                    Ok(frame) => {
                        if let Ok(data) = frame.into_data() {
                            return Some((Ok::<Bytes, hyper::Error>(data), (body, open)));
                        }
                    }
                    Err(error) => return Some((Err(error), (body, open))),
                }
            }
        });
        Ok(Response::from_parts(answer, Body::from_stream(chunks)))
    }

    async fn begin(
        &self,
        mut request: request::Parts,
        body: Bytes,
    ) -> anyhow::Result<(response::Parts, Incoming, SendRequest<Full<Bytes>>)> {
        let stream = TcpStream::connect(self.0).await.with_context(|| format!("connect to {}", self.0))?;
        stream.set_nodelay(true).context("send small requests at once")?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.context("begin HTTP")?;
        // Its errors are those of the request.
        tokio::spawn(connection);
        of_one_connection(&mut request.headers);
        let sent = sender.send_request(Request::from_parts(request, Full::new(body)));
        let (answer, body) = sent.await.context("send the request")?.into_parts();
        Ok((answer, body, sender))
    }
}

/// Removes the headers that belong to one connection.
fn of_one_connection(headers: &mut HeaderMap) {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

//! Uploads: a file is sent to the object store, by a link that the API makes for its type and size.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use indicatif::ProgressBar;
use reelhook_terminal::ui;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::{AsyncRead as _, ReadBuf};

use super::{Api, Call, cause};
use crate::failure::{Failure, Refusal};

/// How long no byte of the file may go, and how long the answer may take afterwards.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes that are read at a time.
const PART: usize = 256 * 1024;

/// The types that the API takes, by the end of a file's name.
const TYPES: [(&str, &str); 9] = [
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mkv", "video/x-matroska"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
];

/// Uploads a file; the answer of the API has its `key`.
pub async fn upload(api: &Api, path: &Path) -> Result<Value, Failure> {
    let content_type = content_type(path)?;
    let shown = path.display();
    let file = File::open(path).await.with_context(|| format!("open {shown}"))?;
    let size = file.metadata().await.with_context(|| format!("read the size of {shown}"))?.len();
    let wanted = json!({ "contentType": content_type, "size": size });
    // An upload that nobody uses does no harm.
    let answer = api.send(Call::post("/api/uploads", wanted).repeatable()).await?.body;
    let link = answer["uploadUrl"].as_str().map(|link| api.link(link)).transpose()?;
    let link = link.ok_or_else(|| Failure::Unavailable("the answer has no `uploadUrl`".to_owned()))?;
    let mut headers = HeaderMap::new();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name = name.parse::<HeaderName>().ok();
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        if let Some((name, value)) = name.zip(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
    let bar = ui::byte_bar(Some(size));
    let body = FileBody { file, left: size, bar: bar.clone() };
    let request = super::sender(&link)?.put(link).headers(headers).body(reqwest::Body::wrap(body));
    let sent = send(request, &bar, STALL_TIMEOUT).await;
    bar.finish_and_clear();
    match sent?.status().as_u16() {
        200..300 => Ok(answer),
        // The object store answers in XML.
        status => {
            Err(Failure::Refused(Refusal::read(status, &json!({ "error": "the object store refused the upload" }))))
        }
    }
}

/// Sends a file for as long as it goes on: how long all of it takes depends on its size and on the network.
async fn send(request: RequestBuilder, bar: &ProgressBar, stall: Duration) -> Result<Response, Failure> {
    let stalled = async {
        let mut before = None;
        while before != Some(bar.position()) {
            before = Some(bar.position());
            tokio::time::sleep(stall).await;
        }
    };
    let failed = |reason: String| Failure::Unavailable(format!("the upload failed: {reason}"));
    tokio::select! {
        sent = request.send() => sent.map_err(|error| failed(cause(&error))),
        () = stalled => Err(failed("it did not go on".to_owned())),
    }
}

fn content_type(path: &Path) -> Result<&'static str, Failure> {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default().to_ascii_lowercase();
    let known = TYPES.iter().find(|(name, _)| *name == end).map(|(_, content_type)| *content_type);
    known.ok_or_else(|| {
        let names = TYPES.map(|(name, _)| name).join(", ");
        Failure::Usage(format!("{} has no type that can be uploaded; those are {names}", path.display()))
    })
}

/// A file of known size, read as it is sent.
struct FileBody {
    file: File,
    left: u64,
    bar: ProgressBar,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(this.left).unwrap_or(PART).min(PART);
        let mut bytes = vec![0; most];
        let mut part = ReadBuf::new(&mut bytes);
        match Pin::new(&mut this.file).poll_read(context, &mut part) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) => {
                let read = part.filled().len();
                if read == 0 {
                    let shorter = "the file became shorter while it was uploaded";
                    return Poll::Ready(Some(Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, shorter))));
                }
                bytes.truncate(read);
                this.left -= read as u64;
                this.bar.inc(read as u64);
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(bytes)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn types_follow_the_name() {
        assert_eq!(content_type(Path::new("a/Talk.MP4")).unwrap(), "video/mp4");
        for name in ["talk", "talk.avi", ".mp4"] {
            assert!(matches!(content_type(Path::new(name)), Err(Failure::Usage(_))), "{name}");
        }
    }

    #[tokio::test]
    async fn an_upload_lasts_as_long_as_it_goes_on() {
        // A server that answers once the file has had time to go on several times, or never.
        for (answers, is_sent) in [(true, true), (false, false)] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = url::Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
            let (bar, stall) = (ProgressBar::hidden(), Duration::from_secs(1));
            let serves = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let steps = if answers { 20 } else { 0 };
                for _ in 0..steps {
                    bar.inc(1);
                    tokio::time::sleep(stall / 10).await;
                }
                if answers {
                    stream.write_all(b"HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                }
                std::future::pending::<()>().await;
            };
            let request = super::super::sender(&url).unwrap().put(url).body("x");
            let sent = tokio::select! {
                sent = send(request, &bar, stall) => sent,
                () = serves => unreachable!("it waits for the end of the test"),
            };
            assert_eq!(sent.is_ok(), is_sent, "{sent:?}");
        }
    }

    #[tokio::test]
    async fn a_file_is_sent_in_parts_up_to_the_size_that_was_declared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("film.mp4");
        let content: Vec<u8> = (0..PART + 1000).map(|number| number as u8).collect();
        std::fs::write(&path, &content).unwrap();
        for (left, expected) in [(content.len(), Some(content.len())), (10, Some(10)), (content.len() + 1, None)] {
            let file = File::open(&path).await.unwrap();
            let body = FileBody { file, left: left as u64, bar: ProgressBar::hidden() };
            let sent = body.collect().await.ok().map(http_body_util::Collected::to_bytes);
            assert_eq!(sent.as_ref().map(Bytes::len), expected);
            assert!(sent.is_none_or(|sent| content.starts_with(&sent)));
        }
    }
}

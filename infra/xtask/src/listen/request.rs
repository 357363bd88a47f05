//! Reads one HTTP request within limits, and rejects it with a status if it is too large or malformed.

use std::io::{self, BufRead, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Maximum bytes of a body.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// Maximum bytes of the request line and the headers, of a chunk's size line, and of the trailers.
pub const HEAD_LIMIT: usize = 32 * 1024;
/// Maximum number of headers.
const FIELDS_LIMIT: usize = 100;

/// What a connection sent.
#[derive(Debug)]
pub enum Incoming {
    /// A POST.
    Webhook(Request),
    /// GET /, for example of a browser.
    Index,
    /// The connection was closed before a request.
    Closed,
}

/// A POST request.
#[derive(Debug)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// The body's raw bytes.
    pub body: Vec<u8>,
    /// Headers, names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    /// The first header of this name; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        first(&self.headers, name).unwrap_or_default()
    }
}

/// Why a request is rejected.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// HTTP status.
    pub status: u16,
    /// The reason, for the terminal.
    pub reason: String,
}

/// A connection whose reads fail after a deadline.
pub struct DeadlineReader<'a> {
    /// The connection.
    pub stream: &'a TcpStream,
    /// The deadline of all reads together.
    pub deadline: Instant,
}

impl Read for DeadlineReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        self.stream.read(buffer)
    }
}

/// Reads a request. `send_continue` is called if the sender waits for it before the body (`Expect: 100-continue`).
///
/// # Errors
/// Returns status and reason of the rejection.
pub fn read(reader: &mut impl BufRead, send_continue: impl FnOnce() -> io::Result<()>) -> Result<Incoming, Rejection> {
    let Some(head) = read_head(reader)? else {
        return Ok(Incoming::Closed);
    };
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_LIMIT];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(&head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("the headers are incomplete")),
        Err(httparse::Error::TooManyHeaders) => return Err(rejected(431, format!("more than {FIELDS_LIMIT} headers"))),
        Err(error) => return Err(malformed(format!("not HTTP/1.1: {error}"))),
    }
    let (method, path) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    match (method, path) {
        ("POST", _) => {}
        ("GET", "/") => return Ok(Incoming::Index),
        _ => return Err(rejected(405, format!("{method} {path}: webhooks are sent by POST"))),
    }
    let text = |field: &httparse::Header<'_>| {
        (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
    };
    let headers: Vec<(String, String)> = parsed.headers.iter().map(text).collect();
    let length = body_length(&headers)?;
    if first(&headers, "expect").is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue")) {
        send_continue().map_err(|error| broken(&error))?;
    }
    let body = match length {
        Length::Known(length) => read_exactly(reader, length)?,
        Length::Chunked => read_chunks(reader)?,
    };
    Ok(Incoming::Webhook(Request { path: path.to_owned(), body, headers }))
}

/// How the length of the body is known.
enum Length {
    Known(usize),
    Chunked,
}

fn body_length(headers: &[(String, String)]) -> Result<Length, Rejection> {
    let all = |wanted: &'static str| headers.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value);
    let mut lengths = all("content-length");
    if let Some(coding) = all("transfer-encoding").next() {
        return match (coding.eq_ignore_ascii_case("chunked"), lengths.next(), all("transfer-encoding").count()) {
            (true, None, 1) => Ok(Length::Chunked),
            (_, Some(_), _) => Err(malformed("Content-Length and Transfer-Encoding must not be combined")),
            _ => Err(rejected(501, "Transfer-Encoding must be `chunked`")),
        };
    }
    let Some(length) = lengths.next() else {
        return Ok(Length::Known(0));
    };
    if lengths.any(|other| other != length) {
        return Err(malformed("two different Content-Length headers"));
    }
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("Content-Length is not a number"));
    }
    match length.parse() {
        Ok(length) if length <= BODY_LIMIT => Ok(Length::Known(length)),
        // A number that overflows usize is too large as well.
        _ => Err(too_large()),
    }
}

/// Everything up to and including the empty line; none if the sender sent nothing.
fn read_head(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>, Rejection> {
    let mut head = Vec::new();
    loop {
        let line = read_line(reader, HEAD_LIMIT - head.len())?;
        match line.as_slice() {
            b"" if head.is_empty() => return Ok(None),
            b"" => return Err(malformed("the sender closed the connection before the end of the headers")),
            // Empty lines before a request are ignored (RFC 9112, 2.2).
            b"\r\n" | b"\n" if !head.is_empty() => {
                head.extend(line);
                return Ok(Some(head));
            }
            _ => head.extend(line),
        }
    }
}

/// A line with its line break; empty at the end of the stream.
fn read_line(reader: &mut impl BufRead, limit: usize) -> Result<Vec<u8>, Rejection> {
    let mut line = Vec::new();
    reader.take(limit as u64).read_until(b'\n', &mut line).map_err(|error| broken(&error))?;
    if line.len() == limit && !line.ends_with(b"\n") {
        return Err(rejected(431, "the headers must not exceed 32 KiB"));
    }
    Ok(line)
}

fn read_exactly(reader: &mut impl BufRead, length: usize) -> Result<Vec<u8>, Rejection> {
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body).map_err(|error| broken(&error))?;
    if body.len() < length {
        return Err(malformed("the sender closed the connection before the end of the body"));
    }
    Ok(body)
}

fn read_chunks(reader: &mut impl BufRead) -> Result<Vec<u8>, Rejection> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader, HEAD_LIMIT)?;
        let size = match httparse::parse_chunk_size(&line) {
            // httparse reads a line without any digit as zero.
            Ok(httparse::Status::Complete((_, size))) if line[0].is_ascii_hexdigit() => size,
            _ => return Err(malformed("the size of a chunk is not a number")),
        };
        let left = BODY_LIMIT - body.len();
        match usize::try_from(size) {
            Ok(0) => break,
            Ok(size) if size <= left => body.extend(read_exactly(reader, size)?),
            _ => return Err(too_large()),
        }
        if read_exactly(reader, 2)? != b"\r\n" {
            return Err(malformed("a chunk does not end with a line break"));
        }
    }
    let mut left = HEAD_LIMIT;
    loop {
        // Trailers are ignored.
        let line = read_line(reader, left)?;
        left -= line.len();
        match line.as_slice() {
            b"" => return Err(malformed("the sender closed the connection before the end of the body")),
            b"\r\n" | b"\n" => return Ok(body),
            _ => {}
        }
    }
}

fn first<'a>(headers: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

fn rejected(status: u16, reason: impl Into<String>) -> Rejection {
    Rejection { status, reason: reason.into() }
}

fn malformed(reason: impl Into<String>) -> Rejection {
    rejected(400, reason)
}

fn too_large() -> Rejection {
    rejected(413, "the body must not exceed 1 MiB")
}

fn broken(error: &io::Error) -> Rejection {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => rejected(408, "the request was not complete in time"),
        _ => malformed(format!("the connection failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(mut sent: &[u8]) -> Result<Incoming, Rejection> {
        read(&mut sent, || Ok(()))
    }

    fn status(sent: impl AsRef<[u8]>) -> u16 {
        match read_all(sent.as_ref()) {
            Ok(Incoming::Webhook(_)) => 200,
            Ok(Incoming::Index) => 1,
            Ok(Incoming::Closed) => 0,
            Err(rejection) => rejection.status,
        }
    }

    fn body(sent: &str) -> Vec<u8> {
        match read_all(sent.as_bytes()) {
            Ok(Incoming::Webhook(request)) => request.body,
            other => panic!("{sent:?}: {other:?}"),
        }
    }

    #[test]
    fn a_body_has_its_length_or_chunks_or_is_empty() {
        assert_eq!(body("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{ }rest"), b"{ }");
        assert_eq!(body("\r\nPOST / HTTP/1.0\r\n\r\n"), b"");
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(
            body(&format!("{chunked}1;x=y\r\n{{\r\n0000A\r\n\r\n23456789\r\n0\r\nTrailer: x\r\n\r\n")),
            b"{\r\n23456789"
        );
        assert_eq!(body(&format!("{chunked}0\r\n\r\n")), b"");
    }

    #[test]
    fn each_kind_of_rejection_has_its_status() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let cases = [
            (0, String::new()),
            (1, "GET / HTTP/1.1\r\n\r\n".to_owned()),
            (405, "GET /x HTTP/1.1\r\n\r\n".to_owned()),
            (405, "PUT / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n".to_owned()),
            (400, "\r\n\r\n".to_owned()),
            (400, "POST / HTTP/2.0\r\n\r\n".to_owned()),
            (400, "\u{16}\u{3}\u{1}\n\n".to_owned()),
            (400, "POST / HTTP/1.1\r\nno colon\r\n\r\n".to_owned()),
            (400, "POST / HTTP/1.1\r\nContent-Length: 3".to_owned()),
            (400, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}".to_owned()),
            (400, "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n{ }".to_owned()),
            (400, "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n{ }".to_owned()),
            (400, "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{ }".to_owned()),
            (400, "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}".to_owned()),
            (501, "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned()),
            (413, format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", BODY_LIMIT + 1)),
            (413, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_owned()),
            (413, format!("{chunked}100001\r\n")),
            (413, format!("{chunked}2\r\n{{}}\r\nfffff\r\n")),
            (413, format!("{chunked}fffffffffffffff\r\n")),
            (400, format!("{chunked}ffffffffffffffffff\r\n")),
            (400, format!("{chunked}\r\n\r\n")),
            (400, format!("{chunked}-1\r\n")),
            (400, format!("{chunked}2\r\n{{}}xx0\r\n\r\n")),
            (400, format!("{chunked}0\r\n")),
            (400, chunked.to_owned()),
            (431, format!("POST / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(HEAD_LIMIT))),
            (431, format!("POST /{} HTTP/1.1\r\n\r\n", "x".repeat(HEAD_LIMIT))),
            (431, format!("POST / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(FIELDS_LIMIT + 1))),
        ];
        for (expected, sent) in cases {
            assert_eq!(status(&sent), expected, "{:?}", sent.chars().take(100).collect::<String>());
        }
    }

    /// Truncated requests and requests with any changed byte get a response, never a panic.
    #[test]
    fn truncated_and_changed_requests_are_answered() {
        let whole = b"POST /h HTTP/1.1\r\nTransfer-Encoding: chunked\r\nwebhook-id: \xff\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        assert_eq!(status(whole), 200);
        for end in 0..whole.len() {
            assert_eq!(status(&whole[..end]), if end == 0 { 0 } else { 400 }, "{end}");
        }
        for position in 0..whole.len() {
            for byte in [0, b'\n', b'\r', b' ', b'0', b'f', b':', 0x7f, 0xff] {
                let mut changed = whole.to_vec();
                changed[position] = byte;
                assert!([200, 400, 405, 413, 501].contains(&status(&changed)), "{position} {byte}");
            }
        }
    }

    #[test]
    fn a_sender_that_expects_100_continue_gets_it_unless_the_body_is_too_large() {
        for (length, expected) in [(2, true), (BODY_LIMIT + 1, false)] {
            let sent = format!("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n{{}}");
            let mut continued = false;
            let read = read(&mut sent.as_bytes(), || {
                continued = true;
                Ok(())
            });
            assert_eq!((continued, read.is_ok()), (expected, expected));
        }
    }
}

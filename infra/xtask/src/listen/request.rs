//! One request of whoever calls: read within limits, and refused with a status where it is too much or no HTTP.

use std::io::{self, BufRead, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes of a body.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// Bytes of the request line and the headers, and of what stands around chunks.
pub const HEAD_LIMIT: usize = 32 * 1024;
/// Headers of one request.
const FIELDS_LIMIT: usize = 100;

/// What came over a connection.
#[derive(Debug)]
pub enum Arrival {
    /// A POST.
    Webhook(Request),
    /// GET /: somebody looks what this is.
    Visit,
    /// The connection was closed before it said anything.
    Nothing,
}

/// A POST, as it came.
#[derive(Debug)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// The body's raw bytes.
    pub body: Vec<u8>,
    /// Names are in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    /// The first header of this name; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        first(&self.headers, name).unwrap_or_default()
    }
}

/// Why a request is not taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// For the person who listens.
    pub why: String,
}

/// A connection that has to say all by a certain moment.
pub struct Patient<'a> {
    /// The connection.
    pub stream: &'a TcpStream,
    /// The moment.
    pub until: Instant,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        self.stream.read(buffer)
    }
}

/// Reads a request. `go_on` is called where the sender waits to be told to send the body (`Expect: 100-continue`).
///
/// # Errors
/// Says how to refuse it.
pub fn read(reader: &mut impl BufRead, go_on: impl FnOnce() -> io::Result<()>) -> Result<Arrival, Refusal> {
    let Some(head) = read_head(reader)? else {
        return Ok(Arrival::Nothing);
    };
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_LIMIT];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(&head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("the head is not whole")),
        Err(httparse::Error::TooManyHeaders) => return Err(refused(431, format!("more than {FIELDS_LIMIT} headers"))),
        Err(error) => return Err(malformed(format!("no HTTP/1.1: {error}"))),
    }
    let (method, path) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    match (method, path) {
        ("POST", _) => {}
        ("GET", "/") => return Ok(Arrival::Visit),
        _ => return Err(refused(405, format!("{method} {path}: webhooks are POSTs"))),
    }
    let text = |field: &httparse::Header<'_>| {
        (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
    };
    let headers: Vec<(String, String)> = parsed.headers.iter().map(text).collect();
    let length = body_length(&headers)?;
    if first(&headers, "expect").is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue")) {
        go_on().map_err(|error| broken(&error))?;
    }
    let body = match length {
        Length::Known(length) => read_exactly(reader, length)?,
        Length::Chunked => read_chunks(reader)?,
    };
    Ok(Arrival::Webhook(Request { path: path.to_owned(), body, headers }))
}

/// How the end of the body is told.
enum Length {
    Known(usize),
    Chunked,
}

fn body_length(headers: &[(String, String)]) -> Result<Length, Refusal> {
    let all = |wanted: &'static str| headers.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value);
    let mut lengths = all("content-length");
    if let Some(coding) = all("transfer-encoding").next() {
        return match (coding.eq_ignore_ascii_case("chunked"), lengths.next(), all("transfer-encoding").count()) {
            (true, None, 1) => Ok(Length::Chunked),
            (_, Some(_), _) => Err(malformed("both Content-Length and Transfer-Encoding")),
            _ => Err(refused(501, "a Transfer-Encoding other than chunked")),
        };
    }
    let Some(length) = lengths.next() else {
        return Ok(Length::Known(0));
    };
    if lengths.any(|other| other != length) {
        return Err(malformed("two Content-Lengths"));
    }
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("Content-Length is no number"));
    }
    match length.parse() {
        Ok(length) if length <= BODY_LIMIT => Ok(Length::Known(length)),
        // What does not fit a usize is too large as well.
        _ => Err(too_large()),
    }
}

/// All until the empty line; none where nothing came.
fn read_head(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>, Refusal> {
    let mut head = Vec::new();
    loop {
        let line = read_line(reader, HEAD_LIMIT - head.len())?;
        match line.as_slice() {
            b"" if head.is_empty() => return Ok(None),
            b"" => return Err(malformed("the sender closed before the end of the headers")),
            // An empty line before a request does not count (RFC 9112, 2.2).
            b"\r\n" | b"\n" if !head.is_empty() => {
                head.extend(line);
                return Ok(Some(head));
            }
            _ => head.extend(line),
        }
    }
}

/// A line with its end; empty where there is nothing more.
fn read_line(reader: &mut impl BufRead, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut line = Vec::new();
    reader.take(limit as u64).read_until(b'\n', &mut line).map_err(|error| broken(&error))?;
    if line.len() == limit && !line.ends_with(b"\n") {
        return Err(refused(431, "the headers are larger than 32 KiB"));
    }
    Ok(line)
}

fn read_exactly(reader: &mut impl BufRead, length: usize) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body).map_err(|error| broken(&error))?;
    if body.len() < length {
        return Err(malformed("the sender closed before the end of the body"));
    }
    Ok(body)
}

fn read_chunks(reader: &mut impl BufRead) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader, HEAD_LIMIT)?;
        let size = match httparse::parse_chunk_size(&line) {
            // It takes a line without any digit for a zero.
            Ok(httparse::Status::Complete((_, size))) if line[0].is_ascii_hexdigit() => size,
            _ => return Err(malformed("a chunk's size is no number")),
        };
        let left = BODY_LIMIT - body.len();
        match usize::try_from(size) {
            Ok(0) => break,
            Ok(size) if size <= left => body.extend(read_exactly(reader, size)?),
            _ => return Err(too_large()),
        }
        if read_exactly(reader, 2)? != b"\r\n" {
            return Err(malformed("a chunk does not end where it should"));
        }
    }
    let mut left = HEAD_LIMIT;
    loop {
        // Trailers are passed over.
        let line = read_line(reader, left)?;
        left -= line.len();
        match line.as_slice() {
            b"" => return Err(malformed("the sender closed before the end of the body")),
            b"\r\n" | b"\n" => return Ok(body),
            _ => {}
        }
    }
}

fn first<'a>(headers: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

fn refused(status: u16, why: impl Into<String>) -> Refusal {
    Refusal { status, why: why.into() }
}

fn malformed(why: impl Into<String>) -> Refusal {
    refused(400, why)
}

fn too_large() -> Refusal {
    refused(413, "the body is larger than 1 MiB")
}

fn broken(error: &io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => refused(408, "the request did not come to its end in time"),
        _ => malformed(format!("the connection broke: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(mut sent: &[u8]) -> Result<Arrival, Refusal> {
        read(&mut sent, || Ok(()))
    }

    fn status(sent: impl AsRef<[u8]>) -> u16 {
        match read_all(sent.as_ref()) {
            Ok(Arrival::Webhook(_)) => 200,
            Ok(Arrival::Visit) => 1,
            Ok(Arrival::Nothing) => 0,
            Err(refusal) => refusal.status,
        }
    }

    fn body(sent: &str) -> Vec<u8> {
        match read_all(sent.as_bytes()) {
            Ok(Arrival::Webhook(request)) => request.body,
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
    fn what_is_no_webhook_is_told_by_its_status() {
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

    /// Whole or not, and with any byte in any place: an answer, and no panic.
    #[test]
    fn each_part_and_each_changed_byte_of_a_request_is_answered() {
        let whole = b"POST /h HTTP/1.1\r\nTransfer-Encoding: chunked\r\nwebhook-id: \xff\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        assert_eq!(status(whole), 200);
        for end in 0..whole.len() {
            assert_eq!(status(&whole[..end]), if end == 0 { 0 } else { 400 }, "{end}");
        }
        for place in 0..whole.len() {
            for byte in [0, b'\n', b'\r', b' ', b'0', b'f', b':', 0x7f, 0xff] {
                let mut changed = whole.to_vec();
                changed[place] = byte;
                assert!([200, 400, 405, 413, 501].contains(&status(&changed)), "{place} {byte}");
            }
        }
    }

    #[test]
    fn a_sender_that_asks_first_is_told_to_go_on_unless_it_is_too_much() {
        for (length, expected) in [(2, true), (BODY_LIMIT + 1, false)] {
            let sent = format!("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n{{}}");
            let mut told = false;
            let read = read(&mut sent.as_bytes(), || {
                told = true;
                Ok(())
            });
            assert_eq!((told, read.is_ok()), (expected, expected));
        }
    }
}

//! Server-sent events, as the HTML Standard (9.2) says: lines to events, within a limit.

use std::collections::VecDeque;
use std::time::Duration;

/// An event, or the lines of one, have at most this many bytes.
const MAX_EVENT: usize = 1024 * 1024;
/// The longest wait that a stream may ask for.
const LONGEST_RETRY: Duration = Duration::from_secs(120);

/// A block of lines of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The position after it.
    pub id: Option<String>,
    /// Its content.
    pub data: Option<String>,
    /// When to open the stream again after it has ended.
    pub retry: Option<Duration>,
}

/// An event is too large.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Reads the bytes of a stream.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return, which a line feed may follow.
    after_return: bool,
    event: Event,
    events: VecDeque<Event>,
}

impl Parser {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    self.end_line();
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.event.data.as_ref().map_or(0, String::len) > MAX_EVENT {
                return Err(TooLarge);
            }
        }
        Ok(())
    }

    /// The next event that is complete.
    pub fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if event != Event::default() {
                self.events.push_back(event);
            }
            return;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.event.data = Some(value.to_owned()),
            },
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                let ms = value.parse().unwrap_or(u64::MAX);
                self.event.retry = Some(Duration::from_millis(ms).min(LONGEST_RETRY));
            }
            // Comments, names of events, and what later versions may add.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str, size: usize) -> Vec<Event> {
        let mut parser = Parser::default();
        for part in text.as_bytes().chunks(size) {
            parser.feed(part).unwrap();
        }
        std::iter::from_fn(|| parser.pop()).collect()
    }

    fn event(id: Option<&str>, data: Option<&str>, retry_ms: Option<u64>) -> Event {
        Event { id: id.map(str::to_owned), data: data.map(str::to_owned), retry: retry_ms.map(Duration::from_millis) }
    }

    #[test]
    fn a_stream_is_read_whatever_its_parts() {
        // As in docs/contract/live.md, Job stream.
        let text = "retry: 1000\n\nid: 3\n\ndata: {\"type\":\"connected\"}\n\nid: 4.0\ndata: {\"progress\":0}\n\n";
        let expected = [
            event(None, None, Some(1000)),
            event(Some("3"), None, None),
            event(None, Some("{\"type\":\"connected\"}"), None),
            event(Some("4.0"), Some("{\"progress\":0}"), None),
        ];
        for size in 1..text.len() {
            assert_eq!(events(text, size), expected, "{size}");
            assert_eq!(events(&text.replace('\n', "\r\n"), size), expected, "{size}");
            assert_eq!(events(&text.replace('\n', "\r"), size), expected, "{size}");
        }
    }

    #[test]
    fn odd_lines_are_read_as_the_standard_says() {
        let text = ": comment\nevent: status\ndata:a\ndata: b\ndata\nid\nretry: soon\n\n\n\ndata: unfinished";
        assert_eq!(events(text, 7), [event(Some(""), Some("a\nb\n"), None)]);
        assert_eq!(events("retry: 99999999999999999999999\n\n", 9), [event(None, None, Some(120_000))]);
    }

    #[test]
    fn a_large_event_is_refused() {
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(MAX_EVENT / 2));
        assert_eq!(parser.feed(line.as_bytes()), Ok(()));
        assert_eq!(parser.feed(line.as_bytes()), Err(TooLarge));
    }
}

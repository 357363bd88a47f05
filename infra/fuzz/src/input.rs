//! An input as a sequence of choices: structured values are made of bytes, so that any bytes make one, similar bytes make
//! similar ones, and a coverage-guided engine can steer what is made. Choices beyond the end are the first ones.

use serde_json::{Map, Number, Value};

/// Texts that parsers treat in their own ways.
const TEXTS: [&str; 52] = [
    "",
    " ",
    "0",
    "-1",
    "1.0",
    "1e400",
    "9007199254740993",
    "18446744073709551616",
    "true",
    "null",
    "none",
    "*",
    "job.*",
    "job.completed",
    "job_1704110400000_0001",
    "proj_1",
    "scene_001",
    "550e8400-e29b-41d4-a716-446655440000",
    "clip_550e8400-e29b-41d4-a716-446655440000",
    "ep_0123456789abcdef0123456789abcdef",
    "rec_0123456789abcdef0123456789abcdef",
    "trigger_1",
    "err_1",
    "US",
    "netflix",
    "Horror",
    "completed",
    "failed",
    "processing",
    "operator",
    "https://client.example/hook?x=1#y",
    "http://127.0.0.1:8080/",
    "https://user:password@client.example/",
    "https://bücher.example/ü",
    "s3://reelhook-bucket/clips/x.mp4",
    "javascript:alert(1)",
    "uploads/0123456789abcdef0123456789abcdef.png",
    "../../etc/passwd",
    "2024-01-01T12:00:00Z",
    "2024-02-30T25:61:61Z",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "12.0",
    "MTIuMA",
    "arn:aws:sqs:us-east-1:000000000000:queue",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "Zoë 🎬 \u{202e}right",
    "a\u{0}b\r\nc\u{7f}",
    "é\u{301}\u{feff}\u{fffd}",
    "$serde_json::private::RawValue",
    "gzip",
    "multipart/form-data; boundary=b",
];

/// The longest text that is made of a few repeated characters, in characters.
const LONG: usize = 5000;

/// A sequence of choices.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    /// The choices of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether no choice is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        let wide = if end > 256 { usize::from(self.byte()) << 8 } else { 0 };
        (wide + usize::from(self.byte())) % end
    }

    /// Whether something happens.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Whether something rare happens: once in `times`, and never at the end.
    pub fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of several things.
    ///
    /// # Panics
    /// Without any.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// A number, often one at which something changes.
    pub fn whole(&mut self) -> i64 {
        const EDGES: [i64; 14] =
            [0, 1, -1, 2, 10, 100, 255, 1000, 65_536, 1 << 31, 1 << 53, (1 << 53) + 1, i64::MAX, i64::MIN];
        match self.below(4) {
            0 => i64::from(self.byte()),
            1 | 2 => *self.pick(&EDGES),
            _ => (0..8).fold(0, |number, _| number << 8 | i64::from(self.byte())),
        }
    }

    /// A text: a known one, a few characters, or a long one.
    pub fn text(&mut self) -> String {
        match self.below(8) {
            0..=4 => (*self.pick(&TEXTS)).to_owned(),
            5 | 6 => {
                let length = self.below(24);
                String::from_utf8_lossy(self.bytes(length)).into_owned()
            }
            _ => {
                let part = *self.pick(&["a", "é", "0", "[", "\"", "\u{1f3ac}", " ", "a.b-c_d"]);
                part.repeat(self.below(LONG))
            }
        }
    }

    /// Any JSON value, at most so deep.
    pub fn json(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 7 } else { 11 }) {
            0 => Value::Null,
            1 => Value::Bool(self.flag()),
            2 => self.whole().into(),
            3 => {
                let bits = (0..8).fold(0, |bits, _| bits << 8 | u64::from(self.byte()));
                Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number)
            }
            4..=6 => Value::String(self.text()),
            7 | 8 => {
                let count = self.below(4);
                (0..count).map(|_| self.json(depth - 1)).collect()
            }
            _ => {
                let count = self.below(4);
                let members = (0..count).map(|_| (self.text(), self.json(depth - 1)));
                Value::Object(members.collect::<Map<String, Value>>())
            }
        }
    }

    /// At most so many of the next bytes.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(most.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }

    /// All bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }
}

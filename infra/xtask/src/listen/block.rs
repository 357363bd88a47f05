//! How a webhook is shown: one block of lines, in which nothing that a stranger sent can steer the terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reelhook_receiver::Refused;
use serde_json::Value;

use super::judge::Verdict;
use super::request::Request;
use crate::{ui, visible};

/// Bytes of a body that are shown.
const BODY_SHOWN: usize = 4096;
/// Characters of a header that are shown.
const HEADER_SHOWN: usize = 200;

/// Colours, where a person sees them.
#[derive(Clone, Copy, Debug)]
pub struct Paint(bool);

impl Paint {
    /// No colours.
    #[cfg(test)]
    pub const PLAIN: Self = Self(false);

    /// Whether standard output takes colours, and nobody asked for none (<https://no-color.org>).
    pub fn of_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Self(std::io::stdout().is_terminal() && !unwanted && !dumb)
    }

    fn with(self, code: u8, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.with(1, text)
    }

    fn dim(self, text: &str) -> String {
        self.with(2, text)
    }

    fn red(self, text: &str) -> String {
        self.with(31, text)
    }

    fn green(self, text: &str) -> String {
        self.with(32, text)
    }

    fn yellow(self, text: &str) -> String {
        self.with(33, text)
    }
}

/// What is known of a webhook that came.
pub struct Shown<'a> {
    /// The webhook.
    pub request: &'a Request,
    /// When it came.
    pub now: SystemTime,
    /// How many came with its `webhook-id`, this one among them.
    pub repeat: u64,
    /// Who signed it.
    pub verdict: &'a Verdict,
    /// Which secret made the StreamGank header; none where there is no such header, or no secret.
    pub streamgank: Option<Option<usize>>,
    /// The status that it is answered.
    pub answer: u16,
    /// Whether the body is shown as it came.
    pub raw: bool,
}

impl Shown<'_> {
    /// The block, with an empty line behind it.
    pub fn text(&self, paint: Paint) -> String {
        let request = self.request;
        let mut lines = Vec::new();
        let mut line =
            |name: &str, value: String| lines.push(format!("  {}{value}\n", paint.dim(&format!("{name:<14}"))));
        let id = request.header("webhook-id");
        if !id.is_empty() {
            let repeat = if self.repeat > 1 { format!("   repeat {}", self.repeat) } else { String::new() };
            line("webhook-id", format!("{}{}", shortened(id), paint.yellow(&repeat)));
        }
        let marks = self.marks();
        if !marks.is_empty() {
            line("marks", marks.join(", "));
        }
        if let Some(age) = self.age() {
            line("signed", age);
        }
        match self.verdict {
            Verdict::By(names) => line("verified", paint.green(&shortened(&names.join(", ")))),
            Verdict::Refused(why) => line("NOT VERIFIED", paint.red(&self.reason(*why))),
            Verdict::NoKeys => line("not verified", paint.yellow("no secret and no public key is known")),
        }
        match self.streamgank {
            Some(Some(number)) => line("streamgank", paint.green(&format!("by secret {number}"))),
            Some(None) => line("streamgank", paint.red("none of the secrets made x-streamgank-signature")),
            None => {}
        }
        let path = if request.path == "/" { String::new() } else { format!("  {}", shortened(&request.path)) };
        let answer = paint.dim(&format!("answered {}", self.answer));
        let body = if self.raw { as_it_came(&request.body) } else { indented(&request.body) };
        let (time, event) = (paint.dim(&clock(self.now)), paint.bold(&self.event()));
        format!("{time}  {event}{path}  {answer}\n{}{body}\n\n", lines.concat())
    }

    fn event(&self) -> String {
        let header = self.request.header("x-streamgank-event");
        if !header.is_empty() {
            return shortened(header);
        }
        let body: Value = serde_json::from_slice(&self.request.body).unwrap_or_default();
        body["event"].as_str().map_or_else(|| "(no event)".to_owned(), shortened)
    }

    fn marks(&self) -> Vec<String> {
        let (sequence, replay) = (self.request.header("webhook-sequence"), self.request.header("webhook-replay"));
        let mut marks = Vec::new();
        if !sequence.is_empty() {
            marks.push(format!("sequence {}", shortened(sequence)));
        }
        match replay {
            "" => {}
            "true" => marks.push("replay".to_owned()),
            other => marks.push(format!("replay `{}`", shortened(other))),
        }
        marks
    }

    fn age(&self) -> Option<String> {
        let timestamp = self.request.header("webhook-timestamp");
        let now = since_1970(self.now).as_secs();
        match timestamp.parse::<u64>() {
            _ if timestamp.is_empty() => None,
            Ok(signed) if signed > now => Some(format!("{} from now", whole_seconds(signed - now))),
            Ok(signed) => Some(format!("{} ago", whole_seconds(now - signed))),
            Err(_) => Some(format!("at `{}`, which is no number of seconds", shortened(timestamp))),
        }
    }

    /// With what helps to see why.
    fn reason(&self, why: Refused) -> String {
        match why {
            Refused::Missing => {
                let needed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
                let missing: Vec<&str> =
                    needed.into_iter().filter(|name| self.request.header(name).is_empty()).collect();
                format!("{why}: {}", missing.join(", "))
            }
            Refused::Mismatch => {
                let tokens = self.request.header("webhook-signature").split(' ');
                let versions: Vec<&str> = tokens.filter_map(|token| Some(token.split_once(',')?.0)).collect();
                format!("{why}; it has tokens of {}", shortened(&versions.join(", ")))
            }
            Refused::Malformed | Refused::TooOld | Refused::TooNew => why.to_string(),
        }
    }
}

/// The line of a request that was not taken.
pub fn refusal(status: u16, why: &str, now: SystemTime, paint: Paint) -> String {
    format!("{}  {}\n\n", paint.dim(&clock(now)), paint.red(&format!("refused with {status}: {}", shortened(why))))
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `17:31:02.114Z`: UTC, as in the functions' log.
fn clock(time: SystemTime) -> String {
    let since = since_1970(time);
    let of_day = since.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}Z", of_day / 3600, of_day / 60 % 60, of_day % 60, since.subsec_millis())
}

fn whole_seconds(count: u64) -> String {
    if count < 60 { format!("{count} s") } else { ui::seconds(Duration::from_secs(count)) }
}

/// JSON on several lines; anything else as it came.
fn indented(body: &[u8]) -> String {
    let pretty = serde_json::from_slice::<Value>(body).and_then(|value| serde_json::to_string_pretty(&value));
    let shown = pretty.map_or_else(|_| as_it_came(body), |pretty| cut(&pretty));
    format!("  {}", shown.replace('\n', "\n  "))
}

fn as_it_came(body: &[u8]) -> String {
    if body.is_empty() { "(no body)".to_owned() } else { cut(&String::from_utf8_lossy(body)) }
}

fn cut(text: &str) -> String {
    let (shown, rest) = text.split_at(text.floor_char_boundary(BODY_SHOWN));
    let mark = if rest.is_empty() { String::new() } else { format!("\n[cut: {} more]", ui::bytes(rest.len() as u64)) };
    format!("{}{mark}", visible::lines(shown))
}

/// One line of something that anybody may have sent.
fn shortened(text: &str) -> String {
    let shown: String = text.chars().take(HEADER_SHOWN).collect();
    let more = text.chars().nth(HEADER_SHOWN).map_or("", |_| "…");
    format!("{}{more}", visible::line(&shown))
}

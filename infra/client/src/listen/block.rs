//! How a webhook is printed: as one block of lines, in which untrusted text is escaped.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reelhook_receiver::Refused;
use reelhook_terminal::ui::{self, Colours};
use reelhook_terminal::visible;
use serde_json::{Value, json};

use super::request::Request;
use super::verifier::Verdict;

/// Printed bytes of a body.
const PRINTED_BODY_BYTES: usize = 4096;
/// Printed characters of a header.
const PRINTED_HEADER_CHARS: usize = 200;

/// A received webhook, as it is printed.
pub struct Block<'a> {
    /// The request.
    pub request: &'a Request,
    /// Time of arrival.
    pub now: SystemTime,
    /// How many webhooks with its `webhook-id` have arrived so far, this one included.
    pub repeat: u64,
    /// The result of the verification.
    pub verdict: &'a Verdict,
    /// Which secret made the StreamGank signature, if any; none if there is no such header, or no secret.
    pub streamgank: Option<Option<usize>>,
    /// Status of the response.
    pub status: u16,
}

impl Block<'_> {
    /// The block, followed by an empty line; the body unformatted if `raw`.
    pub fn text(&self, colours: Colours, raw: bool) -> String {
        let request = self.request;
        let mut lines = Vec::new();
        let mut line =
            |name: &str, value: String| lines.push(format!("  {}{value}\n", colours.dim(&format!("{name:<14}"))));
        let id = request.header("webhook-id");
        if !id.is_empty() {
            let repeat = if self.repeat > 1 { format!("   repeat {}", self.repeat) } else { String::new() };
            line("webhook-id", format!("{}{}", shortened(id), colours.yellow(&repeat)));
        }
        let marks = self.marks();
        if !marks.is_empty() {
            line("marks", marks.join(", "));
        }
        if let Some(age) = self.age() {
            line("signed", age);
        }
        match self.verdict {
            Verdict::SignedBy(names) => line("verified", colours.green(&shortened(&names.join(", ")))),
            Verdict::Refused(cause) => line("NOT VERIFIED", colours.red(&self.reason(*cause))),
            Verdict::NoKeys => line("not verified", colours.yellow("no secret or public key was given")),
        }
        match self.streamgank {
            Some(Some(number)) => line("streamgank", colours.green(&format!("by secret {number}"))),
            Some(None) => line("streamgank", colours.red("x-streamgank-signature matches no secret")),
            None => {}
        }
        let path = if request.path == "/" { String::new() } else { format!("  {}", shortened(&request.path)) };
        let status = colours.dim(&format!("answered {}", self.status));
        let body = if raw { unformatted(&request.body) } else { indented(&request.body) };
        let (time, event) = (colours.dim(&clock(self.now)), colours.bold(&self.event()));
        format!("{time}  {event}{path}  {status}\n{}{body}\n\n", lines.concat())
    }

    /// The same as JSON, on one line. A body that is not JSON is a text.
    pub fn json(&self) -> String {
        let request = self.request;
        let (signed_by, reason) = match self.verdict {
            Verdict::SignedBy(names) => (json!(names), Value::Null),
            Verdict::Refused(cause) => (json!([]), json!(self.reason(*cause))),
            Verdict::NoKeys => (json!([]), json!("no secret or public key was given")),
        };
        let text = || Value::from(String::from_utf8_lossy(&request.body).into_owned());
        let webhook = json!({
            "receivedAt": u64::try_from(since_1970(self.now).as_millis()).unwrap_or(u64::MAX),
            "event": self.event(),
            "webhookId": request.header("webhook-id"),
            "repeat": self.repeat,
            "verified": matches!(self.verdict, Verdict::SignedBy(_)),
            "signedBy": signed_by,
            "reason": reason,
            "path": request.path,
            "status": self.status,
            "body": serde_json::from_slice(&request.body).unwrap_or_else(|_| text()),
        });
        format!("{}\n", visible::json_line(&webhook))
    }

    /// The event in the header of StreamGank or VidBuilder, else in the envelope or the payload of Standard Webhooks. A
    /// notification of VidBuilder has a `type` too, which is the video's.
    fn event(&self) -> String {
        let headers = ["x-streamgank-event", "x-webhook-event"].map(|name| self.request.header(name));
        if let Some(header) = headers.into_iter().find(|header| !header.is_empty()) {
            return shortened(header);
        }
        let body: Value = serde_json::from_slice(&self.request.body).unwrap_or_default();
        let event = body["event"].as_str().or_else(|| body["type"].as_str());
        event.map_or_else(|| "(no event)".to_owned(), shortened)
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
            Ok(signed) if signed > now => Some(format!("{} in the future", whole_seconds(signed - now))),
            Ok(signed) => Some(format!("{} ago", whole_seconds(now - signed))),
            Err(_) => Some(format!("at `{}`, which is not a number of seconds", shortened(timestamp))),
        }
    }

    /// Why the webhook was refused, with details.
    fn reason(&self, cause: Refused) -> String {
        match cause {
            Refused::Missing => {
                let needed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
                let missing: Vec<&str> =
                    needed.into_iter().filter(|name| self.request.header(name).is_empty()).collect();
                format!("{cause}: {}", missing.join(", "))
            }
            Refused::Mismatch => {
                let tokens = self.request.header("webhook-signature").split(' ');
                let versions: Vec<&str> = tokens.filter_map(|token| Some(token.split_once(',')?.0)).collect();
                format!("{cause}; its versions are {}", shortened(&versions.join(", ")))
            }
            Refused::Malformed | Refused::TooOld | Refused::TooNew => cause.to_string(),
        }
    }
}

/// The line for a request that is no webhook.
pub fn problem(text: &str, now: SystemTime, colours: Colours) -> String {
    format!("{}  {}\n\n", colours.dim(&clock(now)), colours.red(&shortened(text)))
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `17:31:02.114Z`: UTC, as in the function logs.
fn clock(time: SystemTime) -> String {
    let since = since_1970(time);
    let of_day = since.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}Z", of_day / 3600, of_day / 60 % 60, of_day % 60, since.subsec_millis())
}

fn whole_seconds(count: u64) -> String {
    if count < 60 { format!("{count} s") } else { ui::seconds(Duration::from_secs(count)) }
}

/// JSON on several lines; anything else unformatted.
fn indented(body: &[u8]) -> String {
    let pretty = serde_json::from_slice::<Value>(body).and_then(|value| serde_json::to_string_pretty(&value));
    let shown = pretty.map_or_else(|_| unformatted(body), |pretty| truncated(&pretty));
    format!("  {}", shown.replace('\n', "\n  "))
}

fn unformatted(body: &[u8]) -> String {
    if body.is_empty() { "(no body)".to_owned() } else { truncated(&String::from_utf8_lossy(body)) }
}

fn truncated(text: &str) -> String {
    let (shown, rest) = text.split_at(text.floor_char_boundary(PRINTED_BODY_BYTES));
    let mark =
        if rest.is_empty() { String::new() } else { format!("\n[truncated: {} more]", ui::bytes(rest.len() as u64)) };
    format!("{}{mark}", visible::lines(shown))
}

/// Untrusted text, shortened and on one line.
fn shortened(text: &str) -> String {
    let shown: String = text.chars().take(PRINTED_HEADER_CHARS).collect();
    let more = text.chars().nth(PRINTED_HEADER_CHARS).map_or("", |_| "…");
    format!("{}{more}", visible::line(&shown))
}

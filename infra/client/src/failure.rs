//! Why a command fails, and its exit code.

use std::fmt;

use reelhook_terminal::visible;
use serde_json::Value;

/// What --help says about exit codes.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a file, a port or the output could not be used
  2    wrong use or configuration
  3    the API refused the request, or the id is not known
  4    the API could not be reached, or failed
  5    the work failed or was cancelled, or a webhook was not delivered
  6    the work has not ended
  130  interrupted; what was submitted goes on";

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or the configuration is wrong.
    #[error("{0}")]
    Usage(String),
    /// The API answered with an error.
    #[error("{0}")]
    Refused(Refusal),
    /// The API did not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The work failed or was cancelled.
    #[error("{0}")]
    Ended(String),
    /// The work has not ended.
    #[error("{0}")]
    Unfinished(String),
    /// A file, a port or the like could not be used.
    #[error("{0:#}")]
    Local(anyhow::Error),
    /// The reader of the output has closed it: nobody misses the rest.
    #[error("the output is closed")]
    OutputClosed,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// The exit code of the program.
    pub fn code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Local(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(refusal) if refusal.is_ours() => 4,
            Self::Refused(_) => 3,
            Self::Unavailable(_) => 4,
            Self::Ended(_) => 5,
            Self::Unfinished(_) => 6,
            Self::Interrupted => 130,
        }
    }

    /// Whether the request may have been done although it failed.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Refused(refusal) => refusal.status >= 500,
            Self::Usage(_)
            | Self::Ended(_)
            | Self::Unfinished(_)
            | Self::Local(_)
            | Self::OutputClosed
            | Self::Interrupted => false,
        }
    }

    /// The status of the API's answer, if there is one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            Self::Usage(_)
            | Self::Unavailable(_)
            | Self::Ended(_)
            | Self::Unfinished(_)
            | Self::Local(_)
            | Self::OutputClosed
            | Self::Interrupted => None,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Local(error)
    }
}

/// An answer of the API that is an error. Its sentences are those of the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    sentence: String,
    code: Option<String>,
    request_id: Option<String>,
}

/// Characters of a sentence that are shown.
const SENTENCE_CHARS: usize = 1000;
/// The code of a caller who has made as many jobs as it may make in a day. The next attempt may succeed after midnight.
const DAILY_LIMIT: &str = "daily_limit";

impl Refusal {
    /// Reads the body of an error, in the form of any family.
    pub fn read(status: u16, body: &Value) -> Self {
        let cut = |text: &str| visible::line(&text.chars().take(SENTENCE_CHARS).collect::<String>());
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(cut);
        // Some families have a title in one member and the details in another; others have the same text in both.
        let mut sentences: Vec<String> = Vec::new();
        for sentence in ["error", "message", "hint"].into_iter().filter_map(text) {
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        let sentence = match sentences.is_empty() {
            true => format!("the answer has status {status} and says no more"),
            false => sentences.join(" "),
        };
        Self { status, sentence, code: text("code"), request_id: text("request_id") }
    }

    /// Whether the same request may succeed within minutes.
    pub fn is_ours(&self) -> bool {
        (self.status == 429 && self.code.as_deref() != Some(DAILY_LIMIT)) || self.status >= 500
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence)?;
        let code = self.code.clone().unwrap_or_else(|| format!("status {}", self.status));
        match &self.request_id {
            Some(id) => write!(formatter, " ({code}, request {id})"),
            None => write!(formatter, " ({code})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(status: u16, body: &Value, expected: &str) {
        assert_eq!(Refusal::read(status, body).to_string(), expected);
    }

    #[test]
    fn errors_of_each_family_are_shown_in_their_own_sentences() {
        let streamgank = json!({ "success": false, "message": "Job not found", "error": "Job not found",
            "code": "job_not_found", "request_id": "363bd296" });
        check(404, &streamgank, "Job not found (job_not_found, request 363bd296)");
        let vidbuilder = json!({ "error": "Invalid webhook URL format.",
            "message": "Please provide a valid HTTP/HTTPS URL.", "receivedUrl": "x", "code": "webhook_url_format" });
        check(
            400,
            &vidbuilder,
            "Invalid webhook URL format. Please provide a valid HTTP/HTTPS URL. (webhook_url_format)",
        );
        check(413, &json!({ "message": "Request Too Long" }), "Request Too Long (status 413)");
        check(502, &Value::Null, "the answer has status 502 and says no more (status 502)");
    }

    #[test]
    fn sentences_cannot_control_the_terminal() {
        check(400, &json!({ "error": "\u{1b}[2Jx\ny", "code": "\u{9b}1m" }), "\\u{1b}[2Jx\\ny (\\u{9b}1m)");
        let endless = Refusal::read(400, &json!({ "error": "é".repeat(1_000_000) })).to_string();
        assert_eq!(endless.chars().count(), 1000 + " (status 400)".len());
    }

    #[test]
    fn each_kind_of_failure_has_its_code_in_the_help() {
        let refused = |status| Failure::Refused(Refusal::read(status, &Value::Null));
        let all = [
            Failure::OutputClosed,
            Failure::Local(anyhow::anyhow!("x")),
            Failure::Usage(String::new()),
            refused(404),
            Failure::Refused(Refusal::read(429, &json!({ "code": "daily_limit" }))),
            refused(429),
            refused(503),
            Failure::Unavailable(String::new()),
            Failure::Ended(String::new()),
            Failure::Unfinished(String::new()),
            Failure::Interrupted,
        ];
        assert_eq!(all.each_ref().map(Failure::code), [0, 1, 2, 3, 3, 4, 4, 4, 5, 6, 130]);
        for code in all.iter().map(Failure::code) {
            assert!(EXIT_CODES.lines().any(|line| line.trim().starts_with(&format!("{code} "))), "{code}");
        }
    }
}

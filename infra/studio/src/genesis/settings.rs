//! How the clipping worker behaves: as the real one does, or with faults.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Clips of a job at most.
pub(crate) const MOST_CLIPS: u32 = 50;

/// The settings for one source, or for all; by default the worker behaves well.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Seed of everything random.
    pub seed: u64,
    pub submit: Submit,
    pub read: Read,
    pub job: Work,
    pub clip: Clips,
    pub report: Reports,
}

/// The answers to submissions.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Submit {
    /// Delay before the answer.
    pub delay_ms: u64,
    /// Submissions are refused with this status, such as 422 or 503.
    pub status: Option<u16>,
    /// Why they are refused.
    pub detail: Option<Value>,
    /// The wait in seconds that a refusal asks for, in the header Retry-After.
    pub retry_after: Option<u64>,
    /// Only this many submissions are refused, dropped or lost.
    pub times: Option<u64>,
    /// Percentage of submissions whose connection is closed before they are accepted.
    pub drop_percent: u64,
    /// Percentage of accepted submissions whose answer is lost.
    pub lose_percent: u64,
    /// What happens instead of a lost answer.
    pub lose_with: Loss,
}

/// How an answer is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Loss {
    /// The connection is closed.
    #[default]
    Close,
    /// The answer is a 500 of an unhandled exception: plain text.
    Error,
    /// The answer is a 502 of a gateway.
    Gateway,
    /// There is never an answer.
    Hang,
    /// The answer is a 200 without the job's id.
    NoId,
    /// The answer is a 200 whose JSON is cut off.
    Garbage,
    /// Each of these but `hang`, in turn.
    Mixed,
}

/// The answers to reads and cancellations of jobs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Read {
    /// Delay before the answer.
    pub delay_ms: u64,
    /// GETs get this status.
    pub status: Option<u16>,
    /// Only this many GETs get it.
    pub times: Option<u64>,
    /// The worker has forgotten its jobs: 404.
    pub forget: bool,
    /// DELETE gets this status.
    pub cancel_status: Option<u16>,
}

/// The work on a job.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Work {
    /// Its time in the queue.
    pub queued_ms: u64,
    /// Its duration after that, at least as long as ffmpeg needs.
    pub ms: Option<u64>,
    /// The first jobs of a source fail.
    pub fail_first: u64,
    /// Message of these failures.
    pub error: Option<String>,
    /// The first jobs of a source are accepted and then forgotten, as by a restart: 404, and no report.
    pub forget_first: u64,
    /// Jobs never end.
    pub endless: bool,
    /// The source is downloaded first, and the job fails if it can't be.
    pub fetch: bool,
    /// `source_video_duration_seconds` of the output.
    pub source_seconds: Option<f64>,
}

/// The clips of a job.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Clips {
    /// Prepared files of 64x36 pixels and 0.5 s instead of those that ffmpeg makes.
    pub fast: bool,
    /// So many clips, instead of as many as were asked for.
    pub count: Option<u32>,
    /// How reports name files.
    pub named: Naming,
    /// There are neither a transcript nor a plan.
    pub no_documents: bool,
}

/// How reports name files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Naming {
    /// `/app/output/<job>/clip_00.mp4`: the path on the worker's disk.
    #[default]
    Path,
    /// `/outputs/<job>/clip_00.mp4`
    Outputs,
    /// The URL at which the worker serves it.
    Url,
    /// `/outputs/../../etc/clip_00.mp4`, which must be refused.
    Escape,
    /// `s3://another-bucket/clips/clip_00.mp4`, which can't be read.
    S3,
    /// Nothing: the member is left out.
    Missing,
}

/// The reports of a job, by webhook.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reports {
    /// There are none.
    pub silent: bool,
    /// `job.started` is never sent.
    pub no_started: bool,
    /// `job.progress` is never sent.
    pub no_progress: bool,
    /// Reports of progress have the clips so far.
    pub clips: bool,
    /// So many at once.
    pub copies: Option<usize>,
    /// Delay of each.
    pub delay_ms: u64,
    /// Additional random delay of each, up to this: they overtake each other.
    pub disorder_ms: u64,
    /// The end is reported before the submission is answered.
    pub early: bool,
    /// After the end, progress of 50 % is reported again.
    pub late_progress: bool,
    /// A failure has a progress of 0.
    pub zero_progress: bool,
    /// The URL's `/w/<token>` is left out.
    pub no_token: bool,
    /// `external_job_id` is left out.
    pub no_external_id: bool,
    /// Optional members are null instead of absent.
    pub nulls: bool,
    pub signature: Option<Signature>,
    /// The header of the signature.
    pub header: SignatureHeader,
    /// Wrong reports before the end.
    pub wrong: Vec<Wrong>,
}

/// The signature of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signature {
    /// `sha256=` and hexadecimal digits.
    Valid,
    /// Hexadecimal digits alone.
    Bare,
    /// None.
    None,
    /// With another secret.
    Wrong,
    /// The body is changed by one byte after it was signed.
    Flipped,
    /// No hexadecimal digits.
    Malformed,
}

/// The header of a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignatureHeader {
    /// `X-Genesis-Webhook-Signature`
    #[default]
    Genesis,
    /// `X-Webhook-Signature`
    Webhook,
    /// `Authorization`
    Authorization,
}

/// Reports that say what is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wrong {
    /// A job that does not exist, to the URL without a token.
    UnknownJob,
    /// Neither an event nor ids.
    Empty,
    /// An unknown event and an unknown status.
    UnknownEvent,
    /// A body that is not JSON.
    Garbage,
    /// A failure of a job that did not fail, unsigned and to the URL without a token.
    Forged,
}

impl Settings {
    /// # Errors
    /// Names the unknown member, the wrong type or the value out of range.
    pub(crate) fn parse(settings: Value) -> Result<Self, String> {
        let settings: Self = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        let Read { status: read, cancel_status, .. } = settings.read;
        let statuses =
            [("submit.status", settings.submit.status), ("read.status", read), ("read.cancel_status", cancel_status)];
        for (name, status) in statuses {
            if let Some(status) = status.filter(|status| !(200..600).contains(status)) {
                return Err(format!("`{name}` must be a status from 200 to 599 (got {status})"));
            }
        }
        let Submit { drop_percent, lose_percent, .. } = settings.submit;
        let percentages = [("submit.drop_percent", drop_percent), ("submit.lose_percent", lose_percent)];
        if let Some((name, percent)) = percentages.into_iter().find(|(_, percent)| *percent > 100) {
            return Err(format!("`{name}` must be at most 100 (got {percent})"));
        }
        if let Some(count) = settings.clip.count.filter(|count| *count > MOST_CLIPS) {
            return Err(format!("`clip.count` must be at most {MOST_CLIPS} (got {count})"));
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_settings_are_explained() {
        let check = |settings: Value, expected: &str| {
            let error = Settings::parse(settings).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(json!({"submit": {"lose": 30}}), "unknown field `lose`");
        check(json!({"submit": {"lose_percent": 130}}), "`submit.lose_percent` must be at most 100 (got 130)");
        check(json!({"read": {"cancel_status": 42}}), "`read.cancel_status` must be a status from 200 to 599 (got 42)");
        check(json!({"report": {"wrong": ["url"]}}), "unknown variant `url`");
        check(json!({"clip": {"count": 51}}), "`clip.count` must be at most 50 (got 51)");
    }

    #[test]
    fn settings_may_be_partial() {
        let settings = Settings::parse(json!({"job": {"forget_first": 1}, "report": {"copies": 20}})).unwrap();
        assert_eq!((settings.job.forget_first, settings.report.copies), (1, Some(20)));
        assert_eq!((settings.submit.lose_with, settings.clip.named), (Loss::Close, Naming::Path));
    }
}

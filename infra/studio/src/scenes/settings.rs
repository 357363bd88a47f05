//! How a service of scenes behaves: as real ones do, or with faults.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// The settings of one service; by default it behaves well.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Seed of everything random.
    pub seed: u64,
    pub submit: Submit,
    pub status: Poll,
    pub task: Work,
    pub callback: Callback,
    pub file: Files,
}

/// The answers to submissions.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Submit {
    /// Delay before the answer.
    pub delay_ms: u64,
    /// Submissions are refused with this status and not billed.
    pub status: Option<u16>,
    /// Only this many submissions are refused, dropped or lost.
    pub times: Option<u64>,
    /// The wait in seconds that a refusal asks for.
    pub retry_after: Option<u64>,
    /// Where a refusal says so; both places by default.
    pub retry_in: Option<RetryPlace>,
    /// Percentage of submissions whose connection is closed before they are accepted: not billed.
    pub drop_percent: u64,
    /// Percentage of accepted and billed submissions whose answer is lost.
    pub lose_percent: u64,
    /// What happens instead of a lost answer.
    pub lose_with: Loss,
    /// A repeated Idempotency-Key gets the first answer and starts nothing.
    pub idempotent: bool,
    /// Maximum of videos in a stitch (default 10).
    pub max_videos: Option<usize>,
    /// The answer names a `status_url`, and the task is unknown at the usual URL of its status.
    pub status_url: bool,
}

/// Where a refusal says how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RetryPlace {
    /// The member `retry_after` of the body.
    Body,
    /// The header Retry-After.
    Header,
}

/// How an answer is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Loss {
    /// The connection is closed.
    #[default]
    Close,
    /// The answer is a 500.
    Error,
    /// There is never an answer.
    Hang,
    /// The answer is a 200 without the task's id.
    NoId,
    /// The answer is a 200 whose body is not JSON.
    Garbage,
    /// Each of these in turn.
    Mixed,
}

/// The answers to requests for a status, a list or a cancellation.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Poll {
    /// Delay before the answer.
    pub delay_ms: u64,
    /// GETs get this status.
    pub status: Option<u16>,
    /// Only this many GETs get it.
    pub times: Option<u64>,
    /// The service has forgotten its tasks: 404, and lists are empty.
    pub forget: bool,
    /// The service has no list of a project's tasks: 404.
    pub no_list: bool,
    /// The service can't cancel: 405.
    pub no_cancel: bool,
}

/// The work on a task.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Work {
    /// Its duration, at least as long as ffmpeg needs.
    pub ms: Option<u64>,
    /// The first tasks of a scene (or of a project's stitch) fail.
    pub fail_first: u64,
    /// Percentage of the other tasks that fail.
    pub fail_percent: u64,
    /// Message of these failures.
    pub error: Option<String>,
    /// Tasks never end.
    pub endless: bool,
}

/// The callbacks of a task.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Callback {
    /// The right callbacks are not sent; those of `wrong` are.
    pub silent: bool,
    /// Each callback is sent this many times at once.
    pub copies: Option<usize>,
    /// Delay after the end of the task.
    pub delay_ms: u64,
    /// A random delay of up to this is added to each callback.
    pub disorder_ms: u64,
    /// Callbacks report progress too.
    pub progress: bool,
    /// The task ends, and its callback is sent, before its submission is answered.
    pub early: bool,
    /// The token in the callback's URL is left out.
    pub no_token: bool,
    pub signature: Option<Signature>,
    pub form: Option<Form>,
    /// Wrong callbacks that are sent before the right one.
    pub wrong: Vec<Wrong>,
}

/// How callbacks are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signature {
    /// The hexadecimal HMAC-SHA256, if a secret is configured.
    Valid,
    /// The same after `sha256=`.
    Prefixed,
    /// No header.
    None,
    /// Made with another secret.
    Wrong,
    /// No hexadecimal digits, of another length.
    Malformed,
}

/// The members of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// As the real services send it: nested in `result`, with ids in `metadata` or without any.
    Nested,
    /// The same with `media_url` instead of `video_url`.
    Media,
    /// The members of seed 003, with ids.
    Flat,
}

/// Callbacks that say what is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wrong {
    /// Completed, without a URL.
    NoUrl,
    /// An unknown status.
    Status,
    /// A scene and a project that do not exist, to the URL without a token.
    UnknownScene,
    /// The ids of another scene, to the URL with the token.
    OtherIds,
    /// The id of another task.
    OtherTask,
    /// A failure of a task that did not fail.
    Failed,
    /// A body that is not JSON.
    Garbage,
}

/// The files that tasks make.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Files {
    /// A prepared file of 64x36 pixels and 0.5 s instead of one that ffmpeg makes.
    pub fast: bool,
    /// Size, rate and length instead of those that are asked for.
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub fps: Option<f64>,
    pub seconds: Option<f64>,
    /// The stream has B-frames.
    pub b_frames: bool,
    /// The frame rate varies.
    pub vfr: bool,
    /// The video has sound.
    pub sound: bool,
    /// The links expire this long after the task's end.
    pub link_ms: Option<u64>,
    /// Tasks have no thumbnail.
    pub no_thumbnail: bool,
    /// The score in callbacks.
    pub quality_score: Option<Number>,
}

impl Settings {
    /// # Errors
    /// Names the unknown member, the wrong type or the value out of range.
    pub(crate) fn parse(settings: Value) -> Result<Self, String> {
        let settings: Self = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        let statuses = [("submit.status", settings.submit.status), ("status.status", settings.status.status)];
        for (name, status) in statuses {
            if let Some(status) = status.filter(|status| !(200..600).contains(status)) {
                return Err(format!("`{name}` must be a status from 200 to 599 (got {status})"));
            }
        }
        let Submit { drop_percent, lose_percent, .. } = settings.submit;
        let percentages = [
            ("submit.drop_percent", drop_percent),
            ("submit.lose_percent", lose_percent),
            ("task.fail_percent", settings.task.fail_percent),
        ];
        if let Some((name, percent)) = percentages.into_iter().find(|(_, percent)| *percent > 100) {
            return Err(format!("`{name}` must be at most 100 (got {percent})"));
        }
        let Files { width, height, fps, seconds, .. } = settings.file;
        let sizes = [("width", width), ("height", height)];
        if let Some((name, size)) = sizes.into_iter().find(|(_, size)| size.is_some_and(|s| !(16..=4096).contains(&s)))
        {
            return Err(format!("`file.{name}` must be from 16 to 4096 (got {})", size.unwrap_or_default()));
        }
        let lengths = [("fps", fps, 120.0), ("seconds", seconds, 600.0)];
        for (name, value, most) in lengths {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && *value <= most)) {
                return Err(format!("`file.{name}` must be above 0 and at most {most} (got {value})"));
            }
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
        check(json!({"status": {"status": 42}}), "`status.status` must be a status from 200 to 599 (got 42)");
        check(json!({"callback": {"wrong": ["url"]}}), "unknown variant `url`");
        check(json!({"file": {"width": 5}}), "`file.width` must be from 16 to 4096 (got 5)");
        check(json!({"file": {"fps": 0.0}}), "`file.fps` must be above 0 and at most 120 (got 0)");
    }

    #[test]
    fn settings_may_be_partial() {
        let settings = Settings::parse(json!({"task": {"fail_first": 2}, "callback": {"copies": 20}})).unwrap();
        assert_eq!((settings.task.fail_first, settings.callback.copies), (2, Some(20)));
        assert_eq!(settings.submit.lose_with, Loss::Close);
    }
}

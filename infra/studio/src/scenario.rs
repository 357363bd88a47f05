//! How the worker behaves for a job: as real workers do, or in one of the ways in which things go wrong.

use serde::{Deserialize, Serialize};

use crate::options::{Kinds, Options, in_text, merged, typed};

const KINDS: Kinds = Kinds {
    flags: &["garbage", "no_render", "render_fail", "before_id", "extraction_only"],
    texts: &["error", "vanish"],
    lists: &["late"],
};

/// Steps are numbered 0 (started), 1-7 (the work), 8 (completed).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Scenario {
    /// How long each step takes.
    pub step_ms: Option<u64>,
    /// This step fails with `error`; 8 sends "Workflow Failed".
    pub fail: Option<u8>,
    /// Only the first so many attempts of a job fail.
    pub fail_attempts: Option<u64>,
    /// Falls silent for ever after this step.
    pub stall: Option<u8>,
    /// Each callback is sent so many times.
    pub repeat: Option<u32>,
    /// Callbacks are sent shuffled, in windows of so many.
    pub reorder: Option<usize>,
    /// The shuffle's seed.
    pub seed: Option<u64>,
    /// These steps' callbacks are sent again at the end.
    pub late: Vec<u8>,
    /// A malformed callback follows each good one.
    pub garbage: bool,
    /// POST /worker/jobs answers with this status.
    pub answer: Option<u16>,
    /// Only for the first so many POSTs of a job; `vanish` heeds it too.
    pub answer_times: Option<u64>,
    /// Seconds, in the Retry-After header beside `answer`.
    pub retry_after: Option<u64>,
    /// The text of every error that this scenario makes.
    pub error: Option<String>,
    /// Nothing is heard of the job any more.
    pub vanish: Option<Vanish>,
    /// No render is made, and step 8 carries neither id nor video.
    pub no_render: bool,
    /// The render fails.
    pub render_fail: bool,
    /// How long the render takes.
    pub render_ms: Option<u64>,
    /// Stops after step 1, whatever pauseAfterExtraction says; false: never stops there.
    pub extraction_only: Option<bool>,
    /// Creatomate's callback is sent before the step that tells its id.
    pub before_id: bool,
}

/// Where a worker vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Vanish {
    /// Accepts the job and never calls.
    After,
    /// Closes the connection without an answer and forgets the job.
    Post,
    /// Starts the job, but the connection closes before the answer.
    Answer,
}

impl Scenario {
    /// The scenario that a control request describes.
    ///
    /// # Errors
    /// A sentence that names the unknown option, the wrong type or the value out of range.
    pub(crate) fn of_settings(mut settings: Options) -> Result<Self, String> {
        let shorthand = settings
            .get("vanish")
            .is_some_and(|value| value == true || value.as_str().is_some_and(|text| matches!(text, "" | "1" | "true")));
        if shorthand {
            settings.insert("vanish".to_owned(), "after".into());
        }
        let scenario: Self = typed(settings)?;
        match scenario.answer {
            Some(status) if !(200..600).contains(&status) => {
                Err(format!("option `answer` takes a status from 200 to 599, not {status}"))
            }
            _ => Ok(scenario),
        }
    }

    /// The scenario of one job: settings for all jobs, overridden by the job's `template`.
    ///
    /// # Errors
    /// As for settings.
    pub(crate) fn of_job(settings: &Options, template: &str) -> Result<Self, String> {
        Self::of_settings(merged(settings, in_text(template, &KINDS)?))
    }

    /// The sentence for a failure of this scenario.
    pub(crate) fn error_or(&self, usual: &str) -> String {
        self.error.clone().unwrap_or_else(|| usual.to_owned())
    }

    /// The Creatomate template id that makes the render behave.
    pub(crate) fn render_template(&self, template: &str) -> String {
        let mut options = Vec::new();
        if self.before_id {
            options.push("render_ms=0".to_owned());
        } else if let Some(ms) = self.render_ms {
            options.push(format!("render_ms={ms}"));
        }
        if self.render_fail {
            options.push("fail".to_owned());
            if let Some(error) = &self.error {
                options.push(format!("error_message={}", escaped(error)));
            }
        }
        if options.is_empty() && !template.starts_with("studio:") {
            return format!("streamgank-{template}");
        }
        format!("studio:{}", options.join("&"))
    }
}

/// Percent-encoded for a query.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// SplitMix64: the same seed gives the same order on every machine.
pub(crate) struct Shuffle(pub u64);

impl Shuffle {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            items.swap(last, other as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(value: serde_json::Value) -> Options {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_job_overrides_the_settings() {
        let settings = options(json!({"step_ms": 20, "fail": 3}));
        let scenario = Scenario::of_job(&settings, "studio:fail=5&late=1,2&vanish").unwrap();
        assert_eq!(scenario.step_ms, Some(20));
        assert_eq!(scenario.fail, Some(5));
        assert_eq!(scenario.late, [1, 2]);
        assert_eq!(scenario.vanish, Some(Vanish::After));
        assert_eq!(Scenario::of_job(&settings, "auto").unwrap().fail, Some(3));
    }

    #[test]
    fn a_typing_error_is_a_sentence() {
        let error = Scenario::of_job(&Options::new(), "studio:fial=3").unwrap_err();
        assert!(error.contains("unknown field `fial`"), "{error}");
        let error = Scenario::of_settings(options(json!({"answer": 42}))).unwrap_err();
        assert_eq!(error, "option `answer` takes a status from 200 to 599, not 42");
    }

    #[test]
    fn the_render_is_told_by_its_template() {
        let check = |template: &str, expected: &str| {
            let scenario = Scenario::of_job(&Options::new(), template).unwrap();
            assert_eq!(scenario.render_template(template), expected);
        };
        check("auto", "streamgank-auto");
        check("studio:step_ms=1", "studio:");
        check("studio:render_ms=5", "studio:render_ms=5");
        check("studio:render_fail&error=no clip&before_id", "studio:render_ms=0&fail&error_message=no%20clip");
    }

    #[test]
    fn a_shuffle_keeps_everything_and_repeats_itself() {
        let shuffled = |seed| {
            let mut items = [0, 1, 2, 3, 4, 5, 6, 7];
            Shuffle(seed).shuffle(&mut items);
            items
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}

//! How the external worker behaves for a job: as real workers do, or with a fault.

use serde::{Deserialize, Serialize};

use crate::options::{OptionKinds, Options, merged, parse_text, typed};

const KINDS: OptionKinds = OptionKinds {
    flags: &["garbage", "no_render", "render_fail", "before_id", "extraction_only"],
    texts: &["error", "vanish"],
    lists: &["late"],
};

/// The behaviour for one job. Steps are numbered 0 (started), 1 to 7 (the work) and 8 (completed).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Duration of each step.
    pub step_ms: Option<u64>,
    /// This step fails with `error`; 8 sends "Workflow Failed".
    pub fail: Option<u8>,
    /// Only this many attempts of a job fail.
    pub fail_attempts: Option<u64>,
    /// No callback is sent after this step.
    pub stall: Option<u8>,
    /// Each callback is sent this many times.
    pub repeat: Option<u32>,
    /// Callbacks are shuffled in windows of this many.
    pub reorder: Option<usize>,
    /// Seed of the shuffle.
    pub seed: Option<u64>,
    /// The callbacks of these steps are sent again at the end.
    pub late: Vec<u8>,
    /// A malformed callback follows each valid one.
    pub garbage: bool,
    /// Status of the response to POST /worker/jobs.
    pub answer: Option<u16>,
    /// `answer` and `vanish` apply only to this many POSTs of a job.
    pub answer_times: Option<u64>,
    /// Value of the Retry-After header of `answer`, in seconds.
    pub retry_after: Option<u64>,
    /// Message of every error in this scenario.
    pub error: Option<String>,
    /// The job is lost.
    pub vanish: Option<Vanish>,
    /// No render is submitted, and step 8 has neither id nor video.
    pub no_render: bool,
    /// The render fails.
    pub render_fail: bool,
    /// Duration of the render.
    pub render_ms: Option<u64>,
    /// True: ends after step 1, false: never ends there, regardless of pauseAfterExtraction.
    pub extraction_only: Option<bool>,
    /// Creatomate's callback is sent before the step that reports its id.
    pub before_id: bool,
}

/// When a worker loses the job.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Vanish {
    /// It accepts the job and never sends a callback.
    After,
    /// It closes the connection without a response and does not start the job.
    Post,
    /// It starts the job, but closes the connection without a response.
    Answer,
}

impl Scenario {
    /// Parses the scenario in a control request.
    ///
    /// # Errors
    /// Names the unknown option, the wrong type or the value out of range.
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
                Err(format!("option `answer` must be a status from 200 to 599 (got {status})"))
            }
            _ => Ok(scenario),
        }
    }

    /// The scenario of one job: the settings for all jobs, overridden by the job's `template`.
    ///
    /// # Errors
    /// As for [`Self::of_settings`].
    pub(crate) fn of_job(settings: &Options, template: &str) -> Result<Self, String> {
        Self::of_settings(merged(settings, parse_text(template, &KINDS)?))
    }

    /// The error message of this scenario.
    pub(crate) fn error_or(&self, default: &str) -> String {
        self.error.clone().unwrap_or_else(|| default.to_owned())
    }

    /// The Creatomate template id that sets the render's options.
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

/// The step of the generator's state.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The random number of this index in the sequence of a seed.
pub(crate) fn random(seed: u64, index: u64) -> u64 {
    Shuffle(seed.wrapping_add(index.wrapping_mul(GOLDEN))).next()
}

/// SplitMix64: the same seed gives the same order on every machine.
pub(crate) struct Shuffle(pub u64);

impl Shuffle {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
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
    fn invalid_options_are_named() {
        let error = Scenario::of_job(&Options::new(), "studio:fial=3").unwrap_err();
        assert!(error.contains("unknown field `fial`"), "{error}");
        let error = Scenario::of_settings(options(json!({"answer": 42}))).unwrap_err();
        assert_eq!(error, "option `answer` must be a status from 200 to 599 (got 42)");
    }

    #[test]
    fn the_template_id_sets_the_options_of_the_render() {
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
    fn a_random_number_follows_from_seed_and_index() {
        let mut sequence = Shuffle(7);
        let expected = [sequence.next(), sequence.next(), sequence.next()];
        assert_eq!([random(7, 0), random(7, 1), random(7, 2)], expected);
    }

    #[test]
    fn a_shuffle_keeps_all_items_and_is_reproducible() {
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

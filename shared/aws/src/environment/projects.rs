//! The variables of projects: the outside services, their timers, slots and prices.

use std::time::Duration;

use reelhook_app::Url;
use reelhook_app::projects::services::{has_own_path, stitch_url};
use reelhook_domain::projects::policy::{Backend, Prices, ProjectPolicy, StagePolicy};

use super::Environment;

/// Videos of scenes that outside services make at the same time, by default.
const SCENE_SLOTS: usize = 20;
/// Videos that a service joins in one stitch.
const STITCH_INPUTS: u16 = 10;
/// The most attempts of a stage before its project fails.
const MOST_ATTEMPTS: u32 = 10;
/// The highest price of a second, in dollars.
const MOST_DOLLARS: f64 = 1000.0;

impl Environment {
    /// VIDEO_GENERATION_SERVICE, or TASKS_API_URL: the service that makes the videos of scenes.
    pub fn video_service(&mut self) -> Option<Url> {
        ["VIDEO_GENERATION_SERVICE", "TASKS_API_URL"].into_iter().find_map(|name| self.optional_url(name))
    }

    /// LAST_FRAME_SERVICE_URL: the service that extracts last frames.
    pub fn frame_service(&mut self) -> Option<Url> {
        self.optional_url("LAST_FRAME_SERVICE_URL")
    }

    /// STITCH_SERVICE_URL, or else LAST_FRAME_SERVICE_URL if it takes stitches too: the service that joins videos.
    pub fn stitch_service(&mut self) -> Option<Url> {
        let last_frame = self.frame_service();
        stitch_url(self.optional_url("STITCH_SERVICE_URL"), last_frame.as_ref())
    }

    /// SCENE_SLOTS: the concurrency limit of videos that an outside service makes for scenes.
    pub fn scene_slots(&mut self) -> usize {
        self.parsed("SCENE_SLOTS", SCENE_SLOTS)
    }

    /// The projects' backends, timers and prices: [`Self::video_service`], [`Self::frame_service`],
    /// [`Self::stitch_service`], VIDEO_TASK_TIMEOUT, FRAME_TASK_TIMEOUT, STITCH_TASK_TIMEOUT, TASK_ATTEMPTS,
    /// TASK_POLL_SECONDS, SUBMIT_LEASE_SECONDS, SCENE_PRICES, PIECE_LEASE_SECONDS, HINT_GRACE_SECONDS, RETRY_DELAY_PERCENT.
    pub fn project_policy(&mut self) -> ProjectPolicy {
        let default = ProjectPolicy::default();
        let video =
            backend(self.video_service(), |url| Backend::Service { has_list: !has_own_path(url), max_inputs: 0 });
        let frame = backend(self.frame_service(), |_| Backend::Service { has_list: false, max_inputs: 0 });
        let stitch = backend(self.stitch_service(), |url| {
            let max_inputs = if has_own_path(url) { 0 } else { STITCH_INPUTS };
            Backend::Service { has_list: false, max_inputs }
        });
        let attempts = self.attempts(default.video.attempts);
        let first_poll = self.seconds("TASK_POLL_SECONDS", default.first_poll);
        let prices = match self.optional("SCENE_PRICES") {
            None => default.prices,
            Some(text) => {
                let read = parse_prices(&text).map_err(|error| format!("SCENE_PRICES: {error}"));
                self.checked(read, default.prices)
            }
        };
        ProjectPolicy {
            video: self.stage("VIDEO_TASK_TIMEOUT", default.video, video, attempts),
            frame: self.stage("FRAME_TASK_TIMEOUT", default.frame, frame, attempts),
            stitch: self.stage("STITCH_TASK_TIMEOUT", default.stitch, stitch, attempts),
            first_poll,
            longest_poll: default.longest_poll.max(first_poll),
            submit_lease: self.seconds("SUBMIT_LEASE_SECONDS", default.submit_lease),
            lookups: default.lookups,
            piece_lease: self.seconds("PIECE_LEASE_SECONDS", default.piece_lease),
            hint_grace: self.seconds("HINT_GRACE_SECONDS", default.hint_grace),
            retry_delay_percent: self.parsed("RETRY_DELAY_PERCENT", default.retry_delay_percent),
            prices,
        }
    }

    /// The policy of a stage whose deadline is in a variable.
    fn stage(&mut self, timeout: &str, default: StagePolicy, backend: Backend, attempts: u32) -> StagePolicy {
        StagePolicy { backend, deadline: self.seconds(timeout, default.deadline), attempts }
    }

    /// TASK_ATTEMPTS: the attempts of each stage before the project fails.
    fn attempts(&mut self, default: u32) -> u32 {
        let attempts = self.parsed("TASK_ATTEMPTS", default);
        let read = Some(attempts).filter(|attempts| (1..=MOST_ATTEMPTS).contains(attempts));
        self.checked(
            read.ok_or_else(|| format!("TASK_ATTEMPTS must be 1 to {MOST_ATTEMPTS} (got {attempts})")),
            default,
        )
    }

    pub(super) fn seconds(&mut self, name: &str, default: Duration) -> Duration {
        Duration::from_secs(self.parsed(name, default.as_secs()))
    }
}

/// The backend of a stage: our own renderers, unless a service is set.
fn backend(service: Option<Url>, of: impl FnOnce(&Url) -> Backend) -> Backend {
    service.map_or(Backend::Own, |url| of(&url))
}

/// Reads prices in dollars per second, such as `veo=0.1,0.05`: each entry names a model, and one may name none.
fn parse_prices(text: &str) -> Result<Prices, String> {
    let mut prices = Prices::default();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        match entry.split_once('=') {
            None => prices.default = parse_price(entry)?,
            Some((model, price)) => {
                prices.models.insert(model.trim().to_owned(), parse_price(price.trim())?);
            }
        }
    }
    Ok(prices)
}

/// Reads dollars as millionths of them.
fn parse_price(text: &str) -> Result<u64, String> {
    let dollars: Option<f64> = text.parse().ok().filter(|dollars| (0.0..=MOST_DOLLARS).contains(dollars));
    let dollars = dollars.ok_or_else(|| format!("`{text}` must be dollars per second from 0 to {MOST_DOLLARS}"))?;
    // It is at most a thousand million, which each of both types holds exactly.
    Ok((dollars * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &'static [(&'static str, &'static str)]) -> Environment {
        Environment::with(move |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn our_own_renderers_do_what_no_service_is_set_for() {
        let mut environment = environment(&[]);
        assert_eq!(environment.project_policy(), ProjectPolicy::default());
        assert_eq!(environment.scene_slots(), 20);
        environment.finish().unwrap();
    }

    #[test]
    fn each_service_has_the_capabilities_of_its_form_of_requests() {
        let backends = |variables: &'static [(&'static str, &'static str)]| {
            let mut environment = environment(variables);
            let policy = environment.project_policy();
            environment.finish().unwrap();
            [policy.video.backend, policy.frame.backend, policy.stitch.backend]
        };
        let service = |has_list, max_inputs| Backend::Service { has_list, max_inputs };
        assert_eq!(
            backends(&[
                ("TASKS_API_URL", "https://tasks.example/"),
                ("LAST_FRAME_SERVICE_URL", "https://frames.example"),
            ]),
            [service(true, 0), service(false, 0), service(false, 10)],
            "the last-frame service stitches too"
        );
        assert_eq!(
            backends(&[
                ("VIDEO_GENERATION_SERVICE", "https://tasks.example/generate"),
                ("LAST_FRAME_SERVICE_URL", "https://frames.example/extract"),
            ]),
            [service(false, 0), service(false, 0), Backend::Own]
        );
        assert_eq!(
            backends(&[("STITCH_SERVICE_URL", "https://stitch.example/join")]),
            [Backend::Own, Backend::Own, service(false, 0)]
        );
    }

    #[test]
    fn timers_slots_and_prices_are_read() {
        let mut environment = environment(&[
            ("VIDEO_TASK_TIMEOUT", "100"),
            ("FRAME_TASK_TIMEOUT", "10"),
            ("STITCH_TASK_TIMEOUT", "20"),
            ("TASK_ATTEMPTS", "10"),
            ("TASK_POLL_SECONDS", "90"),
            ("SUBMIT_LEASE_SECONDS", "30"),
            ("SCENE_SLOTS", "5"),
            ("SCENE_PRICES", "veo = 0.1, 0.05"),
            ("PIECE_LEASE_SECONDS", "9"),
        ]);
        let policy = environment.project_policy();
        let deadlines = [&policy.video, &policy.frame, &policy.stitch].map(|stage| stage.deadline.as_secs());
        assert_eq!(deadlines, [100, 10, 20]);
        assert_eq!([policy.video, policy.frame, policy.stitch].map(|stage| stage.attempts), [10, 10, 10]);
        assert_eq!([policy.first_poll, policy.longest_poll].map(|time| time.as_secs()), [90, 90]);
        assert_eq!((environment.scene_slots(), policy.piece_lease.as_secs()), (5, 9));
        assert_eq!(policy.submit_lease.as_secs(), 30);
        let prices = Prices { default: 50_000, models: [("veo".to_owned(), 100_000)].into() };
        assert_eq!(policy.prices, prices);
        environment.finish().unwrap();
    }

    #[test]
    fn tries_out_of_range_are_named() {
        for (variables, wrong) in [
            (&[("TASK_ATTEMPTS", "0")], "TASK_ATTEMPTS must be 1 to 10 (got 0)"),
            (&[("TASK_ATTEMPTS", "11")], "TASK_ATTEMPTS must be 1 to 10 (got 11)"),
        ] {
            let mut environment = environment(variables);
            assert_eq!(environment.project_policy(), ProjectPolicy::default());
            let error = environment.finish().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_price_that_is_none_is_named() {
        for (text, wrong) in [("-1", "`-1`"), ("veo=dear", "`dear`"), ("NaN", "`NaN`"), ("1001", "`1001`")] {
            let error = parse_prices(text).unwrap_err();
            assert_eq!(error, format!("{wrong} must be dollars per second from 0 to 1000"));
        }
        assert_eq!(parse_prices("").unwrap(), Prices::default());
    }
}

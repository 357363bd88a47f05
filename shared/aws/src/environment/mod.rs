//! The environment, read once at cold start; every missing or bad variable is listed in one failure.

mod clips;
mod projects;

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use reelhook_app::retention::Retention;
use reelhook_app::views::captions::CAPTIONS;
use reelhook_domain::Policy;
use reelhook_domain::videos::render::Renderer;

use crate::items::packed::StoredForm;
use crate::items::shards::{CounterShards, EndedShards};
use crate::jobs::active::shards::ActiveShards;

/// Missing and invalid variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEnvironment(Vec<String>);

impl Display for BadEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bad environment: {}", self.0.join("; "))
    }
}

impl std::error::Error for BadEnvironment {}

/// A variable's text by its name.
type Lookup = Box<dyn Fn(&str) -> Option<String> + Send>;

/// Reads variables and collects their errors.
pub struct Environment {
    lookup: Lookup,
    bad: Vec<String>,
}

impl Environment {
    /// The process's own variables.
    pub fn of_process() -> Self {
        Self::with(|name| std::env::var(name).ok())
    }

    /// Variables from elsewhere, for tests.
    pub fn with(lookup: impl Fn(&str) -> Option<String> + Send + 'static) -> Self {
        Self { lookup: Box::new(lookup), bad: Vec::new() }
    }

    /// Records an error once, even if several resources need the variable.
    fn fail(&mut self, error: String) {
        if !self.bad.contains(&error) {
            self.bad.push(error);
        }
    }

    /// An optional variable; an empty one counts as missing.
    pub fn optional(&mut self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A required variable.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.fail(format!("{name} is missing"));
            String::new()
        })
    }

    /// A list, separated by commas.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.optional(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A variable with a default.
    pub fn parsed<T: FromStr>(&mut self, name: &str, default: T) -> T
    where
        T::Err: Display,
    {
        match self.optional(name).map(|text| text.parse()) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(error)) => {
                self.fail(format!("{name}: {error}"));
                default
            }
        }
    }

    /// A required URL.
    pub fn url(&mut self, name: &str) -> reelhook_app::Url {
        let text = self.required(name);
        self.parse_url(name, &text).unwrap_or_else(no_url)
    }

    /// An optional URL.
    pub fn optional_url(&mut self, name: &str) -> Option<reelhook_app::Url> {
        let text = self.optional(name)?;
        self.parse_url(name, &text)
    }

    fn parse_url(&mut self, name: &str, text: &str) -> Option<reelhook_app::Url> {
        match reelhook_app::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
            _ if text.is_empty() => None,
            _ => {
                self.fail(format!("{name} is not an http or https URL"));
                None
            }
        }
    }

    /// The value that was read from a variable; if that failed, records the error and uses `otherwise`.
    pub fn checked<T, E: Display>(&mut self, read: Result<T, E>, otherwise: T) -> T {
        read.unwrap_or_else(|error| {
            self.fail(error.to_string());
            otherwise
        })
    }

    /// Parses AUTH, PUBLIC_BASE_URL and CORS_ORIGINS with `read`: whether callers need a key, and which origins may call.
    pub fn site<T: Default, E: Display>(
        &mut self,
        read: impl FnOnce(Option<&str>, Option<&reelhook_app::Url>, Option<&str>) -> Result<T, E>,
    ) -> T {
        let (auth, base, cors) = (self.optional("AUTH"), self.public_base(), self.optional("CORS_ORIGINS"));
        self.checked(read(auth.as_deref(), base.as_ref(), cors.as_deref()), T::default())
    }

    /// Whether AUTH is `none`, as on a laptop: callers need no key, and webhooks no secret.
    pub fn needs_no_keys(&mut self) -> bool {
        self.optional("AUTH").as_deref() == Some("none")
    }

    /// Parses OUTBOUND_ALLOW and the address of the Runtime API with `read`: which addresses may be called.
    pub fn outbound<T: Default, E: Display>(&mut self, read: impl FnOnce(&str, Option<&str>) -> Result<T, E>) -> T {
        let allow = self.optional("OUTBOUND_ALLOW").unwrap_or_default();
        let runtime = self.optional("AWS_LAMBDA_RUNTIME_API");
        self.checked(read(&allow, runtime.as_deref()), T::default())
    }

    /// ALLOW_HTTP_WEBHOOKS: whether webhooks may be sent to http URLs.
    pub fn allows_http(&mut self) -> bool {
        self.parsed("ALLOW_HTTP_WEBHOOKS", false)
    }

    /// MAX_WORKERS: the concurrency limit of runs.
    pub fn max_workers(&mut self) -> usize {
        self.parsed("MAX_WORKERS", 3)
    }

    /// FAIR_SHARE_PERCENT: the part of the slots that one owner or key holds at most.
    pub fn fair_share_percent(&mut self) -> usize {
        self.parsed("FAIR_SHARE_PERCENT", 100)
    }

    /// ACTIVE_SHARDS and ACTIVE_SHARDS_BEFORE: the shards of the index of jobs under way, now and before.
    pub fn active_shards(&mut self) -> ActiveShards {
        ActiveShards::new(self.parsed("ACTIVE_SHARDS", 1), self.parsed("ACTIVE_SHARDS_BEFORE", 1))
    }

    /// ENDED_SHARDS and ENDED_SHARDS_BEFORE: the shards of the indexes of what has ended, now and before.
    pub fn ended_shards(&mut self) -> EndedShards {
        EndedShards::new(self.parsed("ENDED_SHARDS", 1), self.parsed("ENDED_SHARDS_BEFORE", 1))
    }

    /// RETENTION: how long what has ended is kept.
    pub fn retention(&mut self) -> Retention {
        self.parsed("RETENTION", Retention::default())
    }

    /// COUNTER_SHARDS: the shards of the counters of ended jobs.
    pub fn counter_shards(&mut self) -> CounterShards {
        CounterShards::new(self.parsed("COUNTER_SHARDS", 1))
    }

    /// ADMISSION_SHARDS: the rows that grant slots to runs.
    pub fn admission_shards(&mut self) -> usize {
        self.parsed("ADMISSION_SHARDS", 1)
    }

    /// STORED_FORM: whether slots of runs get numbers, which functions of versions before 0.3 can't read.
    pub fn has_numbered_slots(&mut self) -> bool {
        self.parsed("STORED_FORM", StoredForm::default()) == StoredForm::Compressed
    }

    /// PUBLIC_BASE_URL, or one of the names that the four original systems used (docs/contract/README.md, Settings).
    pub fn public_base(&mut self) -> Option<reelhook_app::Url> {
        ["PUBLIC_BASE_URL", "API_BASE_URL", "NEXT_PUBLIC_APP_URL", "WEBHOOK_BASE_URL"]
            .into_iter()
            .find_map(|name| self.optional_url(name))
    }

    /// [`Self::public_base`], if it is required.
    pub fn required_public_base(&mut self) -> reelhook_app::Url {
        self.public_base().unwrap_or_else(|| {
            self.fail("PUBLIC_BASE_URL is missing".to_owned());
            no_url()
        })
    }

    /// RENDERER: `own` or `creatomate`.
    pub fn renderer(&mut self) -> Renderer {
        match self.optional("RENDERER").as_deref() {
            None | Some("own") => Renderer::Own,
            Some("creatomate") => Renderer::Creatomate,
            Some(other) => {
                self.fail(format!("RENDERER must be `own` or `creatomate` (got `{other}`)"));
                Renderer::Own
            }
        }
    }

    /// API_CALLS_PER_MINUTE: the rate limit of each caller.
    pub fn calls_per_minute(&mut self) -> u32 {
        self.parsed("API_CALLS_PER_MINUTE", 100)
    }

    /// JOB_REPORTS_PER_MINUTE: the rate limit of reports about each job.
    pub fn reports_per_minute(&mut self) -> u32 {
        self.parsed("JOB_REPORTS_PER_MINUTE", 600)
    }

    /// The jobs' timers: PROCESSING_TIMEOUT_SECONDS, RENDER_CHECK_SECONDS, RETRY_DELAY_PERCENT, CLAIM_LEASE_SECONDS,
    /// PIECE_LEASE_SECONDS, HINT_GRACE_SECONDS.
    pub fn policy(&mut self) -> Policy {
        let default = Policy::default();
        let seconds = |duration: Duration| duration.as_secs();
        let processing = self.parsed("PROCESSING_TIMEOUT_SECONDS", seconds(default.processing_timeout));
        let lease = self.parsed("CLAIM_LEASE_SECONDS", seconds(default.claim_lease));
        let piece = self.parsed("PIECE_LEASE_SECONDS", seconds(default.piece_lease));
        let grace = self.parsed("HINT_GRACE_SECONDS", seconds(default.hint_grace));
        let percent = self.parsed("RETRY_DELAY_PERCENT", default.retry_delay_percent);
        let checks = match self.optional("RENDER_CHECK_SECONDS") {
            None => default.render_checks,
            Some(text) => {
                let read = Policy::parse_render_checks(&text).map_err(|error| format!("RENDER_CHECK_SECONDS: {error}"));
                self.checked(read, default.render_checks)
            }
        };
        Policy {
            processing_timeout: Duration::from_secs(processing),
            render_checks: checks,
            retry_delay_percent: percent,
            claim_lease: Duration::from_secs(lease),
            piece_lease: Duration::from_secs(piece),
            hint_grace: Duration::from_secs(grace),
            max_retries: default.max_retries,
            captions: CAPTIONS,
        }
    }

    /// Finishes reading.
    ///
    /// # Errors
    /// [`BadEnvironment`] with all errors.
    pub fn finish(self) -> Result<(), BadEnvironment> {
        if self.bad.is_empty() { Ok(()) } else { Err(BadEnvironment(self.bad)) }
    }
}

/// A placeholder for a missing URL; [`Environment::finish`] fails then.
fn no_url() -> reelhook_app::Url {
    reelhook_app::Url::parse("http://invalid.invalid").expect("a URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_is_also_read_from_its_older_names() {
        let check = |set: &'static str| {
            let mut environment =
                Environment::with(move |name| (name == set).then(|| "https://api.example.com".to_owned()));
            environment.public_base().map(|url| url.to_string())
        };
        for name in ["PUBLIC_BASE_URL", "API_BASE_URL", "NEXT_PUBLIC_APP_URL", "WEBHOOK_BASE_URL"] {
            assert_eq!(check(name).as_deref(), Some("https://api.example.com/"), "{name}");
        }
        assert_eq!(check("BASE_URL"), None);
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let mut environment = Environment::with(|name| match name {
            "RENDER_CHECK_SECONDS" => Some("5,4".to_owned()),
            "CLAIM_LEASE_SECONDS" => Some("soon".to_owned()),
            "WORKER_URL" => Some("ftp://x".to_owned()),
            _ => None,
        });
        environment.required("JOBS_TABLE");
        environment.policy();
        environment.optional_url("WORKER_URL");
        let text = environment.finish().unwrap_err().to_string();
        for name in ["JOBS_TABLE", "RENDER_CHECK_SECONDS", "CLAIM_LEASE_SECONDS", "WORKER_URL"] {
            assert!(text.contains(name), "{text}");
        }
    }
}

//! Settings that are secret or change without a deployment: SSM SecureStrings, read at cold start, cached for 5 minutes.
//!
//! SSM answers some 40 calls a second for a whole account, and a hundred instances may start at once. So a start makes
//! one call, throttled calls are retried with jitter ([`crate::clients::Clients::ssm`]), each instance refreshes after a
//! random time, and refreshes because of refused callers back off exponentially.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reelhook_app::clock::ClockAndRandom as _;
use reelhook_app::store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::errors::store_error;
use crate::start::SystemClock;

/// The setting that holds several others as a JSON object: those after it in a function's list of names.
pub const OPTIONS: &str = "WEBHOOK_OPTIONS";

/// How long settings are used at most before they are read again.
const FRESH: Duration = Duration::from_secs(300);
/// The jitter that shortens it, in milliseconds, so that instances that start together do not read together.
const FRESH_JITTER_MS: u64 = 60_000;
/// The minimum wait for the next reading after a failed one; jitter makes it up to twice as long.
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// The minimum age of settings before a refused caller makes them be read again; it doubles after each reading that
/// changed nothing.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// Doublings of that, which make it longer than [`FRESH`].
const MOST_DOUBLINGS: u32 = 6;
/// Names per call.
const CALL: usize = 10;
/// The `fault` in lines about settings that are missing or can't be read: MissingSecretAlarm counts them.
const FAULT: &str = "settings";

/// Raw settings by name.
#[derive(Debug, Clone, Default)]
pub struct Raw(HashMap<String, SecretString>);

impl Raw {
    /// A setting's text; an empty one counts as missing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|secret| secret.expose_secret().trim()).filter(|text| !text.is_empty())
    }

    /// A setting that stays secret.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.get(name).map(SecretString::from)
    }

    /// A setting's text, for readers that look settings up by name.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// A setting that must be set, parsed.
    ///
    /// # Errors
    /// If it is not set, or `parse` finds nothing in it.
    pub fn required<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> anyhow::Result<T> {
        self.get(name).and_then(parse).with_context(|| format!("{name} is not set"))
    }
}

/// Checks that these settings are set.
///
/// # Errors
/// Lists those that are not.
pub fn required(settings: &[(&str, bool)]) -> anyhow::Result<()> {
    let missing: Vec<&str> = settings.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    anyhow::bail!("required on a deployed stack, but not set: {}", missing.join(", "))
}

/// Parses a function's own settings from raw ones.
type Parse<T> = Box<dyn Fn(&Raw) -> anyhow::Result<T> + Send + Sync>;

/// Reads settings and caches what `parse` makes of them.
pub struct Settings<T> {
    client: aws_sdk_ssm::Client,
    path: String,
    names: Vec<&'static str>,
    parse: Parse<T>,
    current: Mutex<Current<T>>,
    /// Successive refreshes because of a refusal that did not change the result.
    fruitless: AtomicU32,
}

/// The settings that were read last.
struct Current<T> {
    value: Arc<T>,
    read_at: Instant,
    /// The age at which it is refreshed.
    fresh_for: Duration,
}

impl<T> Settings<T> {
    /// Reads the settings `{path}/{name}` for the first time; names that do not exist are unset.
    ///
    /// # Errors
    /// If reading fails or `parse` refuses them.
    pub async fn load(
        client: aws_sdk_ssm::Client,
        path: String,
        names: impl Into<Vec<&'static str>>,
        parse: impl Fn(&Raw) -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let names = names.into();
        let value = read(&client, &path, &names).await.and_then(|raw| parse(&raw));
        let value = Arc::new(value.inspect_err(|error| {
            tracing::error!(fault = FAULT, %error, "failed to read the settings, the function does not start");
        })?);
        let current = Mutex::new(Current { value, read_at: Instant::now(), fresh_for: fresh_for() });
        Ok(Self { client, path, names, parse: Box::new(parse), current, fruitless: AtomicU32::new(0) })
    }

    /// The settings, read again when they are 4 to 5 minutes old; while that fails, the old ones stay in use.
    pub async fn get(&self) -> Arc<T> {
        let mut current = self.current.lock().await;
        if current.read_at.elapsed() >= current.fresh_for {
            self.refresh(&mut current).await;
            self.fruitless.store(0, Ordering::Relaxed);
        }
        Arc::clone(&current.value)
    }

    /// The result of `check`. If it refuses, the settings are read again and `check` decides again, so that a secret
    /// that was just added is accepted immediately. These readings back off exponentially, from 5 s on: callers that
    /// keep sending a wrong secret do not use up the calls of SSM.
    ///
    /// # Errors
    /// Those of `check`.
    pub async fn check<R, E>(&self, check: impl Fn(&T) -> Result<R, E>) -> Result<R, E> {
        let known = self.get().await;
        match check(&known) {
            Ok(passed) => Ok(passed),
            Err(refused) => {
                let newer = self.newer_than(&known).await;
                if Arc::ptr_eq(&known, &newer) {
                    return Err(refused);
                }
                let outcome = check(&newer);
                if outcome.is_ok() {
                    self.fruitless.store(0, Ordering::Relaxed);
                }
                outcome
            }
        }
    }

    /// Settings that another task has read meanwhile, or that are read now; the known ones if it is too early for that.
    async fn newer_than(&self, known: &Arc<T>) -> Arc<T> {
        let mut current = self.current.lock().await;
        let doubled = self.fruitless.load(Ordering::Relaxed).min(MOST_DOUBLINGS);
        if Arc::ptr_eq(&current.value, known) && current.read_at.elapsed() >= FIRST_RETRY * 2_u32.pow(doubled) {
            self.refresh(&mut current).await;
            self.fruitless.store(doubled + 1, Ordering::Relaxed);
        }
        Arc::clone(&current.value)
    }

    async fn refresh(&self, current: &mut Current<T>) {
        let read = read(&self.client, &self.path, &self.names).await;
        match read.and_then(|raw| (self.parse)(&raw)) {
            Ok(value) => {
                current.value = Arc::new(value);
                current.fresh_for = fresh_for();
            }
            Err(error) => {
                tracing::error!(fault = FAULT, %error, "failed to refresh the settings, the current ones stay in use");
                current.fresh_for = AFTER_FAILURE + by_chance(AFTER_FAILURE.as_millis() as u64);
            }
        }
        current.read_at = Instant::now();
    }
}

/// The age at which settings are refreshed, with jitter.
fn fresh_for() -> Duration {
    FRESH - by_chance(FRESH_JITTER_MS)
}

/// A random time of at most `most_ms` milliseconds.
fn by_chance(most_ms: u64) -> Duration {
    Duration::from_millis((SystemClock.random() % (u128::from(most_ms) + 1)) as u64)
}

/// Reads up to ten names in one call. If a function has more, the names after [`OPTIONS`] are members of that setting;
/// they are settings of their own only if it is not set.
async fn read(client: &aws_sdk_ssm::Client, path: &str, names: &[&str]) -> anyhow::Result<Raw> {
    let mut raw = Raw::default();
    let Some(place) = names.iter().position(|name| *name == OPTIONS) else {
        read_parameters(client, path, names, &mut raw).await?;
        return Ok(raw);
    };
    let (single, optional) = names.split_at(place + 1);
    read_parameters(client, path, single, &mut raw).await?;
    match raw.0.remove(OPTIONS) {
        Some(options) => spread(&options, optional, &mut raw)?,
        None => read_parameters(client, path, optional, &mut raw).await?,
    }
    Ok(raw)
}

async fn read_parameters(
    client: &aws_sdk_ssm::Client,
    path: &str,
    names: &[&str],
    raw: &mut Raw,
) -> Result<(), StoreError> {
    for chunk in names.chunks(CALL) {
        let full = chunk.iter().map(|name| format!("{path}/{name}")).collect();
        let answer = client.get_parameters().set_names(Some(full)).with_decryption(true).send().await;
        let answer = answer.map_err(|error| store_error("read settings", error))?;
        for parameter in answer.parameters.unwrap_or_default() {
            if let (Some(name), Some(value)) = (parameter.name, parameter.value)
                && let Some((_, name)) = name.rsplit_once('/')
            {
                raw.0.insert(name.to_owned(), SecretString::from(value));
            }
        }
    }
    Ok(())
}

/// Reads settings that are members of [`OPTIONS`].
fn spread(options: &SecretString, names: &[&str], raw: &mut Raw) -> anyhow::Result<()> {
    // The parser's message may repeat the value, which must not appear in a log.
    let options: BTreeMap<String, Value> = serde_json::from_str(options.expose_secret())
        .ok()
        .with_context(|| format!(r#"{OPTIONS} must be a JSON object such as {{"WEBHOOK_TIMEOUT": "5000"}}"#))?;
    for (name, value) in options {
        anyhow::ensure!(
            names.contains(&name.as_str()),
            "{OPTIONS} has the unknown member `{name}`, known are {}",
            names.join(", ")
        );
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => value.to_string(),
        };
        raw.0.insert(name, SecretString::from(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_http_client::test_util::infallible_client_fn;

    use super::*;

    /// Settings whose KEY is the number of the reading, from 0 on, and how often they were read; `fails` says which
    /// readings SSM refuses.
    async fn counting(fails: fn(usize) -> bool) -> (Settings<Option<String>>, Arc<AtomicUsize>) {
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let http = infallible_client_fn(move |_: http::Request<_>| {
            let read = counted.fetch_add(1, Ordering::Relaxed);
            let body = format!(r#"{{"Parameters": [{{"Name": "/p/KEY", "Value": "{read}"}}]}}"#);
            let status = if fails(read) { 400 } else { 200 };
            http::Response::builder().status(status).body(body).expect("an answer")
        });
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::from_keys("id", "key", None))
            .region(Region::new("us-east-1"))
            .http_client(http);
        let client = aws_sdk_ssm::Client::from_conf(config.build());
        let settings = Settings::load(client, "/p".to_owned(), &["KEY"], |raw| Ok(raw.text("KEY"))).await.unwrap();
        (settings, reads)
    }

    impl<T> Settings<T> {
        async fn grow_older(&self, by: Duration) {
            self.current.lock().await.read_at -= by;
        }
    }

    #[tokio::test]
    async fn a_refusal_is_checked_again_with_newer_settings_but_not_each_time() {
        let (settings, reads) = counting(|_| false).await;
        let is_one = |key: &Option<String>| if key.as_deref() == Some("1") { Ok(()) } else { Err("refused") };
        assert_eq!(settings.check(is_one).await, Err("refused"), "they were read a moment ago");
        settings.grow_older(FIRST_RETRY).await;
        assert_eq!(settings.check(is_one).await, Ok(()));
        assert_eq!(settings.check(is_one).await, Ok(()), "what passes is not read again");
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn refusals_that_a_refresh_does_not_resolve_back_off() {
        let (settings, reads) = counting(|_| false).await;
        let never = |_: &Option<String>| Err::<(), _>("refused");
        for (number, wait) in [5, 10, 20, 40, 80, 160].into_iter().enumerate() {
            settings.grow_older(Duration::from_secs(wait - 1)).await;
            assert_eq!(settings.check(never).await, Err("refused"));
            assert_eq!(reads.load(Ordering::Relaxed), number + 1, "not yet after {} s", wait - 1);
            settings.grow_older(Duration::from_secs(1)).await;
            assert_eq!(settings.check(never).await, Err("refused"));
            assert_eq!(reads.load(Ordering::Relaxed), number + 2, "again after {wait} s");
        }
        // The next one is the usual one, and after that a new secret opens at once.
        settings.grow_older(FRESH).await;
        assert_eq!(settings.get().await.as_deref(), Some("7"));
        settings.grow_older(FIRST_RETRY).await;
        let is_eight = |key: &Option<String>| if key.as_deref() == Some("8") { Ok(()) } else { Err("refused") };
        assert_eq!(settings.check(is_eight).await, Ok(()));
    }

    #[tokio::test]
    async fn a_refresh_that_resolved_a_refusal_resets_the_backoff() {
        let (settings, _) = counting(|_| false).await;
        let never = |_: &Option<String>| Err::<(), _>("refused");
        for wait in [5, 10] {
            settings.grow_older(Duration::from_secs(wait)).await;
            assert_eq!(settings.check(never).await, Err("refused"));
        }
        settings.grow_older(Duration::from_secs(20)).await;
        let is_three = |key: &Option<String>| if key.as_deref() == Some("3") { Ok(()) } else { Err("refused") };
        assert_eq!(settings.check(is_three).await, Ok(()));
        settings.grow_older(FIRST_RETRY).await;
        let is_four = |key: &Option<String>| if key.as_deref() == Some("4") { Ok(()) } else { Err("refused") };
        assert_eq!(settings.check(is_four).await, Ok(()));
    }

    #[tokio::test]
    async fn a_failed_refresh_is_repeated_within_a_minute() {
        let (settings, _) = counting(|read| read == 1).await;
        settings.grow_older(FRESH).await;
        assert_eq!(settings.get().await.as_deref(), Some("0"), "the old ones stay");
        let wait = settings.current.lock().await.fresh_for;
        assert!((AFTER_FAILURE..=AFTER_FAILURE * 2).contains(&wait), "{wait:?}");
        settings.grow_older(wait).await;
        assert_eq!(settings.get().await.as_deref(), Some("2"));
    }

    #[test]
    fn instances_that_start_together_refresh_at_different_times() {
        let mut times: Vec<Duration> = (0..100).map(|_| fresh_for()).collect();
        let (least, most) = (Duration::from_secs(240), Duration::from_secs(300));
        assert!(times.iter().all(|time| (least..=most).contains(time)), "{times:?}");
        times.sort();
        times.dedup();
        assert!(times.len() > 50, "{times:?}");
    }
}

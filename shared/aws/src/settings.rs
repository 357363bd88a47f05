//! Settings that are secret or change without a deployment: SSM SecureStrings, read at cold start, kept 5 minutes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reelhook_app::store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::errors::store_error;

/// How long settings are used before they are read again.
const FRESH: Duration = Duration::from_secs(300);
/// How old settings must be at least to be read again because they refused somebody.
const AGAIN: Duration = Duration::from_secs(5);
/// Names that one call takes.
const CALL: usize = 10;

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
}

/// Says which of these are not there.
///
/// # Errors
/// Names them all.
pub fn required(settings: &[(&str, bool)]) -> anyhow::Result<()> {
    let missing: Vec<&str> = settings.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    anyhow::bail!("not set, though a deployed stack needs it: {}", missing.join(", "))
}

/// What makes a function's own settings of raw ones.
type Parse<T> = Box<dyn Fn(&Raw) -> anyhow::Result<T> + Send + Sync>;

/// Reads settings and keeps what `parse` makes of them.
pub struct Settings<T> {
    client: aws_sdk_ssm::Client,
    path: String,
    names: &'static [&'static str],
    parse: Parse<T>,
    current: Mutex<(Instant, Arc<T>)>,
}

impl<T> Settings<T> {
    /// Reads the settings `{path}/{name}` for the first time; names that do not exist are unset.
    ///
    /// # Errors
    /// When they can't be read or `parse` refuses them.
    pub async fn load(
        client: aws_sdk_ssm::Client,
        path: String,
        names: &'static [&'static str],
        parse: impl Fn(&Raw) -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let value = parse(&read(&client, &path, names).await?)?;
        let current = Mutex::new((Instant::now(), Arc::new(value)));
        Ok(Self { client, path, names, parse: Box::new(parse), current })
    }

    /// The settings, read again when they are 5 minutes old; while that fails, the old ones stay in use.
    pub async fn get(&self) -> Arc<T> {
        self.at_most(FRESH).await
    }

    /// What `check` says; where it refuses, it is asked once more about settings that are read anew, at most every 5 s:
    /// a secret that was added a moment ago opens at once.
    ///
    /// # Errors
    /// Those of `check`.
    pub async fn check<R, E>(&self, check: impl Fn(&T) -> Result<R, E>) -> Result<R, E> {
        let known = self.get().await;
        match check(&known) {
            Ok(passed) => Ok(passed),
            Err(refused) => {
                let newer = self.at_most(AGAIN).await;
                if Arc::ptr_eq(&known, &newer) { Err(refused) } else { check(&newer) }
            }
        }
    }

    async fn at_most(&self, age: Duration) -> Arc<T> {
        let mut current = self.current.lock().await;
        if current.0.elapsed() >= age {
            match read(&self.client, &self.path, self.names)
                .await
                .map_err(Into::into)
                .and_then(|raw| (self.parse)(&raw))
            {
                Ok(value) => current.1 = Arc::new(value),
                Err(error) => tracing::error!(%error, "settings could not be read again, the old ones stay in use"),
            }
            current.0 = Instant::now();
        }
        Arc::clone(&current.1)
    }
}

async fn read(client: &aws_sdk_ssm::Client, path: &str, names: &[&str]) -> Result<Raw, StoreError> {
    let mut raw = Raw::default();
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
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_http_client::test_util::infallible_client_fn;

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_looked_at_again_with_newer_settings_but_not_each_time() {
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reads);
        let http = infallible_client_fn(move |_: http::Request<_>| {
            let read = counted.fetch_add(1, Ordering::Relaxed);
            let body = format!(r#"{{"Parameters": [{{"Name": "/p/KEY", "Value": "{read}"}}]}}"#);
            http::Response::builder().status(200).body(body).expect("an answer")
        });
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::from_keys("id", "key", None))
            .region(Region::new("us-east-1"))
            .http_client(http);
        let client = aws_sdk_ssm::Client::from_conf(config.build());
        let settings = Settings::load(client, "/p".to_owned(), &["KEY"], |raw| Ok(raw.text("KEY"))).await.unwrap();
        let is_one = |key: &Option<String>| if key.as_deref() == Some("1") { Ok(()) } else { Err("refused") };
        assert_eq!(settings.check(is_one).await, Err("refused"), "they were read a moment ago");
        settings.current.lock().await.0 -= AGAIN;
        assert_eq!(settings.check(is_one).await, Ok(()));
        assert_eq!(settings.check(is_one).await, Ok(()), "what passes is not read again");
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }
}

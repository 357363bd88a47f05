//! The settings of outbound webhooks (seed 001, docs/contract/webhooks.md): endpoints, their events and their policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reelhook_domain::{
    Circuit, DisablePolicy, EndpointId, EndpointPolicy, EventFilter, EventPattern, RateLimit, Schedule, WebUrl,
};
use reelhook_signing::SigningKeys;

use crate::outbound::CONNECTION_HEADERS;
use crate::webhooks::endpoints::policies::{
    CONCURRENCY, DAY_MS, FINAL_STATUSES, OwnPolicy, RATE_MAX, ScheduleName, TIMEOUT_MS, WINDOW_MS, may_be_final,
};
use crate::webhooks::endpoints::{Destination, Endpoint, Form, Signers, endpoint_id, receiver_url};

/// The settings of outbound webhooks (seed 001, docs/contract/webhooks.md).
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// WEBHOOK_URLS.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// WEBHOOK_EVENTS, for configured endpoints only.
    pub events: EventFilter,
    /// WEBHOOK_SECRET_KEY; without one, nothing is signed.
    pub secret: Option<SigningKeys>,
    /// WEBHOOK_TIMEOUT, WEBHOOK_SCHEDULE or WEBHOOK_MAX_RETRIES, WEBHOOK_RETRY_DELAY and WEBHOOK_MAX_RETRY_DELAY,
    /// WEBHOOK_RATE_LIMIT_*, WEBHOOK_CONCURRENCY, WEBHOOK_CIRCUIT_*, WEBHOOK_DISABLE_AFTER*: the policy of every
    /// endpoint, unless WEBHOOK_ENDPOINT_POLICIES overrides it.
    pub policy: EndpointPolicy,
    /// WEBHOOK_PERMANENT_STATUSES.
    pub permanent: BTreeSet<u16>,
    /// The schedule of seed 001, with WEBHOOK_MAX_RETRIES, WEBHOOK_RETRY_DELAY and WEBHOOK_MAX_RETRY_DELAY.
    pub doubling: Schedule,
    /// NOTIFICATION_SERVICE_URL with NOTIFICATION_API_KEY: an endpoint that gets completed projects only.
    pub notification: Option<Arc<Endpoint>>,
}

/// An invalid setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {wrong}")]
pub struct BadSetting {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it and what would be right.
    pub wrong: String,
}

/// All invalid settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("settings can't be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BadSettings(pub Vec<BadSetting>);

/// Looks up the text of a variable by its name; none if it is missing or empty.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl WebhookSettings {
    /// Reads the WEBHOOK_* settings of seed 001 and our own.
    ///
    /// # Errors
    /// [`BadSettings`] lists every invalid one.
    pub fn read(lookup: Lookup<'_>, allow_http: bool) -> Result<Self, BadSettings> {
        let mut bad = Vec::new();
        let (policy, doubling) = read_policy(lookup, &mut bad);
        let permanent = read_statuses(&lookup("WEBHOOK_PERMANENT_STATUSES").unwrap_or_default(), &mut bad);
        let overrides = read_overrides(lookup("WEBHOOK_ENDPOINT_POLICIES"), &mut bad);
        let urls = read_urls(&lookup("WEBHOOK_URLS").unwrap_or_default(), allow_http, &mut bad);
        let events = lookup("WEBHOOK_EVENTS").unwrap_or_else(|| "job.completed,job.failed".to_owned());
        let events = read_events(&events, &mut bad);
        let headers = read_headers(&lookup("WEBHOOK_HEADERS").unwrap_or_default(), &mut bad);
        let secret = lookup("WEBHOOK_SECRET_KEY").as_deref().and_then(SigningKeys::parse);
        let nothing = OwnPolicy::default();
        let endpoints = urls.into_iter().map(|(id, name, url)| {
            let own = overrides.get(&name).or_else(|| overrides.get(id.as_str())).unwrap_or(&nothing);
            Arc::new(Endpoint {
                id,
                name,
                destination: Destination::Web(url),
                policy: own.over(&policy, doubling),
                permanent: own.permanent_statuses.clone().unwrap_or_else(|| permanent.clone()),
                headers: headers.clone(),
                form: Form::default(),
                signers: Signers { hmac: secret.clone(), asymmetric: Vec::new() },
            })
        });
        let endpoints: Vec<Arc<Endpoint>> = endpoints.collect();
        for name in overrides.keys() {
            if !endpoints.iter().any(|endpoint| endpoint.name == *name || endpoint.id.as_str() == name) {
                let wrong = format!("names `{name}`, which is no endpoint of WEBHOOK_URLS");
                bad.push(BadSetting { name: "WEBHOOK_ENDPOINT_POLICIES", wrong });
            }
        }
        let settings = Self { endpoints, events, secret, policy, permanent, doubling, notification: None };
        if bad.is_empty() { Ok(settings) } else { Err(BadSettings(bad)) }
    }

    /// The endpoint with this id or name.
    pub fn named(&self, name: &str) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name || endpoint.id.as_str() == name)
    }

    /// The endpoint with this id, while it is configured; also the notification service.
    pub fn endpoint(&self, id: &EndpointId) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().chain(&self.notification).find(|endpoint| endpoint.id == *id)
    }
}

/// The policy of every endpoint, and the schedule of seed 001 for endpoints that choose it.
fn read_policy(lookup: Lookup<'_>, bad: &mut Vec<BadSetting>) -> (EndpointPolicy, Schedule) {
    let mut number = |name: &'static str, default: u64, least: u64, most: u64| match lookup(name) {
        None => default,
        Some(text) => match text.trim().parse::<u64>() {
            Ok(value) if (least..=most).contains(&value) => value,
            _ => {
                bad.push(BadSetting { name, wrong: format!("is a whole number from {least} to {most}") });
                default
            }
        },
    };
    let ms = Duration::from_millis;
    let timeout = ms(number("WEBHOOK_TIMEOUT", 10_000, TIMEOUT_MS.0, TIMEOUT_MS.1));
    let max_retries = number("WEBHOOK_MAX_RETRIES", 3, 0, 20);
    let delay = ms(number("WEBHOOK_RETRY_DELAY", 1000, 1, DAY_MS));
    let max_delay = ms(number("WEBHOOK_MAX_RETRY_DELAY", 30_000, 1, DAY_MS));
    let window = ms(number("WEBHOOK_RATE_LIMIT_WINDOW", 60_000, WINDOW_MS.0, WINDOW_MS.1));
    let max = number("WEBHOOK_RATE_LIMIT_MAX", 100, RATE_MAX.0, RATE_MAX.1) as u32;
    let concurrency = number("WEBHOOK_CONCURRENCY", 20, CONCURRENCY.0, CONCURRENCY.1) as u32;
    let circuit = Circuit {
        failures: number("WEBHOOK_CIRCUIT_FAILURES", 10, 0, 1_000_000),
        delay: ms(number("WEBHOOK_CIRCUIT_DELAY", 30_000, 1000, DAY_MS)),
        max_delay: ms(number("WEBHOOK_CIRCUIT_MAX_DELAY", 900_000, 1000, DAY_MS)),
    };
    let disable_policy = DisablePolicy {
        failures: number("WEBHOOK_DISABLE_AFTER_FAILURES", 1000, 0, 1_000_000_000),
        time: ms(number("WEBHOOK_DISABLE_AFTER", 5 * DAY_MS, 0, 30 * DAY_MS)),
        min_failures: if circuit.failures > 0 { circuit.failures } else { 10 },
    };
    let doubling = Schedule::Doubling { max_retries: max_retries as u32, delay, max_delay };
    let schedule = match lookup("WEBHOOK_SCHEDULE").as_deref().map(|name| ScheduleName::parse(name.trim())) {
        None => doubling,
        Some(Some(name)) => name.schedule(doubling),
        Some(None) => {
            let wrong = "is `streamgank`, `vidbuilder` or `standard`".to_owned();
            bad.push(BadSetting { name: "WEBHOOK_SCHEDULE", wrong });
            Schedule::Standard
        }
    };
    let rate = RateLimit { max, window };
    (EndpointPolicy { schedule, timeout, rate, concurrency, circuit, disable_policy }, doubling)
}

/// `{"webhook_2": {"schedule": "standard", "concurrency": 4}}`: by name or by id.
fn read_overrides(text: Option<String>, bad: &mut Vec<BadSetting>) -> BTreeMap<String, OwnPolicy> {
    let name = "WEBHOOK_ENDPOINT_POLICIES";
    let Some(text) = text else { return BTreeMap::new() };
    let overrides: BTreeMap<String, OwnPolicy> = match serde_json::from_str(&text) {
        Ok(overrides) => overrides,
        Err(error) => {
            let wrong = format!("is JSON like {{\"webhook_2\": {{\"schedule\": \"standard\"}}}}: {error}");
            bad.push(BadSetting { name, wrong });
            return BTreeMap::new();
        }
    };
    // Unknown fields are ignored in registrations, which a newer version may have written; in a setting they are
    // errors.
    let raw: BTreeMap<String, BTreeMap<String, serde_json::Value>> = serde_json::from_str(&text).unwrap_or_default();
    for field in raw.values().flat_map(BTreeMap::keys).filter(|field| !OwnPolicy::NAMES.contains(&field.as_str())) {
        bad.push(BadSetting { name, wrong: format!("has an unknown field `{field}`") });
    }
    for (endpoint, own) in &overrides {
        if let Some(wrong) = own.wrong() {
            bad.push(BadSetting { name, wrong: format!("says for `{endpoint}` what can't be: {wrong}") });
        }
    }
    overrides
}

fn read_urls(text: &str, allow_http: bool, bad: &mut Vec<BadSetting>) -> Vec<(EndpointId, String, WebUrl)> {
    let mut endpoints: Vec<(EndpointId, String, WebUrl)> = Vec::new();
    for (index, part) in text.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate() {
        // The URL itself may be a secret (Slack, Discord): the message only names its position.
        let mut wrong = |wrong: &str| {
            bad.push(BadSetting { name: "WEBHOOK_URLS", wrong: format!("entry {} {wrong}", index + 1) });
        };
        let url = match receiver_url(part, allow_http) {
            Ok(url) => url,
            Err(right) => {
                wrong(&format!("must be {right}"));
                continue;
            }
        };
        let id = endpoint_id(&url);
        if !endpoints.iter().any(|(known, ..)| *known == id) {
            endpoints.push((id, format!("webhook_{}", index + 1), url));
        }
    }
    endpoints
}

fn read_events(text: &str, bad: &mut Vec<BadSetting>) -> EventFilter {
    let mut patterns = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match EventPattern::parse(part) {
            Some(pattern) => patterns.push(pattern),
            None => bad.push(BadSetting { name: "WEBHOOK_EVENTS", wrong: format!("names an unknown event `{part}`") }),
        }
    }
    EventFilter::new(patterns)
}

/// `400,401`.
fn read_statuses(text: &str, bad: &mut Vec<BadSetting>) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.parse() {
            Ok(status) if may_be_final(status) => {
                statuses.insert(status);
            }
            _ => bad.push(BadSetting {
                name: "WEBHOOK_PERMANENT_STATUSES",
                wrong: format!("names `{part}`; it takes statuses {FINAL_STATUSES}"),
            }),
        }
    }
    statuses
}

/// `Name:value,Name:value`; a value may contain colons.
fn read_headers(text: &str, bad: &mut Vec<BadSetting>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once(':') {
            Some((name, _)) if CONNECTION_HEADERS.contains(&name.trim().to_lowercase().as_str()) => {
                bad.push(BadSetting {
                    name: "WEBHOOK_HEADERS",
                    wrong: format!("must not set `{}`, which belongs to the connection", name.trim()),
                })
            }
            Some((name, value)) if is_token(name.trim()) && is_field_value(value.trim()) => {
                headers.push((name.trim().to_owned(), value.trim().to_owned()));
            }
            Some(_) => bad.push(BadSetting {
                name: "WEBHOOK_HEADERS",
                wrong: format!("has a name or value that HTTP does not allow after {} headers", headers.len()),
            }),
            None => bad.push(BadSetting {
                name: "WEBHOOK_HEADERS",
                wrong: format!("has an entry without a colon after {} headers", headers.len()),
            }),
        }
    }
    headers
}

/// Whether a text may be a header's name (RFC 9110, 5.6.2).
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a text may be a header's value: visible ASCII, spaces and tabs.
pub fn is_field_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<WebhookSettings, BadSettings> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        WebhookSettings::read(&|name| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()), false)
    }

    #[test]
    fn defaults_are_those_of_the_seed() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.events.names(), ["job.completed", "job.failed"]);
        assert_eq!(settings.policy.timeout, Duration::from_secs(10));
        assert_eq!((settings.policy.schedule.retries(), settings.policy.rate.max), (3, 100));
        let hook = ("WEBHOOK_URLS", "https://a.example/x");
        let statuses = ("WEBHOOK_PERMANENT_STATUSES", "400, 401");
        let standard = read(&[hook, ("WEBHOOK_SCHEDULE", "standard"), statuses]).unwrap().endpoints.remove(0);
        assert_eq!((standard.policy.schedule, &standard.permanent), (Schedule::Standard, &[400, 401].into()));
    }

    #[test]
    fn an_endpoint_may_keep_to_something_of_its_own() {
        let urls = ("WEBHOOK_URLS", "https://a.example/x,https://b.example/y");
        let own = r#"{"webhook_2": {"schedule": "vidbuilder", "concurrency": 2, "timeout": 5000, "rateLimitMax": 7,
            "rateLimitWindow": 1000, "permanentStatuses": [404]}}"#;
        let settings = read(&[urls, ("WEBHOOK_ENDPOINT_POLICIES", own)]).unwrap();
        let [one, two] = &settings.endpoints[..] else { panic!("two endpoints") };
        assert_eq!((one.policy, one.permanent.len()), (settings.policy, 0));
        assert_eq!((two.policy.schedule, two.policy.concurrency), (Schedule::Short, 2));
        assert_eq!(two.policy.timeout, Duration::from_secs(5));
        assert_eq!(two.policy.rate, RateLimit { max: 7, window: Duration::from_secs(1) });
        assert_eq!(two.permanent, [404].into());
        for (own, why) in [
            (r#"{"webhook_3": {}}"#, "no endpoint of WEBHOOK_URLS"),
            (r#"{"webhook_1": {"concurrency": 0}}"#, "`concurrency` is from 1 to 1000"),
            (r#"{"webhook_1": {"permanentStatuses": [429]}}"#, "but 408, 425 and 429"),
            (r#"{"webhook_1": {"speed": 1}}"#, "unknown field `speed`"),
            ("fast", "is JSON like"),
        ] {
            let bad = read(&[urls, ("WEBHOOK_ENDPOINT_POLICIES", own)]).unwrap_err().to_string();
            assert!(bad.contains(why), "{bad}");
        }
    }

    #[test]
    fn reordering_urls_moves_no_id_and_repeats_count_once() {
        let one = read(&[("WEBHOOK_URLS", "https://a.example/x,https://b.example/y,https://a.example/x")]).unwrap();
        let two = read(&[("WEBHOOK_URLS", "https://b.example/y, https://a.example/x")]).unwrap();
        assert_eq!(one.endpoints.len(), 2);
        assert_eq!(one.endpoints[0].id, two.endpoints[1].id);
        assert_eq!((one.endpoints[1].name.as_str(), two.endpoints[0].name.as_str()), ("webhook_2", "webhook_1"));
    }

    #[test]
    fn header_values_may_contain_colons() {
        let hook = ("WEBHOOK_URLS", "https://a.example/x");
        let settings = read(&[hook, ("WEBHOOK_HEADERS", "Authorization:Bearer a:b, X-Custom:1")]).unwrap();
        let headers = &settings.endpoints[0].headers;
        assert_eq!(headers[0], ("Authorization".to_owned(), "Bearer a:b".to_owned()));
        assert_eq!(headers[1].1, "1");
    }

    #[test]
    fn what_no_try_could_send_is_refused_when_it_is_read() {
        for headers in ["Bad Name:1", "X-Ok:caf\u{e9}", ":1", "X-Line:a\nb"] {
            let bad = read(&[("WEBHOOK_HEADERS", headers)]).unwrap_err().0;
            assert_eq!(bad[0].name, "WEBHOOK_HEADERS", "{headers:?}");
        }
        let bad = read(&[("WEBHOOK_URLS", "https://ann:secret@a.example/x")]).unwrap_err().0;
        assert!(bad[0].wrong.contains("entry 1") && !format!("{bad:?}").contains("secret"));
    }

    #[test]
    fn every_bad_setting_is_listed_and_no_url_is_shown() {
        let bad = read(&[
            ("WEBHOOK_URLS", "http://secret.example/token,nonsense"),
            ("WEBHOOK_EVENTS", "job.exploded"),
            ("WEBHOOK_TIMEOUT", "soon"),
            ("WEBHOOK_CONCURRENCY", "0"),
            ("WEBHOOK_SCHEDULE", "never"),
            ("WEBHOOK_PERMANENT_STATUSES", "429"),
            ("WEBHOOK_HEADERS", "Broken"),
        ])
        .unwrap_err()
        .0;
        let names: Vec<&str> = bad.iter().map(|bad| bad.name).collect();
        assert_eq!(
            names,
            [
                "WEBHOOK_TIMEOUT",
                "WEBHOOK_CONCURRENCY",
                "WEBHOOK_SCHEDULE",
                "WEBHOOK_PERMANENT_STATUSES",
                "WEBHOOK_URLS",
                "WEBHOOK_URLS",
                "WEBHOOK_EVENTS",
                "WEBHOOK_HEADERS"
            ]
        );
        assert!(!format!("{bad:?}").contains("secret"));
    }
}

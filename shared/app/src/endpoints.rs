//! Who gets which events: the endpoints of seed 001's settings, known by their URL's hash.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_domain::{EndpointId, OutboundEvent, RateLimit, Receiver, Schedule};
use sha2::{Digest, Sha256};
use url::Url;

use crate::outbound::CONNECTION_HEADERS;

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// From the URL's hash: the order of URLs does not matter.
    pub id: EndpointId,
    /// `webhook_1`, by its place in the list.
    pub name: String,
    /// Where.
    pub url: Url,
}

impl Endpoint {
    /// Whose words it speaks.
    pub fn receiver(&self) -> Receiver {
        receiver(&self.url)
    }
}

/// Domains of Slack's incoming webhooks.
const SLACK: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];
/// Domains of Discord's webhooks.
const DISCORD: [&str; 2] = ["discord.com", "discordapp.com"];

/// Whose receiver is at a URL, by its host.
pub fn receiver(url: &Url) -> Receiver {
    // A name with a dot at its end is the same name.
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let within = |domain: &&str| host == *domain || host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.'));
    if SLACK.iter().any(within) {
        Receiver::Slack
    } else if DISCORD.iter().any(within) {
        Receiver::Discord
    } else {
        Receiver::Own
    }
}

/// A URL as people and logs may see it: the path of Slack's and Discord's is the secret itself.
pub fn masked(url: &Url) -> String {
    match receiver(url) {
        Receiver::Own => url.to_string(),
        Receiver::Slack | Receiver::Discord => format!("{}/***", url.origin().ascii_serialization()),
    }
}

/// The settings of outbound webhooks (seed 001, contract.md).
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// WEBHOOK_URLS.
    pub endpoints: Vec<Endpoint>,
    /// WEBHOOK_EVENTS.
    pub events: BTreeSet<OutboundEvent>,
    /// WEBHOOK_HEADERS, for configured endpoints only.
    pub headers: Vec<(String, String)>,
    /// WEBHOOK_TIMEOUT: the whole of one try.
    pub timeout: Duration,
    /// WEBHOOK_SCHEDULE; or WEBHOOK_MAX_RETRIES, WEBHOOK_RETRY_DELAY, WEBHOOK_MAX_RETRY_DELAY.
    pub schedule: Schedule,
    /// WEBHOOK_PERMANENT_STATUSES: answers after which a webhook is not tried again.
    pub permanent: BTreeSet<u16>,
    /// WEBHOOK_RATE_LIMIT_MAX, WEBHOOK_RATE_LIMIT_WINDOW.
    pub rate: RateLimit,
}

/// A setting that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` {wrong}")]
pub struct BadSetting {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it and what would be right.
    pub wrong: String,
}

/// All settings that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("settings can't be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BadSettings(pub Vec<BadSetting>);

/// Where the raw settings come from: a variable's text by its name, empty ones as none.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl WebhookSettings {
    /// Reads seed 001's WEBHOOK_* settings; every bad one is listed.
    ///
    /// # Errors
    /// [`BadSettings`].
    pub fn read(lookup: Lookup<'_>, allow_http: bool) -> Result<Self, BadSettings> {
        let mut bad = Vec::new();
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
        let timeout = number("WEBHOOK_TIMEOUT", 10_000, 100, 30_000);
        let max_retries = number("WEBHOOK_MAX_RETRIES", 3, 0, 20);
        let delay = number("WEBHOOK_RETRY_DELAY", 1000, 1, 86_400_000);
        let max_delay = number("WEBHOOK_MAX_RETRY_DELAY", 30_000, 1, 86_400_000);
        let window = number("WEBHOOK_RATE_LIMIT_WINDOW", 60_000, 1000, 86_400_000);
        let max = number("WEBHOOK_RATE_LIMIT_MAX", 100, 1, 1_000_000);
        let endpoints = read_endpoints(&lookup("WEBHOOK_URLS").unwrap_or_default(), allow_http, &mut bad);
        let events = lookup("WEBHOOK_EVENTS").unwrap_or_else(|| "job.completed,job.failed".to_owned());
        let events = read_events(&events, &mut bad);
        let schedule = match lookup("WEBHOOK_SCHEDULE").as_deref().map(str::trim) {
            None | Some("streamgank") => Schedule::Doubling {
                max_retries: max_retries as u32,
                delay: Duration::from_millis(delay),
                max_delay: Duration::from_millis(max_delay),
            },
            Some("vidbuilder") => Schedule::Vidbuilder,
            Some("standard") => Schedule::Standard,
            Some(_) => {
                bad.push(BadSetting {
                    name: "WEBHOOK_SCHEDULE",
                    wrong: "is `streamgank`, `vidbuilder` or `standard`".to_owned(),
                });
                Schedule::Standard
            }
        };
        let permanent = read_statuses(&lookup("WEBHOOK_PERMANENT_STATUSES").unwrap_or_default(), &mut bad);
        let headers = read_headers(&lookup("WEBHOOK_HEADERS").unwrap_or_default(), &mut bad);
        if !bad.is_empty() {
            return Err(BadSettings(bad));
        }
        Ok(Self {
            endpoints,
            events,
            headers,
            timeout: Duration::from_millis(timeout),
            schedule,
            permanent,
            rate: RateLimit { max: max as u32, window: Duration::from_millis(window) },
        })
    }

    /// The endpoint with this id, while it is configured.
    pub fn endpoint(&self, id: &EndpointId) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == *id)
    }
}

fn read_endpoints(text: &str, allow_http: bool, bad: &mut Vec<BadSetting>) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for (index, part) in text.split(',').map(str::trim).filter(|part| !part.is_empty()).enumerate() {
        // The URL itself may be a secret (Slack, Discord): only its place is named.
        let mut wrong = |wrong: &str| {
            bad.push(BadSetting { name: "WEBHOOK_URLS", wrong: format!("entry {} {wrong}", index + 1) });
        };
        let Ok(url) = Url::parse(part) else {
            wrong("is not a URL");
            continue;
        };
        match url.scheme() {
            "https" => {}
            "http" if allow_http => {}
            "http" => {
                wrong("must be https (or set ALLOW_HTTP_WEBHOOKS)");
                continue;
            }
            _ => {
                wrong("must be an https URL");
                continue;
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            wrong("must not hold a user or password; put an Authorization header into WEBHOOK_HEADERS");
            continue;
        }
        let id = endpoint_id(&url);
        if !endpoints.iter().any(|known| known.id == id) {
            endpoints.push(Endpoint { id, name: format!("webhook_{}", index + 1), url });
        }
    }
    endpoints
}

/// The id of a URL: `ep_` and the first 16 bytes of its SHA-256.
pub fn endpoint_id(url: &Url) -> EndpointId {
    let digest = Sha256::digest(url.as_str().as_bytes());
    EndpointId::parse(&format!("ep_{}", hex::encode(&digest[..16]))).expect("hex is a valid id")
}

fn read_events(text: &str, bad: &mut Vec<BadSetting>) -> BTreeSet<OutboundEvent> {
    let mut events = BTreeSet::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match OutboundEvent::parse(part) {
            Some(event) => {
                events.insert(event);
            }
            None => bad.push(BadSetting { name: "WEBHOOK_EVENTS", wrong: format!("names an unknown event `{part}`") }),
        }
    }
    events
}

/// `400,401`: client errors but for those that ask to come again.
fn read_statuses(text: &str, bad: &mut Vec<BadSetting>) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.parse() {
            Ok(status @ 400..=499) if !matches!(status, 408 | 425 | 429) => {
                statuses.insert(status);
            }
            _ => bad.push(BadSetting {
                name: "WEBHOOK_PERMANENT_STATUSES",
                wrong: format!("names `{part}`; it takes statuses from 400 to 499 but 408, 425 and 429"),
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
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a text may be a header's value: visible ASCII, spaces and tabs.
fn is_field_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_whose_words_a_receiver_speaks_and_their_paths_are_secret() {
        let check = |url: &str, expected: Receiver, shown: &str| {
            let url = Url::parse(url).unwrap();
            assert_eq!((receiver(&url), masked(&url).as_str()), (expected, shown));
        };
        check("https://hooks.slack.com/services/T0/B0/X", Receiver::Slack, "https://hooks.slack.com/***");
        check("https://HOOKS.slack.com/services/T0", Receiver::Slack, "https://hooks.slack.com/***");
        check("https://discord.com/api/webhooks/1/token", Receiver::Discord, "https://discord.com/***");
        check("https://discord.com/api/webhooks/1/token/slack", Receiver::Discord, "https://discord.com/***");
        check("https://canary.discordapp.com/api/webhooks/1/t", Receiver::Discord, "https://canary.discordapp.com/***");
        check("https://discord.com./api/webhooks/1/t", Receiver::Discord, "https://discord.com./***");
        check("https://notdiscord.com/api/webhooks/1/t", Receiver::Own, "https://notdiscord.com/api/webhooks/1/t");
        check("https://hooks.slack.com.example/x", Receiver::Own, "https://hooks.slack.com.example/x");
        check("https://a.example/discord.com", Receiver::Own, "https://a.example/discord.com");
    }

    fn read(pairs: &[(&str, &str)]) -> Result<WebhookSettings, BadSettings> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        WebhookSettings::read(&|name| pairs.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()), false)
    }

    #[test]
    fn defaults_are_those_of_the_seed() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.events, [OutboundEvent::Completed, OutboundEvent::Failed].into());
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert_eq!((settings.schedule.retries(), settings.rate.max), (3, 100));
        let standard = read(&[("WEBHOOK_SCHEDULE", "standard"), ("WEBHOOK_PERMANENT_STATUSES", "400, 401")]).unwrap();
        assert_eq!((standard.schedule, standard.permanent), (Schedule::Standard, [400, 401].into()));
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
        let settings = read(&[("WEBHOOK_HEADERS", "Authorization:Bearer a:b, X-Custom:1")]).unwrap();
        assert_eq!(settings.headers[0], ("Authorization".to_owned(), "Bearer a:b".to_owned()));
        assert_eq!(settings.headers[1].1, "1");
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
                "WEBHOOK_URLS",
                "WEBHOOK_URLS",
                "WEBHOOK_EVENTS",
                "WEBHOOK_SCHEDULE",
                "WEBHOOK_PERMANENT_STATUSES",
                "WEBHOOK_HEADERS"
            ]
        );
        assert!(!format!("{bad:?}").contains("secret"));
    }
}

//! Settings that operators write: each is read, or refused with what would be right.

use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_domain::{EventPattern, FairShares, KeyLimits, Policy};
use reelhook_http::access::Access;
use reelhook_http::access::senders::Senders;
use reelhook_http::site::Site;
use reelhook_outbound::AllowList;
use reelhook_signing::SigningKeys;

use crate::input::Input;
use crate::target::Verdict;

/// The variables of webhooks.
const WEBHOOKS: [&str; 12] = [
    "WEBHOOK_URLS",
    "WEBHOOK_EVENTS",
    "WEBHOOK_HEADERS",
    "WEBHOOK_SECRET_KEY",
    "WEBHOOK_PERMANENT_STATUSES",
    "WEBHOOK_ENDPOINT_POLICIES",
    "WEBHOOK_MAX_RETRIES",
    "WEBHOOK_RETRY_DELAY",
    "WEBHOOK_MAX_RETRY_DELAY",
    "WEBHOOK_TIMEOUT",
    "WEBHOOK_RATE_LIMIT_MAX",
    "WEBHOOK_RATE_LIMIT_WINDOW",
];

/// Settings with any texts.
pub fn of_operators(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let percent = input.below(120);
    let names = [*input.pick(&WEBHOOKS), *input.pick(&WEBHOOKS)];
    let texts = [value(&mut input), value(&mut input)];
    let text = &texts[0];
    let lookup = |name: &str| names.iter().position(|known| *known == name).map(|at| texts[at].clone());
    let webhooks = WebhookSettings::read(&lookup, true).map(drop).map_err(|error| error.to_string());
    let limits = KeyLimits::parse(text).map(drop).map_err(|error| error.to_string());
    let shares = FairShares::parse(text, percent).map(drop).map_err(|error| error.to_string());
    let checks = Policy::parse_render_checks(text).map_err(|error| error.to_string());
    if let Ok(checks) = &checks {
        assert!((1..=8).contains(&checks.len()), "{} checks of a render", checks.len());
    }
    let list = AllowList::parse(text, Some("127.0.0.1:9001")).map_err(|error| error.to_string());
    if let Ok(list) = &list {
        assert!(!list.permits(([127, 0, 0, 1], 9001).into()), "the Runtime API stays closed: `{text}`");
    }
    let site = Site::read(None, None, Some(text));
    let access = Access::read(&Site::default(), &|name| match name {
        "API_KEYS" => Some(text.clone()),
        "SESSION_SECRET" => Some("a secret of sessions, which is long enough".to_owned()),
        _ => None,
    });
    let senders = text.parse::<Senders>().map(drop).map_err(|error| error.to_string());
    let secrets = SigningKeys::parse(text);
    let pattern = EventPattern::parse(text);
    assert!(pattern.is_none_or(|pattern| EventPattern::parse(&pattern.to_string()) == Some(pattern)), "`{text}`");
    let results = [limits, shares, checks.map(drop), list.map(drop), senders];
    let others = [webhooks, site.map(drop), access.map(drop).map_err(|error| error.to_string())];
    for right in results.iter().chain(&others).filter_map(|result| result.as_ref().err()) {
        assert!(!right.is_empty(), "a refusal says what would be right");
    }
    assert!(secrets.is_some() || text.split(',').all(|secret| secret.trim().is_empty()), "any text is a secret");
    Verdict::of(results.iter().any(Result::is_ok))
}

/// A setting that is nearly one, or any text.
fn value(input: &mut Input<'_>) -> String {
    const PARTS: &[&str] = &[
        "owner:acme=4",
        "key:1f2e=1000/500",
        "*=/200",
        "shop=acme",
        "127.0.0.1:4600",
        "[::1]:4610-4699",
        "30",
        "5,10,20",
        "https://client.example/hook",
        "job.*",
        "X-Name: value",
        "sha256:",
        "{\"url\":{\"timeoutMs\":500}}",
        "400-499",
        ",",
        "=",
        "0",
        "99999999999999999999",
    ];
    if input.rarely(4) {
        return String::from_utf8_lossy(input.bytes(40)).into_owned();
    }
    let count = 1 + input.below(3);
    let parts: Vec<&str> = (0..count).map(|_| *input.pick(PARTS)).collect();
    parts.join(",")
}

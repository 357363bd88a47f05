//! The fields of an endpoint in requests: for a new one, and for a change (RFC 7396).

use std::collections::BTreeSet;

use reelhook_app::outbound::CONNECTION_HEADERS;
use reelhook_app::webhooks::deliver::is_reserved_header;
use reelhook_app::webhooks::endpoints::policies::{
    CONCURRENCY, FINAL_STATUSES, OwnPolicy, RATE_MAX, ScheduleName, TIMEOUT_MS, WINDOW_MS, may_be_final,
};
use reelhook_app::webhooks::endpoints::registrations::Choices;
use reelhook_app::webhooks::endpoints::{Arn, Destination, Form, Format, Payload, receiver_url};
use reelhook_app::webhooks::settings::{is_field_value, is_token};
use reelhook_domain::{EventFilter, EventPattern};
use serde_json::{Map, Value};

use crate::numbers::whole;
use crate::problem::{Problem, RequestProblem, bad};
use crate::webhooks::problem::WebhookProblem;

/// Characters of a URL.
pub(crate) const URL_LIMIT: usize = 2048;
/// Characters of a description.
const DESCRIPTION_LIMIT: usize = 200;
/// Entries of a filter.
const EVENTS_LIMIT: usize = 50;
/// Headers of one endpoint.
const HEADERS_LIMIT: usize = 20;
/// Bytes of a header's name, and of its value.
const HEADER_LIMITS: (usize, usize) = (64, 1024);
/// Replaces secrets in answers.
pub(crate) const HIDDEN: &str = "***";
/// Fields that a new endpoint and a changed one may have.
const FIELDS: [&str; 18] = [
    "url",
    "arn",
    "type",
    "events",
    "description",
    "metadata",
    "headers",
    "payload",
    "format",
    "asciiJson",
    "ascii_json",
    "signatures",
    "schedule",
    "timeoutMs",
    "concurrency",
    "rateLimit",
    "permanentStatuses",
    "enabled",
];

/// The destinations that this stack allows.
#[derive(Debug, Clone)]
pub struct DestinationRules {
    /// Whether http URLs are allowed.
    pub allow_http: bool,
    /// Queues and event buses that the stack may send to.
    pub destinations: Vec<String>,
    /// The stack's region, in which they must be.
    pub region: String,
}

/// The parts of an endpoint that its owner sets.
#[derive(Debug, Clone)]
pub struct Fields {
    /// The public choices.
    pub choices: Choices,
    /// Its destination; none if the request has none.
    pub destination: Option<Destination>,
    /// Additional headers of its webhooks.
    pub headers: Vec<(String, String)>,
}

impl Default for Fields {
    fn default() -> Self {
        let events = EventFilter::new(EventPattern::parse("job.*"));
        let form = Form { format: Format::Standard, ..Form::default() };
        let choices = Choices { events, form, ..Choices::default() };
        Self { choices, destination: None, headers: Vec::new() }
    }
}

/// Checks that every field is known.
///
/// # Errors
/// [`RequestProblem::UnknownField`].
pub(crate) fn check_names(body: &Map<String, Value>, more: &[&'static str]) -> Result<(), Problem> {
    let known = [FIELDS.as_slice(), more].concat();
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Problem::Request(RequestProblem::UnknownField(name.clone(), known))),
        None => Ok(()),
    }
}

/// The field `enabled`, if it is present.
pub(crate) fn enabled(body: &Map<String, Value>) -> Result<Option<bool>, Problem> {
    match body.get("enabled") {
        None => Ok(None),
        Some(Value::Bool(enabled)) => Ok(Some(*enabled)),
        Some(_) => Err(bad("enabled", "true or false")),
    }
}

impl Fields {
    /// Applies the fields of a request; null resets a field to its default.
    ///
    /// # Errors
    /// [`Problem`] names the field.
    pub fn merge(&mut self, body: &Map<String, Value>, reach: &DestinationRules) -> Result<(), Problem> {
        if let Some(destination) = read_destination(body, self.destination.as_ref(), reach)? {
            self.destination = Some(destination);
        }
        let choices = &mut self.choices;
        let elsewhere = matches!(self.destination, Some(Destination::Queue(_) | Destination::Bus(_)));
        if elsewhere && body.get("headers").is_some_and(|headers| !headers.is_null()) {
            return Err(bad("headers", "left out but for the type `http`"));
        }
        for (name, value) in body {
            let given = (!value.is_null()).then_some(value);
            match name.as_str() {
                "events" => {
                    choices.events = match given {
                        Some(value) => read_events(value)?,
                        None => Self::default().choices.events,
                    };
                }
                "description" => choices.description = given.map(read_description).transpose()?,
                "payload" => choices.form.payload = given.map_or(Ok(Payload::Full), read_payload)?,
                "format" => {
                    choices.form.format = match given {
                        Some(value) => read_format(value)?,
                        None => Self::default().choices.form.format,
                    };
                }
                "asciiJson" | "ascii_json" => {
                    choices.form.ascii =
                        given.map_or(Some(false), Value::as_bool).ok_or_else(|| bad("asciiJson", "true or false"))?;
                }
                "signatures" => choices.asymmetric = given.map_or(Ok(false), read_signatures)?,
                "headers" => merge_headers(&mut self.headers, given)?,
                "schedule" | "timeoutMs" | "concurrency" | "rateLimit" | "permanentStatuses" => {
                    read_policy(&mut choices.policy, name, given)?;
                }
                // These are read elsewhere: the destination, `enabled`, the secret of a new endpoint, and the metadata.
                "url" | "arn" | "type" | "enabled" | "secret" | "metadata" => {}
                unknown => {
                    return Err(Problem::Request(RequestProblem::UnknownField(unknown.to_owned(), FIELDS.to_vec())));
                }
            }
        }
        Ok(())
    }
}

/// The `type` of a destination.
pub(crate) fn kind_of(destination: &Destination) -> &'static str {
    match destination {
        Destination::Web(_) => "http",
        Destination::Queue(_) => "sqs",
        Destination::Bus(_) => "eventbridge",
    }
}

fn read_destination(
    body: &Map<String, Value>,
    known: Option<&Destination>,
    reach: &DestinationRules,
) -> Result<Option<Destination>, Problem> {
    let kind = match body.get("type") {
        None | Some(Value::Null) => known.map_or("http", kind_of),
        Some(Value::String(kind)) if ["http", "sqs", "eventbridge"].contains(&kind.as_str()) => kind,
        Some(_) => return Err(bad("type", "`http`, `sqs` or `eventbridge`")),
    };
    if known.is_some_and(|known| kind_of(known) != kind) {
        return Err(bad("type", "as it was registered; register another endpoint"));
    }
    let field = if kind == "http" { "url" } else { "arn" };
    let other = if kind == "http" { "arn" } else { "url" };
    if body.get(other).is_some_and(|value| !value.is_null()) {
        return Err(bad(other, format!("left out for the type `{kind}`, which has `{field}`")));
    }
    let text = match body.get(field) {
        None if known.is_some() => return Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() && text.chars().count() <= URL_LIMIT => text.trim(),
        None | Some(Value::Null) if kind == "http" => {
            return Err(Problem::Webhook(WebhookProblem::UrlMissing("Webhook URL is required")));
        }
        _ if kind == "http" => return Err(bad("url", format!("a text of at most {URL_LIMIT} characters"))),
        _ => return Err(bad("arn", "the ARN of a queue or an event bus")),
    };
    let arn = |service: &str, right: &str| {
        let arn = Arn::parse(text, service).ok_or_else(|| bad("arn", right))?;
        if arn.parts().0 != reach.region {
            return Err(bad("arn", format!("in the stack's region, {}", reach.region)));
        }
        if !reach.destinations.iter().any(|known| known == text) {
            let right =
                "one that this stack may send to: name it in the parameter QueueDestinations or BusDestinations";
            return Err(bad("arn", right));
        }
        Ok(arn)
    };
    Ok(Some(match kind {
        "sqs" => Destination::Queue(arn("sqs", "the ARN of a queue, arn:aws:sqs:region:account:name")?),
        "eventbridge" => {
            let right = "the ARN of an event bus, arn:aws:events:region:account:event-bus/name";
            Destination::Bus(arn("events", right)?)
        }
        _ if text.ends_with("/***") => return Err(bad("url", "the URL itself, not ***")),
        _ => Destination::Web(receiver_url(text, reach.allow_http).map_err(|right| bad("url", right))?),
    }))
}

fn read_events(value: &Value) -> Result<EventFilter, Problem> {
    let right = || {
        bad("events", "a list of 1 to 50 events such as `job.completed`, `job.*` or `*`; see /api/webhooks/event-types")
    };
    let names = value.as_array().filter(|names| (1..=EVENTS_LIMIT).contains(&names.len())).ok_or_else(right)?;
    let patterns = names.iter().map(|name| name.as_str().and_then(EventPattern::parse));
    Ok(EventFilter::new(patterns.collect::<Option<Vec<_>>>().ok_or_else(right)?))
}

fn read_description(value: &Value) -> Result<String, Problem> {
    let text = value.as_str().filter(|text| text.chars().count() <= DESCRIPTION_LIMIT);
    text.map(str::to_owned)
        .ok_or_else(|| bad("description", format!("a text of at most {DESCRIPTION_LIMIT} characters")))
}

fn read_payload(value: &Value) -> Result<Payload, Problem> {
    match value.as_str() {
        Some("full") => Ok(Payload::Full),
        Some("thin") => Ok(Payload::Thin),
        _ => Err(bad("payload", "`full` or `thin`")),
    }
}

fn read_format(value: &Value) -> Result<Format, Problem> {
    match value.as_str() {
        Some("standard") => Ok(Format::Standard),
        Some("streamgank") => Ok(Format::StreamGank),
        _ => Err(bad("format", "`standard` or `streamgank`")),
    }
}

/// Whether `v1a` is among them; `v1` always is.
fn read_signatures(value: &Value) -> Result<bool, Problem> {
    let names: Option<Vec<&str>> = value.as_array().and_then(|names| names.iter().map(Value::as_str).collect());
    match names.as_deref() {
        Some(["v1"]) => Ok(false),
        Some(["v1", "v1a"] | ["v1a", "v1"]) => Ok(true),
        _ => Err(bad("signatures", "[\"v1\"] or [\"v1\", \"v1a\"]")),
    }
}

fn merge_headers(headers: &mut Vec<(String, String)>, given: Option<&Value>) -> Result<(), Problem> {
    let Some(value) = given else {
        headers.clear();
        return Ok(());
    };
    let given = value.as_object().ok_or_else(|| bad("headers", "an object of names and values"))?;
    for (name, value) in given {
        let right = || {
            let (names, values) = HEADER_LIMITS;
            let right = format!("names of at most {names} characters and values of at most {values}, in visible ASCII");
            bad("headers", format!("{right}; none of ours (webhook-*) and none of the connection's"))
        };
        let lower = name.to_lowercase();
        let known = name.len() <= HEADER_LIMITS.0 && is_token(name);
        if !known || is_reserved_header(&lower) || CONNECTION_HEADERS.contains(&lower.as_str()) {
            return Err(right());
        }
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        match value {
            Value::Null => {}
            Value::String(text) if text == HIDDEN => return Err(bad("headers", "the values themselves, not ***")),
            Value::String(text) if text.len() <= HEADER_LIMITS.1 && is_field_value(text) => {
                headers.push((name.clone(), text.clone()));
            }
            _ => return Err(right()),
        }
    }
    if headers.len() > HEADERS_LIMIT {
        return Err(bad("headers", format!("at most {HEADERS_LIMIT}")));
    }
    Ok(())
}

fn read_policy(policy: &mut OwnPolicy, name: &str, given: Option<&Value>) -> Result<(), Problem> {
    match name {
        "schedule" => {
            let read = |value: &Value| value.as_str().and_then(ScheduleName::parse);
            let right = || bad("schedule", "`streamgank`, `vidbuilder` or `standard`");
            policy.schedule = given.map(|value| read(value).ok_or_else(right)).transpose()?;
        }
        "timeoutMs" => policy.timeout = given.map(|value| number(value, "timeoutMs", TIMEOUT_MS)).transpose()?,
        "concurrency" => {
            let read = given.map(|value| number(value, "concurrency", CONCURRENCY)).transpose()?;
            policy.concurrency = read.and_then(|value| u32::try_from(value).ok());
        }
        "rateLimit" => {
            let limit = match given {
                None => None,
                Some(Value::Object(limit)) if limit.keys().all(|key| key == "max" || key == "windowMs") => Some(limit),
                Some(_) => return Err(bad("rateLimit", "an object with `max` and `windowMs`")),
            };
            // Only the named members of an object change; null resets them to the default.
            let part = |name: &str| match limit {
                None => Some(None),
                Some(limit) => limit.get(name).map(|value| (!value.is_null()).then_some(value)),
            };
            if let Some(max) = part("max") {
                let max = max.map(|value| number(value, "rateLimit.max", RATE_MAX)).transpose()?;
                policy.rate_limit_max = max.and_then(|max| u32::try_from(max).ok());
            }
            if let Some(window) = part("windowMs") {
                policy.rate_limit_window =
                    window.map(|value| number(value, "rateLimit.windowMs", WINDOW_MS)).transpose()?;
            }
        }
        "permanentStatuses" => {
            let status = |value: &Value| whole(value).and_then(|status| u16::try_from(status).ok());
            let read = |value: &Value| {
                value
                    .as_array()?
                    .iter()
                    .map(|one| status(one).filter(|one| may_be_final(*one)))
                    .collect::<Option<BTreeSet<u16>>>()
            };
            let right = || bad("permanentStatuses", format!("a list of statuses {FINAL_STATUSES}"));
            policy.permanent_statuses = given.map(|value| read(value).ok_or_else(right)).transpose()?;
        }
        _ => {}
    }
    Ok(())
}

fn number(value: &Value, field: &'static str, (least, most): (u64, u64)) -> Result<u64, Problem> {
    let read = whole(value).and_then(|value| u64::try_from(value).ok());
    let read = read.filter(|value| (least..=most).contains(value));
    read.ok_or_else(|| bad(field, format!("a whole number from {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:hooks";

    fn reach() -> DestinationRules {
        let elsewhere = "arn:aws:sqs:us-east-1:123456789012:hooks".to_owned();
        DestinationRules {
            allow_http: false,
            destinations: vec![QUEUE.to_owned(), elsewhere],
            region: "eu-central-1".to_owned(),
        }
    }

    fn merged(fields: &mut Fields, body: &Value) -> Result<(), String> {
        fields.merge(body.as_object().unwrap(), &reach()).map_err(|problem| problem.parts().2)
    }

    fn hook(body: Value) -> Result<Fields, String> {
        let mut fields = Fields::default();
        merged(&mut fields, &json!({ "url": "https://a.example/x" }))?;
        merged(&mut fields, &body)?;
        Ok(fields)
    }

    #[test]
    fn what_is_not_named_stays_and_null_is_the_default() {
        let mut fields = hook(json!({ "rateLimit": { "max": 5, "windowMs": 2000 }, "asciiJson": true })).unwrap();
        merged(&mut fields, &json!({ "rateLimit": { "max": 9 }, "events": ["*"] })).unwrap();
        let policy = &fields.choices.policy;
        assert_eq!((policy.rate_limit_max, policy.rate_limit_window), (Some(9), Some(2000)));
        merged(&mut fields, &json!({ "rateLimit": { "max": null } })).unwrap();
        assert_eq!((fields.choices.policy.rate_limit_max, fields.choices.policy.rate_limit_window), (None, Some(2000)));
        merged(&mut fields, &json!({ "rateLimit": null, "asciiJson": null, "events": null })).unwrap();
        assert_eq!((fields.choices.policy.rate_limit_window, fields.choices.form.ascii), (None, false));
        assert_eq!(fields.choices, Fields::default().choices);
        assert_eq!(fields.destination.map(|to| to.shown()).as_deref(), Some("https://a.example/x"));
    }

    #[test]
    fn a_new_endpoint_has_the_standard_payload_and_an_older_one_keeps_the_envelope() {
        let mut fields = hook(json!({})).unwrap();
        assert_eq!(fields.choices.form.format, Format::Standard);
        // Null is the default of a registration, whatever the endpoint had before.
        for (format, expected) in [(json!("streamgank"), Format::StreamGank), (Value::Null, Format::Standard)] {
            merged(&mut fields, &json!({ "format": format })).unwrap();
            assert_eq!(fields.choices.form.format, expected);
        }
        for wrong in [json!("cloudevents"), json!("Standard"), json!(1), json!({ "standard": null })] {
            let refused = merged(&mut fields, &json!({ "format": wrong })).unwrap_err();
            assert!(refused.contains("`standard` or `streamgank`"), "{refused}");
        }
        let stored: Choices =
            serde_json::from_value(json!({ "events": ["job.*"], "form": { "payload": "full", "ascii": false },
                "asymmetric": false, "policy": {} }))
            .unwrap();
        let mut older = Fields { choices: stored, ..fields };
        merged(&mut older, &json!({ "payload": "thin", "description": "Orders" })).unwrap();
        assert_eq!((older.choices.form.format, older.choices.form.payload), (Format::StreamGank, Payload::Thin));
    }

    #[test]
    fn headers_merge_by_name_whatever_their_case() {
        let mut fields = hook(json!({ "headers": { "X-One": "1", "X-Two": "2" } })).unwrap();
        merged(&mut fields, &json!({ "headers": { "x-one": "3", "X-TWO": null } })).unwrap();
        assert_eq!(fields.headers, [("x-one".to_owned(), "3".to_owned())]);
        merged(&mut fields, &json!({ "headers": null })).unwrap();
        assert!(fields.headers.is_empty());
    }

    #[test]
    fn what_an_answer_hides_is_not_taken_for_a_value() {
        let refused = hook(json!({ "headers": { "Authorization": "***" } })).unwrap_err();
        assert!(refused.contains("not ***"), "{refused}");
        let refused = hook(json!({ "url": "https://hooks.slack.com/***" })).unwrap_err();
        assert!(refused.contains("not ***"), "{refused}");
    }

    #[test]
    fn a_destination_keeps_its_type_and_is_one_that_the_stack_reaches() {
        let mut queue = Fields::default();
        merged(&mut queue, &json!({ "type": "sqs", "arn": QUEUE })).unwrap();
        for (body, why) in [
            (json!({ "type": "http", "url": "https://a.example/" }), "as it was registered"),
            (json!({ "url": "https://a.example/" }), "left out for the type `sqs`"),
            (json!({ "arn": "arn:aws:sqs:us-east-1:123456789012:hooks" }), "eu-central-1"),
            (json!({ "arn": "arn:aws:sqs:eu-central-1:123456789012:other" }), "QueueDestinations"),
            (json!({ "arn": "hooks" }), "arn:aws:sqs:region:account:name"),
            (json!({ "headers": { "X-One": "1" } }), "left out but for the type `http`"),
        ] {
            let refused = merged(&mut queue, &body).unwrap_err();
            assert!(refused.contains(why), "{body}: {refused}");
        }
        merged(&mut queue, &json!({ "type": "sqs", "description": "the same" })).unwrap();
    }
}

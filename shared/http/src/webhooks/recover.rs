//! Recoveries: deliveries of a time range that are counted or sent again, in the background.

use std::time::Duration;

use reelhook_app::retention::Days;
use reelhook_app::views::wire::{MetadataText, Time, Yes};
use reelhook_app::webhooks::recover::RecoveryRequest;
use reelhook_app::webhooks::recovery::{Filter, Recovery, RecoveryId, RecoveryStatus};
use reelhook_app::webhooks::wire::{DeliveryStatusText, EventNameText, RecoveryIdText};
use reelhook_domain::{DeliveryStatus, Metadata, OutboundEvent, Timestamp, brief};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Caller;
use crate::answer::ApiAnswer;
use crate::idempotency::key;
use crate::metadata::MetadataField;
use crate::problem::{Problem, bad};
use crate::request::ApiRequest;
use crate::typed::fields::{Flag, Moment, Parsed};
use crate::typed::times;
use crate::webhooks::fields::{Checked, DeliveryStatuses, EndpointName};
use crate::webhooks::problem::WebhookProblem;

/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// How much further back a recovery may begin than deliveries exist, for callers who make a dry run first and then send the
/// same range.
const LATE: Duration = Duration::from_secs(2 * DAY.as_secs());
/// How far ahead a recovery may end: the end of today lies ahead in every time zone.
const AHEAD: Duration = Duration::from_secs(2 * DAY.as_secs());

/// Deliveries of a time range to send again. Unknown fields are refused: a misspelt one would make the range wider than
/// intended.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RecoveryRequest")]
pub struct RecoveryBody {
    /// Deliveries that were created at this time or later; at most as long ago as deliveries are kept, which
    /// is 30 days by default.
    #[schemars(with = "Moment")]
    from: Option<Moment>,
    /// Deliveries that were created at this time or before; at most two days ahead. Now by default and at the latest.
    to: Option<Moment>,
    /// Only deliveries to this endpoint.
    endpoint: Option<Parsed<EndpointName>>,
    /// Only deliveries of this event.
    event: Option<Parsed<OutboundEvent>>,
    /// Only deliveries with this status, or with one of these; `["exhausted", "stopped"]` by default.
    status: Option<Checked<DeliveryStatuses>>,
    /// Whether deliveries are only counted; false by default.
    dry_run: Option<Flag>,
    /// The caller's own data.
    metadata: Option<MetadataField>,
}

/// Deliveries of a time range that are counted or sent again.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Recovery")]
pub struct RecoveryView<'a> {
    /// The id of the recovery.
    #[schemars(with = "RecoveryIdText")]
    id: &'a str,
    /// Its status.
    status: RecoveryStatus,
    /// Whether deliveries are only counted.
    dry_run: bool,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// The examined part of the time range, in percent.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The deliveries that it concerns.
    filter: RecoveryFilter<'a>,
    /// Deliveries that were examined.
    examined: u64,
    /// Examined deliveries that the filter matches.
    matched: u64,
    /// Matching deliveries that are sent again.
    replayed: u64,
    /// Matching deliveries that are not sent again, because an attempt was under way.
    under_way: u64,
    /// Matching deliveries that are not sent again, because their endpoint is disabled or deleted.
    endpoint_disabled: u64,
    /// When it was requested.
    created_at: Time,
    /// When it last progressed.
    updated_at: Time,
    /// When it ended.
    finished_at: Option<Time>,
}

/// The deliveries that a recovery concerns.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct RecoveryFilter<'a> {
    /// Created at this time or later.
    from: Time,
    /// Created at this time or before.
    to: Time,
    /// To this endpoint.
    endpoint: Option<&'a str>,
    /// Of this event.
    #[schemars(with = "Option<EventNameText>")]
    event: Option<OutboundEvent>,
    /// With one of these statuses.
    #[schemars(with = "Vec<DeliveryStatusText>")]
    status: &'a [DeliveryStatus],
}

/// One recovery.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecoveryAnswer<'a> {
    success: Yes,
    /// The recovery.
    recovery: RecoveryView<'a>,
}

/// The newest recoveries.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecoveryList<'a> {
    success: Yes,
    /// The number of recoveries in this answer.
    #[schemars(range(max = 20))]
    count: usize,
    /// The recoveries, newest first.
    recoveries: Vec<RecoveryView<'a>>,
}

/// A call about recoveries.
#[derive(Debug, Clone)]
pub enum Route {
    /// POST /api/webhooks/recover
    Begin(RecoveryRequest),
    /// GET /api/webhooks/recover
    List,
    /// GET /api/webhooks/recover/{id}
    One(RecoveryId),
    /// POST /api/webhooks/recover/{id}/cancel
    Cancel(RecoveryId),
}

impl Route {
    /// Reads the route; none if it is not one of these. Deliveries are kept for so long.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong; an id that can't be one is [`WebhookProblem::RecoveryNotFound`].
    pub fn read(request: &ApiRequest, caller: &Caller, kept: Days, now: Timestamp) -> Result<Option<Self>, Problem> {
        let id = |text: &str| RecoveryId::parse(text).ok_or(Problem::Webhook(WebhookProblem::RecoveryNotFound));
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("POST", ["api", "webhooks", "recover"]) => {
                let mut given: RecoveryBody = request.body()?;
                let dry_run = given.dry_run.is_some_and(|dry_run| dry_run.0);
                let key = key(request, caller)?;
                let MetadataField(metadata) = given.metadata.take().unwrap_or_default();
                Self::Begin(RecoveryRequest { filter: given.filter(kept, now)?, dry_run, metadata, key })
            }
            ("GET", ["api", "webhooks", "recover"]) => Self::List,
            ("GET", ["api", "webhooks", "recover", one]) => Self::One(id(one)?),
            ("POST", ["api", "webhooks", "recover", one, "cancel"]) => Self::Cancel(id(one)?),
            _ => return Ok(None),
        }))
    }

    /// Logs the caller and the call.
    pub fn note(&self, caller: &Caller) {
        let caller = brief(&caller.fingerprint);
        match self {
            Self::Begin(RecoveryRequest { filter: Filter { from, to, .. }, dry_run, .. }) => {
                tracing::info!(operation = "begin", %from, %to, dry_run, caller, "received a call about recoveries");
            }
            Self::List => tracing::info!(operation = "list", caller, "received a call about recoveries"),
            Self::One(id) => {
                tracing::info!(
                    operation = "one",
                    recovery_id = id.as_str(),
                    caller,
                    "received a call about recoveries"
                );
            }
            Self::Cancel(id) => {
                tracing::info!(
                    operation = "cancel",
                    recovery_id = id.as_str(),
                    caller,
                    "received a call about recoveries"
                );
            }
        }
    }
}

impl RecoveryBody {
    fn filter(self, kept: Days, now: Timestamp) -> Result<Filter, Problem> {
        let from = self.from.ok_or_else(|| bad("from", format!("the time to begin at: {}", times::RIGHT)))?.0;
        let to = self.to.map(|to| to.0);
        let oldest = now.before(kept.duration() + LATE);
        // A range that lies entirely before it is empty.
        if from < oldest && to.is_none_or(|to| to >= oldest) {
            let days = kept.count();
            return Err(bad("from", format!("within the last {days} days, since nothing older is kept")));
        }
        if to.is_some_and(|to| to > now.after(AHEAD)) {
            return Err(bad("to", "at most two days ahead; left out it is now"));
        }
        let to = to.unwrap_or(now).min(now);
        if from > to {
            return Err(bad("from", "a time before `to` and before now"));
        }
        // By default, deliveries that were not delivered.
        let undelivered = || vec![DeliveryStatus::Exhausted, DeliveryStatus::Stopped];
        Ok(Filter {
            from,
            to,
            endpoint: self.endpoint.map(|Parsed(name)| name.0),
            event: self.event.map(|Parsed(event)| event),
            statuses: self.status.map_or_else(undelivered, |Checked(statuses)| statuses.0),
        })
    }
}

/// A started recovery: 202 while it is running.
pub fn recovery_answer(recovery: &Recovery) -> ApiAnswer {
    let status = if recovery.status == RecoveryStatus::Running { 202 } else { 200 };
    ApiAnswer::json(status, &RecoveryAnswer { success: Yes, recovery: shown(recovery) })
}

/// A recovery: 200 whatever its status.
pub fn one_answer(recovery: &Recovery) -> ApiAnswer {
    ApiAnswer::json(200, &RecoveryAnswer { success: Yes, recovery: shown(recovery) })
}

/// The newest recoveries.
pub fn recoveries_answer(recoveries: &[Recovery]) -> ApiAnswer {
    let shown = recoveries.iter().map(shown).collect();
    ApiAnswer::json(200, &RecoveryList { success: Yes, count: recoveries.len(), recoveries: shown })
}

/// A recovery as clients see it.
pub(crate) fn shown(of: &Recovery) -> RecoveryView<'_> {
    RecoveryView {
        id: of.id.as_str(),
        status: of.status,
        dry_run: of.dry_run,
        metadata: &of.origin.metadata,
        progress: of.progress(),
        filter: RecoveryFilter {
            from: of.filter.from.into(),
            to: of.filter.to.into(),
            endpoint: of.filter.endpoint.as_deref(),
            event: of.filter.event,
            status: &of.filter.statuses,
        },
        examined: of.examined,
        matched: of.matched,
        replayed: of.replayed,
        under_way: of.under_way,
        endpoint_disabled: of.disabled,
        created_at: of.created_at.into(),
        updated_at: of.updated_at.into(),
        finished_at: of.finished_at.map(Time),
    }
}

#[cfg(test)]
mod tests {
    use reelhook_app::webhooks::recovery::RecoveryOrigin;
    use serde_json::{Value, json};

    use super::*;
    use crate::problem::RequestProblem;
    use crate::request::posting;

    const NOW: Timestamp = Timestamp(1_704_110_400_000);

    fn read(request: &ApiRequest) -> Result<Option<Route>, Problem> {
        Route::read(request, &Caller::known_as("ann"), Days::MONTH, NOW)
    }

    fn begin(body: Value) -> Result<(Filter, bool), Problem> {
        match read(&posting("/api/webhooks/recover", &body))? {
            Some(Route::Begin(command)) => Ok((command.filter, command.dry_run)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_filter_is_read_whole_and_what_did_not_arrive_is_meant_by_default() {
        let from = NOW.before(Duration::from_secs(1));
        let filter = |statuses: &[DeliveryStatus]| Filter {
            from,
            to: NOW,
            endpoint: None,
            event: None,
            statuses: statuses.to_vec(),
        };
        let plain = filter(&[DeliveryStatus::Exhausted, DeliveryStatus::Stopped]);
        assert_eq!(begin(json!({ "from": from.0 })), Ok((plain, false)));
        let body = json!({
            "from": from.to_string(), "to": "2024-01-01T23:59:59+01:00", "endpoint": "webhook_2", "event": "job.failed",
            "status": ["delivered", "delivered"], "dryRun": true,
        });
        let whole = Filter {
            endpoint: Some("webhook_2".to_owned()),
            event: Some(OutboundEvent::Failed),
            ..filter(&[DeliveryStatus::Delivered])
        };
        assert_eq!(begin(body), Ok((whole, true)), "nothing is recovered that is yet to come");
    }

    #[test]
    fn no_spelling_of_a_time_makes_the_range_wider() {
        let from = NOW.before(Duration::from_secs(60));
        for given in [json!(from.0), json!(from.0 / 1000), json!((from.0 / 1000).to_string()), json!(from.to_string())]
        {
            let (filter, _) = begin(json!({ "from": given, "to": given })).unwrap();
            assert_eq!((filter.from, filter.to), (from, from), "{given}");
        }
        let of_old = begin(json!({ "from": "2023-01-01T00:00:00Z", "to": "2023-01-02T00:00:00Z" })).unwrap();
        assert!(of_old.0.to < NOW.before(300 * DAY), "nothing is there, and nothing else is meant");
        let backwards = begin(json!({ "from": from.0, "to": from.0 - 1 }));
        assert!(backwards.as_ref().is_err_and(|problem| problem.path() == Some("from")), "{backwards:?}");
        for name in ["form", "From", "since", "until", "dry_run", "dryrun", "endpointId", "statuses"] {
            let mut body = json!({ "from": from.0 });
            body[name] = json!(true);
            let Err(Problem::Request(RequestProblem::UnknownField(named, _))) = begin(body) else { panic!("{name}") };
            assert_eq!(named, name);
        }
    }

    #[test]
    fn every_bad_field_is_named() {
        let good = json!({ "from": NOW.0 - 1000 });
        for (field, value) in [
            ("from", Value::Null),
            ("from", json!("yesterday")),
            ("from", json!("")),
            ("from", json!(1)),
            ("from", json!(NOW.0 + 1)),
            ("from", json!(NOW.0 * 1000)),
            ("from", json!(NOW.before(33 * DAY).millis())),
            ("from", json!("2023-10-01T00:00:00Z")),
            ("from", json!("2024-01-01")),
            ("from", json!("2024-01-01T11:59:00")),
            ("to", json!([])),
            ("to", json!("")),
            ("to", json!("2024-01-01")),
            ("to", json!(NOW.0 * 1000)),
            ("to", json!("2042-01-01T12:00:00Z")),
            ("to", json!("12024-01-01T12:00:00Z")),
            ("endpoint", json!("a/b")),
            ("endpoint", json!("")),
            ("event", json!("job.exploded")),
            ("status", json!([])),
            ("status", json!("lost")),
            ("dryRun", json!("yes")),
        ] {
            let mut body = good.clone();
            body[field] = value.clone();
            let refused = begin(body).unwrap_err();
            assert_eq!(refused.path(), Some(field));
        }
        let unknown = read(&crate::request::get_request("/api/webhooks/recover/rec_1", &[]));
        assert_eq!(unknown.unwrap_err(), Problem::Webhook(WebhookProblem::RecoveryNotFound));
    }

    #[test]
    fn a_recovery_is_shown_in_the_order_of_the_contract() {
        let filter = Filter {
            from: NOW.before(DAY),
            to: NOW,
            endpoint: Some("webhook_2".to_owned()),
            event: Some(OutboundEvent::Failed),
            statuses: vec![DeliveryStatus::Exhausted],
        };
        let recovery = Recovery {
            id: RecoveryId::of(1),
            filter,
            dry_run: false,
            origin: RecoveryOrigin::default(),
            status: RecoveryStatus::Done,
            version: 2,
            created_at: NOW,
            updated_at: NOW,
            finished_at: None,
            due_at: None,
            cursor: String::new(),
            examined: 5,
            matched: 4,
            replayed: 3,
            under_way: 2,
            disabled: 1,
        };
        let expected = r#"{"success":true,"recovery":{"id":"rec_00000000000000000000000000000001","status":"done","dryRun":false,"metadata":{},"progress":100,"filter":{"from":"2023-12-31T12:00:00.000Z","to":"2024-01-01T12:00:00.000Z","endpoint":"webhook_2","event":"job.failed","status":["exhausted"]},"examined":5,"matched":4,"replayed":3,"underWay":2,"endpointDisabled":1,"createdAt":"2024-01-01T12:00:00.000Z","updatedAt":"2024-01-01T12:00:00.000Z","finishedAt":null}}"#;
        assert_eq!(one_answer(&recovery).body, expected);
    }
}

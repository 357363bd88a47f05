//! Fanout: turns the outbox of each version on the streams of jobs, projects and clip jobs into rows and messages, and
//! repairs after a lost stream.

use aws_lambda_events::event::dynamodb::EventRecord;
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::LambdaEvent;
use reelhook_app::Url;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::dead_letters;
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::errors::steps::ErrorSteps;
use reelhook_app::files::links::FileLinks;
use reelhook_app::jobs::steps::DetailStore;
use reelhook_app::metrics;
use reelhook_app::outbox::fanout::{AnyVersion, FanoutPorts, Plan, apply_plans};
use reelhook_app::outbox::messages::{Delayed, DeliveryMessage, LiveMessage, PieceMessage, WorkMessage, send_all};
use reelhook_app::outbox::repair::{Cursor, Place, RepairPorts, repair, repair_clips, repair_projects};
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_app::webhooks::subscriptions::{Subscribers, Subscriptions};
use reelhook_aws::clips;
use reelhook_aws::clips::table::ClipTable;
use reelhook_aws::credits::table::CreditTable;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::jobs;
use reelhook_aws::jobs::events::FanoutTables;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::live::viewers::ViewerFlag;
use reelhook_aws::objects::Bucket;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::outbox::stream::{self, Record};
use reelhook_aws::projects;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::{Policy, Subject, Timestamp};
use reelhook_signing::SigningKeys;
use serde::{Deserialize, Serialize};
use serde_json::json;

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "WEBHOOK_URLS", "WEBHOOK_EVENTS", "NOTIFICATION_SERVICE_URL"];

/// The endpoints of the settings, and the keys that sign links to files.
struct Secrets {
    webhooks: WebhookSettings,
    links: SigningKeys,
}

/// A poison record, as the failure queue shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PoisonNote {
    /// Why it can't be processed.
    pub reason: String,
    /// The key of the whole record in the bucket.
    pub key: String,
}

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    projects: ProjectTable,
    clips: ClipTable,
    credits: CreditTable,
    errors: ErrorTable,
    tables: FanoutTables,
    hints: Hints,
    viewers: ViewerFlag,
    failures: Queue<PoisonNote>,
    bucket: Bucket,
    base: Url,
    settings: Settings<Secrets>,
    registrations: RegistrationTable,
    policy: Policy,
}

/// The queues of hints, by who receives them.
struct Hints {
    work: Queue<WorkMessage>,
    deliveries: Queue<DeliveryMessage>,
    pieces: Queue<PieceMessage>,
    live: Queue<LiveMessage>,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let allow_http = resources.environment.allows_http();
        let mut queues = resources.queues();
        let hints = Hints {
            work: queues.work(),
            deliveries: queues.deliveries(),
            pieces: queues.pieces(),
            live: queues.live(),
        };
        let failures = queues.named("FAILURES_QUEUE_URL");
        let shards = resources.environment.counter_shards();
        Ok(Self {
            jobs: resources.jobs(),
            projects: resources.projects(),
            clips: resources.clips(),
            credits: resources.credits(),
            errors: resources.errors(),
            tables: FanoutTables {
                log: resources.job_events(),
                deliveries: resources.deliveries(),
                counters: resources.counters().sharded(shards),
                now: || SystemClock.now(),
            },
            hints,
            viewers: resources.viewers(),
            failures,
            bucket: resources.bucket(),
            registrations: RegistrationTable::new(resources.endpoints()),
            policy: resources.environment.policy(),
            base: resources.environment.required_public_base(),
            settings: resources
                .settings(SETTINGS, move |raw| {
                    let lookup = |name: &str| raw.text(name);
                    Ok(Secrets {
                        webhooks: WebhookSettings::read(&lookup, allow_http)?.with_notification(&lookup, allow_http)?,
                        links: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                    })
                })?
                .await?,
        })
    }

    /// Links to files of projects.
    fn links<'a>(&'a self, secrets: &'a Secrets) -> FileLinks<'a> {
        FileLinks { base: &self.base, keys: &secrets.links }
    }

    /// What raises and resolves errors.
    fn raise_ports<'a>(&'a self, secrets: &'a Secrets) -> RaisePorts<'a> {
        let grace = self.policy.hint_grace;
        RaisePorts {
            errors: &self.errors,
            notify: NotifyPorts { store: &self.tables, hints: &self.hints.deliveries, grace },
            subscribers: &self.registrations,
            settings: &secrets.webhooks,
            clock: &SystemClock,
        }
    }

    fn ports<'a>(&'a self, errors: &'a RaisePorts<'a>) -> FanoutPorts<'a> {
        FanoutPorts {
            files: &self.bucket,
            store: &self.tables,
            scene_slots: &self.projects,
            lookups: &self.tables.counters,
            submissions: &self.tables.counters,
            ledger: &self.credits,
            errors,
            work: &self.hints.work,
            pieces: &self.hints.pieces,
            deliveries: &self.hints.deliveries,
            viewers: &self.viewers,
            live: &self.hints.live,
            clock: &SystemClock,
        }
    }
}

/// The function's input.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Call {
    /// A batch of the stream.
    Stream {
        /// Its records.
        #[serde(rename = "Records")]
        records: Vec<EventRecord>,
    },
    /// `cargo xtask repair`.
    Repair {
        /// The part to repair.
        repair: RepairRequest,
    },
}

/// A part of a repair.
#[derive(Debug, Deserialize)]
pub struct RepairRequest {
    since: Timestamp,
    #[serde(default)]
    cursor: Option<Place>,
}

/// The function's output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The checkpoint of a batch.
    Stream(DynamoDbEventResponse),
    /// The progress of a repair.
    Repair(RepairAnswer),
}

/// The progress of a repair.
#[derive(Debug, Serialize)]
pub struct RepairAnswer {
    scanned: usize,
    ensured: usize,
    /// Where the next part begins; none if the repair is done.
    cursor: Option<Place>,
}

/// Processes a batch of the stream, or a part of a repair.
///
/// # Errors
/// When a part of a repair fails; it can be repaired again with the same cursor.
pub async fn handle(deps: &Deps, event: LambdaEvent<Call>) -> Result<Answer, lambda_runtime::Error> {
    match event.payload {
        Call::Stream { records } => Ok(Answer::Stream(stream(deps, &records).await)),
        Call::Repair { repair: request } => Ok(Answer::Repair(repair_part(deps, request).await?)),
    }
}

/// Repairs a page of jobs, of projects after all jobs, or of clip jobs after all projects.
async fn repair_part(deps: &Deps, request: RepairRequest) -> Result<RepairAnswer, lambda_runtime::Error> {
    let secrets = deps.settings.get().await;
    let errors = deps.raise_ports(&secrets);
    let ports = RepairPorts {
        lister: &deps.jobs,
        jobs: &deps.jobs,
        fanout: deps.ports(&errors),
        subscriptions: &read_subscriptions(deps).await?,
        links: deps.links(&secrets),
        grace: deps.policy.hint_grace,
    };
    let (repaired, cursor) = match request.cursor.unwrap_or(Place::Jobs(Cursor::default())) {
        Place::Jobs(cursor) => {
            let repaired = repair(&ports, request.since, cursor, SystemClock.now()).await?;
            let next = repaired.cursor.clone().map_or(Place::Projects { projects: None }, Place::Jobs);
            (repaired, Some(next))
        }
        Place::Projects { projects } => {
            let cursor = projects.as_deref();
            let (repaired, next) = repair_projects(&ports, &deps.projects, request.since, cursor).await?;
            let next = next.map(|next| Place::Projects { projects: Some(next) });
            (repaired, Some(next.unwrap_or(Place::Clips { clips: String::new() })))
        }
        Place::Clips { clips } => {
            let cursor = Some(clips.as_str()).filter(|cursor| !cursor.is_empty());
            let (repaired, next) = repair_clips(&ports, &deps.clips, request.since, cursor).await?;
            (repaired, next.map(|clips| Place::Clips { clips }))
        }
    };
    Ok(RepairAnswer { scanned: repaired.scanned, ensured: repaired.ensured, cursor })
}

/// Loads the subscriptions of all endpoints.
async fn read_subscriptions(deps: &Deps) -> Result<Subscriptions, StoreError> {
    let (secrets, registered) = tokio::join!(deps.settings.get(), deps.registrations.subscribers());
    Ok(Subscriptions::new(&secrets.webhooks, registered?))
}

/// Reads a record of a stream as a version of an aggregate of any kind; the prefix of its id says which.
fn read(record: &EventRecord) -> Record<dyn AnyVersion> {
    let now = SystemClock.now();
    match stream::id(record).map(Subject::parse) {
        Some(Ok(Subject::Project(_))) => stream::read(record, now, projects::item::from_item).of_any(),
        Some(Ok(Subject::Clips(_))) => stream::read(record, now, clips::item::from_item).of_any(),
        Some(_) | None => stream::read(record, now, jobs::item::from_item).of_any(),
    }
}

/// Processes the records before the first one that fails; Lambda retries that one and all after it.
async fn stream(deps: &Deps, records: &[EventRecord]) -> DynamoDbEventResponse {
    let secrets = deps.settings.get().await;
    let mut plans = Vec::with_capacity(records.len());
    let mut planned = Vec::new();
    let (mut stopped, mut subscriptions) = (None, None);
    for (index, record) in records.iter().enumerate() {
        match read(record) {
            Record::Version(version) => {
                if subscriptions.is_none() && version.notifies() {
                    match read_subscriptions(deps).await {
                        Ok(found) => subscriptions = Some(found),
                        Err(error) => {
                            let cause = std::error::Error::source(&error).map(ToString::to_string);
                            tracing::error!(%error, cause, "failed to load subscribers; the batch will be retried");
                            stopped = Some(index);
                            break;
                        }
                    }
                }
                // A version that causes no webhook events needs no subscriptions.
                let none = Subscriptions::default();
                let subscriptions = subscriptions.as_ref().unwrap_or(&none);
                plans.push(version.plan(subscriptions, deps.links(&secrets), deps.policy.hint_grace));
                if metrics::is_on() {
                    planned.push((index, version));
                }
            }
            Record::Nothing => plans.push(Plan::default()),
            Record::TooNew(reason) => {
                tracing::error!(
                    sequence = record.change.sequence_number,
                    reason,
                    "the record waits for a newer version of fanout"
                );
                stopped = Some(index);
                break;
            }
            Record::Poison(reason) => {
                if let Err(error) = put_aside(deps, record, &reason).await {
                    tracing::error!(%error, "failed to put a poison record aside");
                    stopped = Some(index);
                    break;
                }
                plans.push(Plan::default());
            }
        }
    }
    let errors = deps.raise_ports(&secrets);
    if let Err(failure) = apply_plans(&deps.ports(&errors), &plans).await {
        let cause = std::error::Error::source(&failure.source).map(ToString::to_string);
        tracing::error!(%failure, error = %failure.source, cause, "failed to apply effects; the batch will be retried");
        stopped = Some(failure.index);
    }
    // What comes again is measured then.
    planned
        .iter()
        .filter(|(index, _)| stopped.is_none_or(|stopped| *index < stopped))
        .for_each(|(_, version)| version.measure());
    checkpoint(records, stopped)
}

/// The answer for a batch that stopped at a record, or was processed completely.
fn checkpoint(records: &[EventRecord], stopped: Option<usize>) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    if let Some(record) = stopped.and_then(|index| records.get(index)) {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = record.change.sequence_number.clone();
        response.batch_item_failures.push(failure);
    }
    response
}

/// Stores a whole poison record in the bucket, and sends a note to the failure queue.
async fn put_aside(deps: &Deps, record: &EventRecord, reason: &str) -> anyhow::Result<()> {
    let sequence = record.change.sequence_number.as_deref().unwrap_or("unknown");
    let key = format!("poison/{sequence}.json");
    let body = serde_json::to_vec(&json!({ "reason": reason, "record": record }))?;
    deps.bucket.put(&key, body).await?;
    let note = PoisonNote { reason: reason.to_owned(), key: key.clone() };
    send_all(&deps.failures, vec![Delayed::now(note)]).await?;
    let table = record.event_source_arn.as_deref().and_then(table_of).unwrap_or("unknown");
    if let Some(step) = dead_letters::poison(table, sequence, reason, &key, SystemClock.now()) {
        let secrets = deps.settings.get().await;
        deps.raise_ports(&secrets).apply(&step).await?;
    }
    tracing::error!(sequence, reason, "put a poison record aside");
    Ok(())
}

/// The name of the table that a stream's ARN names: `arn:…:table/<name>/stream/<time>`.
fn table_of(arn: &str) -> Option<&str> {
    arn.split_once(":table/")?.1.split('/').next()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// So many records of the stream, whose sequence numbers count from 0.
    fn records(count: usize) -> Vec<EventRecord> {
        let sample: Value = serde_json::from_str(include_str!("../../../events/fanout/insert.json")).unwrap();
        let record = |number: usize| {
            let mut record = sample["Records"][0].clone();
            record["dynamodb"]["SequenceNumber"] = json!(number.to_string());
            serde_json::from_value(record).unwrap()
        };
        (0..count).map(record).collect()
    }

    #[test]
    fn the_arn_of_a_stream_names_its_table() {
        let arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/reelhook-Jobs-1A/stream/2024-01-01T00:00:00.000";
        assert_eq!(table_of(arn), Some("reelhook-Jobs-1A"));
        assert_eq!(table_of("arn:aws:sqs:eu-central-1:123456789012:Work"), None);
    }

    #[test]
    fn a_sample_of_the_stream_is_a_version_with_effects() {
        let Record::Version(version) = read(&records(1)[0]) else { panic!("it is a version") };
        let (links, grace) =
            (SigningKeys::parse("a key of 32 bytes for these tests").unwrap(), Policy::default().hint_grace);
        let base = Url::parse("https://api.example").unwrap();
        let plan = version.plan(&Subscriptions::default(), FileLinks { base: &base, keys: &links }, grace);
        assert_eq!((plan.work.len(), plan.logs.len()), (1, 1));
    }

    #[test]
    fn a_batch_is_retried_from_the_record_at_which_it_stopped() {
        let records = records(3);
        for (stopped, retried_from) in [(None, None), (Some(0), Some("0")), (Some(2), Some("2")), (Some(3), None)] {
            let failures = checkpoint(&records, stopped).batch_item_failures;
            let first = failures.first().and_then(|failure| failure.item_identifier.as_deref());
            assert_eq!((first, failures.len()), (retried_from, usize::from(retried_from.is_some())), "{stopped:?}");
        }
    }
}

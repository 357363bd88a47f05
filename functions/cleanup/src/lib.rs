//! The due sweep: every minute it acts on everything that is due; every hour it reconciles counters with the jobs.

use lambda_runtime::LambdaEvent;
use reelhook_app::clips::worker;
use reelhook_app::errors::dead_letters::{self, FaultPorts};
use reelhook_app::errors::raise::RaisePorts;
use reelhook_app::errors::service_down::{self, ServicePorts};
use reelhook_app::jobs::queue::RemovalPorts;
use reelhook_app::outbox::cleanup::{CleanupPorts, CleanupReport, clean_up};
use reelhook_app::outbox::messages::{DeliveryMessage, WorkMessage};
use reelhook_app::outbox::sweep::{Due, SweepPorts, WaitingScenes};
use reelhook_app::projects::services;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::notify::NotifyPorts;
use reelhook_app::webhooks::recover::RecoverPorts;
use reelhook_app::webhooks::settings::WebhookSettings;
use reelhook_aws::clips::table::ClipTable;
use reelhook_aws::errors::faults::LeftBehindQueues;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::jobs::reconcile::Reconciler;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, deadline};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_aws::webhooks::registrations::RegistrationTable;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::{ClipPolicy, Policy};
use serde::Deserialize;

/// What finds the subscribers of an event.
const SETTINGS: &[&str] = &["WEBHOOK_URLS", "WEBHOOK_EVENTS"];

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    projects: ProjectTable,
    clips: ClipTable,
    deliveries_table: DeliveryTable,
    endpoints: EndpointTable,
    counters: Reconciler,
    work: Queue<WorkMessage>,
    deliveries: Queue<DeliveryMessage>,
    left_behind: LeftBehindQueues,
    errors: ErrorTable,
    registrations: RegistrationTable,
    settings: Settings<WebhookSettings>,
    tables: Vec<String>,
    slot_rows: usize,
    slot_numbers: bool,
    policies: Policies,
}

/// The times and limits of aggregates.
struct Policies {
    jobs: Policy,
    projects: ProjectPolicy,
    clips: ClipPolicy,
}

impl Deps {
    /// Builds the dependencies from the variables.
    ///
    /// # Errors
    /// When a variable is missing or invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs();
        let mut queues = resources.queues();
        let (work, deliveries, left_behind) = (queues.work(), queues.deliveries(), queues.left_behind());
        let (endpoints, allow_http) = (resources.endpoints(), resources.environment.allows_http());
        let tables = ["JOBS_TABLE", "PROJECTS_TABLE", "CLIPS_TABLE"];
        Ok(Self {
            deliveries_table: resources.deliveries().due_after(resources.environment.policy().hint_grace),
            registrations: RegistrationTable::new(endpoints.clone()),
            endpoints,
            left_behind,
            errors: resources.errors(),
            tables: tables.into_iter().filter_map(|name| resources.environment.optional(name)).collect(),
            counters: Reconciler { counters: resources.counters(), jobs: jobs.clone() },
            jobs,
            projects: resources.projects(),
            clips: resources.clips(),
            work,
            deliveries,
            slot_rows: resources.environment.admission_shards(),
            slot_numbers: resources.environment.has_numbered_slots(),
            policies: Policies {
                jobs: resources.environment.policy(),
                projects: resources.environment.project_policy(),
                clips: resources.environment.clip_policy(),
            },
            settings: resources
                .settings(SETTINGS, move |raw| Ok(WebhookSettings::read(&|name| raw.text(name), allow_http)?))?
                .await?,
        })
    }
}

/// The event of an invocation, by the schedule or by a person.
#[derive(Debug, Default, Deserialize)]
pub struct Call {
    /// Whether to reconcile counters with the jobs in this invocation.
    #[serde(default)]
    reconcile: bool,
}

/// Cleans up once.
///
/// # Errors
/// When a part failed: the error raises an alarm, and the next sweep retries.
pub async fn handle(deps: &Deps, event: LambdaEvent<Call>) -> Result<CleanupReport, lambda_runtime::Error> {
    let jobs = Due { index: &deps.jobs, store: &deps.jobs, policy: &deps.policies.jobs };
    let projects = Due { index: &deps.projects, store: &deps.projects, policy: &deps.policies.projects };
    let clips = Due { index: &deps.clips, store: &deps.clips, policy: &deps.policies.clips };
    let scenes = WaitingScenes { slots: &deps.projects, work: &deps.work };
    let table = &deps.deliveries_table;
    let ports = CleanupPorts {
        sweep: SweepPorts {
            aggregates: &[&jobs, &projects, &clips, &scenes],
            due_deliveries: table,
            starts: &deps.jobs,
            work: &deps.work,
            deliveries: &deps.deliveries,
            clock: &SystemClock,
        },
        removal: RemovalPorts { queue: &deps.jobs, jobs: &deps.jobs, clock: &SystemClock, policy: &deps.policies.jobs },
        slot_rows: deps.slot_rows,
        slot_numbers: deps.slot_numbers,
        counters: &deps.counters,
        recoveries: RecoverPorts {
            store: table,
            deliveries: table,
            endpoints: &deps.endpoints,
            hints: &deps.deliveries,
            clock: &SystemClock,
            grace: deps.policies.jobs.hint_grace,
        },
    };
    let mut report = clean_up(&ports, event.payload.reconcile, deadline(&event.context)).await;
    if let Err(error) = check_faults(deps).await {
        tracing::error!(%error, "queues that nothing consumes and services not checked, the next sweep will retry it");
        report.failed += 1;
    }
    tracing::info!(?report, "sweep finished");
    if report.failed > 0 {
        return Err(format!("{} parts of the sweep failed", report.failed).into());
    }
    Ok(report)
}

/// Raises errors about dead letters and about services that are down, and resolves those whose cause is gone.
async fn check_faults(deps: &Deps) -> Result<(), StoreError> {
    let settings = deps.settings.get().await;
    let grace = deps.policies.jobs.hint_grace;
    let steps = RaisePorts {
        errors: &deps.errors,
        notify: NotifyPorts { store: &deps.deliveries_table, hints: &deps.deliveries, grace },
        subscribers: &deps.registrations,
        settings: &settings,
        clock: &SystemClock,
    };
    dead_letters::check(&FaultPorts {
        queues: &deps.left_behind,
        errors: &deps.errors,
        steps: &steps,
        clock: &SystemClock,
        tables: &deps.tables,
    })
    .await?;
    let ports =
        ServicePorts { circuits: &deps.counters.counters, errors: &deps.errors, steps: &steps, clock: &SystemClock };
    service_down::check(&ports, &services::watched(&deps.policies.projects)).await?;
    service_down::check(&ports, &[worker::watched(&deps.policies.clips)]).await
}

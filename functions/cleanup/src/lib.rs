//! The due sweep: every minute it acts on everything that is due; every hour it reconciles counters with the jobs.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::LambdaEvent;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::{RemovalPorts, remove_cleared};
use reelhook_app::jobs::reconcile::reconcile;
use reelhook_app::outbox::messages::{DeliveryMessage, WorkMessage};
use reelhook_app::outbox::sweep::{Due, SweepPorts, sweep};
use reelhook_app::webhooks::recover::{RecoverPorts, resume_all};
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::reconcile::Reconciler;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::start::SystemClock;
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_domain::{Policy, Timestamp};
use serde::{Deserialize, Serialize};

/// An hour in seconds. The sweep in the first minute of each hour reconciles counters.
const HOUR_S: i64 = 3600;
/// The time that a sweep spends on recoveries.
const RECOVERY_BUDGET: Duration = Duration::from_secs(35);
/// The time that one page of a recovery may need before the deadline of the invocation.
const LAST_PAGE: Duration = Duration::from_secs(8);

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    deliveries_table: String,
    endpoints_table: String,
    work_queue_url: String,
    deliveries_queue_url: String,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, DELIVERIES_TABLE, ENDPOINTS_TABLE, WORK_QUEUE_URL, DELIVERIES_QUEUE_URL and
    /// the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            deliveries_table: environment.required("DELIVERIES_TABLE"),
            endpoints_table: environment.required("ENDPOINTS_TABLE"),
            work_queue_url: environment.required("WORK_QUEUE_URL"),
            deliveries_queue_url: environment.required("DELIVERIES_QUEUE_URL"),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    deliveries_table: DeliveryTable,
    endpoints: EndpointTable,
    counters: Reconciler,
    work: Queue<WorkMessage>,
    deliveries: Queue<DeliveryMessage>,
    policy: Policy,
}

impl Deps {
    /// Builds the clients, before the first event.
    ///
    /// # Errors
    /// Never. The signature equals that of the other functions.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let jobs = JobTable::new(dynamodb.clone(), config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let endpoints = EndpointTable::new(dynamodb.clone(), config.endpoints_table);
        let deliveries = DeliveryTable::new(dynamodb, config.deliveries_table);
        Ok(Self {
            deliveries_table: deliveries,
            endpoints,
            counters: Reconciler { counters, jobs: jobs.clone() },
            jobs,
            work: Queue::new(clients.sqs(), config.work_queue_url),
            deliveries: Queue::new(clients.sqs(), config.deliveries_queue_url),
            policy: config.policy,
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

/// The result of a sweep.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    jobs_due: usize,
    jobs_changed: usize,
    deliveries_hinted: usize,
    removed: usize,
    recoveries: usize,
    counters_mended: usize,
    failed: usize,
}

/// Sweeps once.
///
/// # Errors
/// When a part failed: the error raises an alarm, and the next sweep retries.
pub async fn handle(deps: &Deps, event: LambdaEvent<Call>) -> Result<Report, lambda_runtime::Error> {
    let jobs = Due { index: &deps.jobs, store: &deps.jobs, policy: &deps.policy };
    let ports = SweepPorts {
        aggregates: &[&jobs],
        due_deliveries: &deps.deliveries_table,
        starts: &deps.jobs,
        work: &deps.work,
        deliveries: &deps.deliveries,
        clock: &SystemClock,
    };
    let swept = sweep(&ports).await;
    let mut failed = swept.failed;
    let removal = RemovalPorts { queue: &deps.jobs, jobs: &deps.jobs, clock: &SystemClock, policy: &deps.policy };
    let removed = part(remove_cleared(&removal).await, &mut failed);
    let now = SystemClock.now();
    let hourly = event.payload.reconcile || now.seconds() % HOUR_S < 60;
    let corrected = if hourly { part(reconcile(&deps.counters, now).await, &mut failed) } else { 0 };
    let table = &deps.deliveries_table;
    let recovery = RecoverPorts {
        store: table,
        deliveries: table,
        endpoints: &deps.endpoints,
        hints: &deps.deliveries,
        clock: &SystemClock,
        grace: deps.policy.hint_grace,
    };
    // A deadline of 0 means none: tests call the handler without one.
    let deadline = Some(event.context.deadline).filter(|ms| *ms > 0).and_then(|ms| i64::try_from(ms).ok());
    let end = Timestamp(deadline.unwrap_or(i64::MAX)).before(LAST_PAGE);
    let recoveries = part(resume_all(&recovery, end.min(now.after(RECOVERY_BUDGET))).await, &mut failed);
    let report = Report {
        jobs_due: swept.jobs_due,
        jobs_changed: swept.jobs_changed,
        deliveries_hinted: swept.deliveries_hinted,
        removed,
        recoveries,
        counters_mended: corrected,
        failed,
    };
    tracing::info!(?report, "sweep finished");
    if report.failed > 0 {
        return Err(format!("{} parts of the sweep failed", report.failed).into());
    }
    Ok(report)
}

/// The result of a part of the sweep. A failure is counted and logged, so that the other parts still run.
fn part<E: std::fmt::Display>(result: Result<usize, E>, failed: &mut usize) -> usize {
    result.unwrap_or_else(|error| {
        *failed += 1;
        tracing::error!(%error, "part of the sweep failed, the next sweep will retry it");
        0
    })
}

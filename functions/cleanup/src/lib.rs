//! The due sweep: every minute it acts on everything that is due; every hour it reconciles counters with the jobs.

use lambda_runtime::LambdaEvent;
use reelhook_app::jobs::queue::RemovalPorts;
use reelhook_app::outbox::cleanup::{CleanupPorts, CleanupReport, clean_up};
use reelhook_app::outbox::messages::{DeliveryMessage, WorkMessage};
use reelhook_app::outbox::sweep::{Due, SweepPorts};
use reelhook_app::webhooks::recover::RecoverPorts;
use reelhook_aws::jobs::reconcile::Reconciler;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::outbox::queues::Queue;
use reelhook_aws::resources::Resources;
use reelhook_aws::start::{SystemClock, deadline};
use reelhook_aws::webhooks::deliveries::DeliveryTable;
use reelhook_aws::webhooks::endpoints::EndpointTable;
use reelhook_domain::Policy;
use serde::Deserialize;

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
    /// Builds the dependencies from the variables.
    ///
    /// # Errors
    /// When a variable is missing or invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs();
        let mut queues = resources.queues();
        let (work, deliveries) = (queues.work(), queues.deliveries());
        let deps = Self {
            deliveries_table: resources.deliveries(),
            endpoints: resources.endpoints(),
            counters: Reconciler { counters: resources.counters(), jobs: jobs.clone() },
            jobs,
            work,
            deliveries,
            policy: resources.environment.policy(),
        };
        resources.finish()?;
        Ok(deps)
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
    let jobs = Due { index: &deps.jobs, store: &deps.jobs, policy: &deps.policy };
    let table = &deps.deliveries_table;
    let ports = CleanupPorts {
        sweep: SweepPorts {
            aggregates: &[&jobs],
            due_deliveries: table,
            starts: &deps.jobs,
            work: &deps.work,
            deliveries: &deps.deliveries,
            clock: &SystemClock,
        },
        removal: RemovalPorts { queue: &deps.jobs, jobs: &deps.jobs, clock: &SystemClock, policy: &deps.policy },
        counters: &deps.counters,
        recoveries: RecoverPorts {
            store: table,
            deliveries: table,
            endpoints: &deps.endpoints,
            hints: &deps.deliveries,
            clock: &SystemClock,
            grace: deps.policy.hint_grace,
        },
    };
    let report = clean_up(&ports, event.payload.reconcile, deadline(&event.context)).await;
    tracing::info!(?report, "sweep finished");
    if report.failed > 0 {
        return Err(format!("{} parts of the sweep failed", report.failed).into());
    }
    Ok(report)
}

//! Processes the Work queue: starts runs at the external worker, checks renders at Creatomate, and cancels runs at the
//! worker.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::LambdaEvent;
use reelhook_app::jobs::renders::{Creatomate, RenderPorts};
use reelhook_app::jobs::starts::{StartPorts, WorkerSettings};
use reelhook_app::jobs::work::{WorkPorts, work_on_all};
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::{Raw, Settings, required};
use reelhook_aws::start::{SystemClock, Verdict, batch};
use reelhook_domain::Policy;
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::SigningKeys;

/// The settings of requests to the external worker and to Creatomate.
struct Secrets {
    worker: WorkerSettings,
    creatomate: Creatomate,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "WEBHOOK_SECRET_KEY", "CREATOMATE_API_KEY"];

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    renders: RenderTable,
    http: GuardedClient,
    secrets: Settings<Secrets>,
    policy: Policy,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs();
        let (url, base) =
            (resources.environment.optional_url("WORKER_URL"), resources.environment.required_public_base());
        let (renderer, max) = (resources.environment.renderer(), resources.environment.max_workers());
        let creatomate = resources.environment.url("CREATOMATE_BASE_URL");
        let unsigned = resources.environment.needs_no_keys();
        let agent = user_agent(Some(&base));
        let parse = move |raw: &Raw| -> anyhow::Result<Secrets> {
            let secret = raw.get("WEBHOOK_SECRET_KEY").and_then(SigningKeys::parse);
            required(&[("WEBHOOK_SECRET_KEY", unsigned || secret.is_some())])?;
            let tokens = raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?;
            Ok(Secrets {
                worker: WorkerSettings { url: url.clone(), renderer, max, base: base.clone(), tokens, secret },
                creatomate: Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") },
            })
        };
        Ok(Self {
            renders: RenderTable { counters: resources.counters(), jobs: jobs.clone() },
            jobs,
            http: GuardedClient::new(resources.environment.outbound(AllowList::parse), Some(&agent))?,
            policy: resources.environment.policy(),
            secrets: resources.settings(SETTINGS, parse)?.await?,
        })
    }
}

/// Processes a batch of hints.
///
/// # Errors
/// Never: the answer names the messages to retry.
pub async fn handle(deps: &Deps, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    Ok(batch(event.payload, |messages: Vec<WorkMessage>| process(deps, messages)).await)
}

async fn process(deps: &Deps, messages: Vec<WorkMessage>) -> Vec<Verdict> {
    let secrets = deps.secrets.get().await;
    let ports = WorkPorts {
        starts: StartPorts {
            jobs: &deps.jobs,
            starts: &deps.jobs,
            http: &deps.http,
            clock: &SystemClock,
            policy: &deps.policy,
            worker: &secrets.worker,
        },
        renders: RenderPorts {
            jobs: &deps.jobs,
            renders: &deps.renders,
            clock: &SystemClock,
            policy: &deps.policy,
            confirmable: secrets.creatomate.key.is_some(),
        },
        creatomate: &secrets.creatomate,
    };
    work_on_all(&ports, &messages).await.into_iter().map(Verdict::from).collect()
}

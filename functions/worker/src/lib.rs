//! Processes the Work queue: starts runs at the external worker, checks renders at Creatomate, and cancels runs at the
//! worker.

use std::sync::Arc;

use anyhow::Context;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::LambdaEvent;
use reelhook_app::Url;
use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::renders::{Creatomate, RenderPorts, apply_parked, check_render};
use reelhook_app::jobs::starts::{StartPorts, WorkerSettings, cancel_worker, start_some};
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_app::store::StoreError;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::parked::RenderTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, Verdict, batch};
use reelhook_domain::Policy;
use reelhook_domain::videos::render::Renderer;
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_signing::SigningKeys;

/// The configuration of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    settings_path: String,
    worker_url: Option<Url>,
    renderer: Renderer,
    max_workers: usize,
    base: Url,
    creatomate: Url,
    allow: AllowList,
    policy: Policy,
    unsigned: bool,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, SETTINGS_PATH, WORKER_URL, RENDERER, MAX_WORKERS, PUBLIC_BASE_URL,
    /// CREATOMATE_BASE_URL, OUTBOUND_ALLOW and the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or invalid variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            settings_path: environment.required("SETTINGS_PATH"),
            worker_url: environment.optional_url("WORKER_URL"),
            renderer: environment.renderer(),
            max_workers: environment.parsed("MAX_WORKERS", 3),
            base: environment.required_public_base(),
            creatomate: environment.url("CREATOMATE_BASE_URL"),
            allow: environment.outbound(AllowList::parse),
            policy: environment.policy(),
            unsigned: environment.optional("AUTH").as_deref() == Some("none"),
        };
        environment.finish()?;
        Ok(config)
    }
}

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
    /// Builds the clients and reads the secrets, before the first event.
    ///
    /// # Errors
    /// When the secrets can't be read or the HTTP client can't be built.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let jobs = JobTable::new(dynamodb, config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let agent = user_agent(Some(&config.base));
        let (worker_url, max, base, creatomate) =
            (config.worker_url, config.max_workers, config.base, config.creatomate);
        let renderer = config.renderer;
        let unsigned = config.unsigned;
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let keys = |name: &str| raw.get(name).and_then(SigningKeys::parse);
            anyhow::ensure!(unsigned || keys("WEBHOOK_SECRET_KEY").is_some(), "WEBHOOK_SECRET_KEY is not set");
            Ok(Secrets {
                worker: WorkerSettings {
                    url: worker_url.clone(),
                    renderer,
                    max,
                    base: base.clone(),
                    tokens: keys("CALLBACK_TOKEN_SECRET").context("CALLBACK_TOKEN_SECRET is not set")?,
                    secret: keys("WEBHOOK_SECRET_KEY"),
                },
                creatomate: Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") },
            })
        });
        Ok(Self {
            renders: RenderTable { counters, jobs: jobs.clone() },
            jobs,
            http: GuardedClient::new(config.allow, Some(&agent))?,
            secrets: secrets.await?,
            policy: config.policy,
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
    let mut verdicts = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        // Equal hints, such as `start`, are processed once.
        if messages[..index].contains(message) {
            verdicts.push(Verdict::Done);
            continue;
        }
        verdicts.push(match process_one(deps, &secrets, message).await {
            Ok(()) => Verdict::Done,
            Err(ChangeError::Store(error)) => Verdict::Retry(error),
            Err(error @ ChangeError::Contended(_)) => {
                Verdict::Retry(StoreError::Busy { operation: "change job", source: error.to_string().into() })
            }
        });
    }
    verdicts
}

async fn process_one(deps: &Deps, secrets: &Secrets, message: &WorkMessage) -> Result<(), ChangeError> {
    let renders = RenderPorts {
        jobs: &deps.jobs,
        renders: &deps.renders,
        clock: &SystemClock,
        policy: &deps.policy,
        confirmable: secrets.creatomate.key.is_some(),
    };
    match message {
        WorkMessage::Start => {
            let ports = StartPorts {
                jobs: &deps.jobs,
                starts: &deps.jobs,
                http: &deps.http,
                clock: &SystemClock,
                policy: &deps.policy,
                worker: &secrets.worker,
            };
            start_some(&ports).await?;
        }
        WorkMessage::CheckRender { job_id, render, check } => {
            check_render(&renders, &deps.http, &secrets.creatomate, job_id, render, *check).await?;
        }
        WorkMessage::ApplyParked { job_id, render } => apply_parked(&renders, job_id, render).await?,
        WorkMessage::CancelWorker { job_id, attempt, url } => {
            if !cancel_worker(&deps.http, &secrets.worker, SystemClock.now(), job_id, *attempt, url).await {
                let source = "the worker did not confirm the cancel".into();
                return Err(StoreError::Busy { operation: "cancel run", source }.into());
            }
        }
    }
    Ok(())
}

//! Handles the Render queue: composes films, draws and joins their scenes, or delegates rendering to Creatomate, piece
//! by piece.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::LambdaEvent;
use reelhook_app::Url;
use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::renders::Creatomate;
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::PieceMessage;
use reelhook_app::store::StoreError;
use reelhook_app::videos::assets::AssetLoader;
use reelhook_app::videos::compose::Workflow;
use reelhook_app::videos::pieces::{last_start, process_pieces};
use reelhook_app::videos::ports::DrawPorts;
use reelhook_app::videos::renderscript::CreatomateRenderer;
use reelhook_aws::catalog::CatalogTable;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, Verdict, batch};
use reelhook_aws::videos::films::FilmBucket;
use reelhook_domain::{Policy, Timestamp};
use reelhook_http::videos::routes::track_link;
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_render::LocalRenderer;
use reelhook_signing::SigningKeys;

/// The settings of the function.
pub struct Config {
    jobs_table: String,
    counters_table: String,
    catalog_table: String,
    bucket: String,
    settings_path: String,
    base: Url,
    creatomate: Url,
    allow: AllowList,
    fonts: PathBuf,
    ffmpeg: PathBuf,
    policy: Policy,
}

impl Config {
    /// Reads JOBS_TABLE, COUNTERS_TABLE, CATALOG_TABLE, BUCKET, SETTINGS_PATH, PUBLIC_BASE_URL, CREATOMATE_BASE_URL,
    /// OUTBOUND_ALLOW, FONTS_DIRECTORY, FFMPEG and the jobs' timers.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists everything that is wrong.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            catalog_table: environment.required("CATALOG_TABLE"),
            bucket: environment.required("BUCKET"),
            settings_path: environment.required("SETTINGS_PATH"),
            base: environment.required_public_base(),
            creatomate: environment.url("CREATOMATE_BASE_URL"),
            allow: environment.outbound(AllowList::parse),
            fonts: environment.required("FONTS_DIRECTORY").into(),
            ffmpeg: environment.required("FFMPEG").into(),
            policy: environment.policy(),
        };
        environment.finish()?;
        Ok(config)
    }
}

/// The keys that sign links, and the access to Creatomate.
struct Secrets {
    links: SigningKeys,
    creatomate: Creatomate,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "CREATOMATE_API_KEY"];

/// The clients, secrets and settings that every invocation uses.
pub struct Deps {
    jobs: JobTable,
    counters: CounterTable,
    catalog: CatalogTable,
    films: FilmBucket,
    renderer: LocalRenderer,
    http: GuardedClient,
    secrets: Settings<Secrets>,
    base: Url,
    policy: Policy,
}

impl Deps {
    /// Builds the clients and reads the secrets before the first event. The fonts are loaded when the first scene is
    /// drawn.
    ///
    /// # Errors
    /// Fails if the secrets can't be read or the HTTP client can't be built.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let creatomate = config.creatomate;
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let links = raw.get("CALLBACK_TOKEN_SECRET").and_then(SigningKeys::parse);
            Ok(Secrets {
                links: links.context("CALLBACK_TOKEN_SECRET is not set")?,
                creatomate: Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") },
            })
        });
        Ok(Self {
            jobs: JobTable::new(dynamodb.clone(), config.jobs_table, counters.clone(), Arc::new(SystemClock)),
            counters,
            catalog: CatalogTable::new(dynamodb, config.catalog_table),
            films: FilmBucket::new(clients.s3_for_files(), config.bucket),
            renderer: LocalRenderer::new(config.fonts, config.ffmpeg, std::env::temp_dir()),
            http: GuardedClient::new(config.allow, Some(&user_agent(Some(&config.base))))?,
            secrets: secrets.await?,
            base: config.base,
            policy: config.policy,
        })
    }
}

/// Processes a batch of hints in order.
///
/// # Errors
/// Never fails: the response lists the messages that must be delivered again.
pub async fn handle(deps: &Deps, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let deadline = Timestamp(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
    let last_start = last_start(SystemClock.now(), deadline);
    Ok(batch(event.payload, |messages: Vec<PieceMessage>| process(deps, messages, last_start)).await)
}

async fn process(deps: &Deps, messages: Vec<PieceMessage>, last_start: Timestamp) -> Vec<Verdict> {
    let secrets = deps.secrets.get().await;
    let music = |track: &str| {
        let track = reelhook_music::find(track)?;
        Some(track_link(track.filename, &deps.base, &secrets.links, SystemClock.now()))
    };
    let assets = AssetLoader { images: &deps.films, http: &deps.http };
    let ports = DrawPorts {
        jobs: &deps.jobs,
        films: &deps.films,
        videos: &deps.films,
        renderer: &deps.renderer,
        remote: &CreatomateRenderer {
            service: &secrets.creatomate,
            http: &deps.http,
            links: &deps.films,
            music: &music,
        },
        composer: &Workflow {
            jobs: &deps.jobs,
            assets: &assets,
            catalog: &deps.catalog,
            clock: &SystemClock,
            policy: &deps.policy,
        },
        assets: &assets,
        speeds: &deps.counters,
        clock: &SystemClock,
        timer: &SystemClock,
        policy: &deps.policy,
        links: &secrets.links,
        base: &deps.base,
    };
    let mut verdicts = Vec::with_capacity(messages.len());
    for PieceMessage::Draw { job_id, attempt } in &messages {
        verdicts.push(match process_pieces(&ports, job_id, *attempt, last_start).await {
            Ok(pieces) => {
                tracing::debug!(%job_id, attempt, pieces, "processed a hint");
                Verdict::Done
            }
            // The lease of the piece ends soon, and the due sweep then sends another hint.
            Err(ChangeError::Store(error)) => Verdict::Retry(error),
            Err(error @ ChangeError::Contended(_)) => {
                Verdict::Retry(StoreError::Busy { operation: "change job", source: error.to_string().into() })
            }
        });
    }
    verdicts
}

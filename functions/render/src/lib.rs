//! Handles the Render queue piece by piece: composes films, draws and joins their scenes, or delegates rendering to
//! Creatomate; draws, copies and joins what projects need; plans and cuts clips, and copies those of a worker.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::LambdaEvent;
use reelhook_app::Url;
use reelhook_app::clips::perform::ports::ClipPorts;
use reelhook_app::clips::pieces as clip_pieces;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::renders::Creatomate;
use reelhook_app::outbound::user_agent;
use reelhook_app::outbox::messages::PieceMessage;
use reelhook_app::pieces::last_start;
use reelhook_app::projects::perform::ports::PiecePorts;
use reelhook_app::projects::pieces as project_pieces;
use reelhook_app::retention::Days;
use reelhook_app::videos::assets::AssetLoader;
use reelhook_app::videos::compose::Workflow;
use reelhook_app::videos::pieces::process_pieces;
use reelhook_app::videos::ports::DrawPorts;
use reelhook_app::videos::renderscript::CreatomateRenderer;
use reelhook_aws::catalog::CatalogTable;
use reelhook_aws::clips::attempts::AttemptTables;
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::objects::Bucket;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_aws::settings::{Raw, Settings};
use reelhook_aws::start::{SystemClock, Verdict, batch, deadline};
use reelhook_aws::videos::films::FilmBucket;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::{ClipPolicy, Policy, Timestamp};
use reelhook_http::videos::routes::track_link;
use reelhook_outbound::{AllowList, GuardedClient};
use reelhook_render::LocalRenderer;
use reelhook_signing::SigningKeys;

/// The keys that sign links, and the access to Creatomate.
struct Secrets {
    links: SigningKeys,
    creatomate: Creatomate,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET", "CREATOMATE_API_KEY"];

/// The dependencies of the function.
pub struct Deps {
    jobs: JobTable,
    projects: ProjectTable,
    clips: AttemptTables,
    counters: CounterTable,
    catalog: CatalogTable,
    films: FilmBucket,
    texts: Bucket,
    renderer: LocalRenderer,
    http: GuardedClient,
    secrets: Settings<Secrets>,
    base: Url,
    policy: Policy,
    project_policy: ProjectPolicy,
    clip_policy: ClipPolicy,
    credits_limited: bool,
    videos_kept: Days,
}

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings. The fonts are loaded when the first
    /// scene is drawn.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let base = resources.environment.required_public_base();
        let creatomate = resources.environment.url("CREATOMATE_BASE_URL");
        let (fonts, ffmpeg) =
            (resources.environment.required("FONTS_DIRECTORY"), resources.environment.required("FFMPEG"));
        let renderer = LocalRenderer::new(fonts.into(), ffmpeg.into(), std::env::temp_dir());
        renderer.remove_remains();
        let allow = resources.environment.outbound(AllowList::parse);
        let parse = move |raw: &Raw| -> anyhow::Result<Secrets> {
            Ok(Secrets {
                links: raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse)?,
                creatomate: Creatomate { base: creatomate.clone(), key: raw.secret("CREATOMATE_API_KEY") },
            })
        };
        Ok(Self {
            jobs: resources.jobs().with_viewers(resources.viewers()),
            projects: resources.projects(),
            clips: resources.clip_attempts(),
            counters: resources.counters(),
            catalog: resources.catalog(),
            films: resources.films(),
            texts: resources.bucket(),
            renderer,
            http: GuardedClient::new(allow, Some(&user_agent(Some(&base))))?,
            base,
            policy: resources.environment.policy(),
            project_policy: resources.environment.project_policy(),
            clip_policy: resources.environment.clip_policy(),
            credits_limited: resources.environment.credits_limited(),
            videos_kept: resources.environment.retention().videos,
            secrets: resources.settings(SETTINGS, parse)?.await?,
        })
    }
}

/// Processes a batch of hints in order.
///
/// # Errors
/// Never fails: the response lists the messages that must be delivered again.
pub async fn handle(deps: &Deps, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let deadline = deadline(&event.context).unwrap_or(Timestamp(i64::MAX));
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
        videos_kept: deps.videos_kept,
    };
    let project_ports = PiecePorts {
        projects: &deps.projects,
        texts: &deps.texts,
        files: &deps.films,
        downloads: &deps.http,
        renderer: &deps.renderer,
        clock: &SystemClock,
        timer: &SystemClock,
        policy: &deps.project_policy,
    };
    let clip_ports = ClipPorts {
        jobs: &deps.clips.clips,
        attempts: &deps.clips,
        files: &deps.films,
        downloads: &deps.http,
        renderer: &deps.renderer,
        clock: &SystemClock,
        timer: &SystemClock,
        policy: &deps.clip_policy,
        limited: deps.credits_limited,
    };
    let mut verdicts = Vec::with_capacity(messages.len());
    for message in &messages {
        let processed = match message {
            PieceMessage::Draw { job_id, attempt } => process_pieces(&ports, job_id, *attempt, last_start).await,
            PieceMessage::Project { project_id } => {
                project_pieces::process_pieces(&project_ports, project_id, last_start).await
            }
            PieceMessage::Clip { job_id } => clip_pieces::process_pieces(&clip_ports, job_id, last_start).await,
        };
        if let Ok(pieces) = &processed {
            tracing::debug!(?message, pieces, "processed a hint");
        }
        // After an error the lease of the piece ends soon, and the due sweep then sends another hint.
        verdicts.push(Verdict::from(processed.map(drop)));
    }
    verdicts
}

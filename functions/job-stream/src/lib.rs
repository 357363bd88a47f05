//! Live updates of jobs and of the queue over one of two transports: a Function URL, which streams, or the HTTP API,
//! which buffers, so that a request waits for the first event. The template deploys this program once for each.

mod idle;
mod stream;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reelhook_app::change::AggregateStore;
use reelhook_aws::clients::Clients;
use reelhook_aws::environment::{BadEnvironment, Environment};
use reelhook_aws::jobs::counters::CounterTable;
use reelhook_aws::jobs::events::JobEventTable;
use reelhook_aws::jobs::slots::SlotTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::limits::Limits;
use reelhook_aws::settings::Settings;
use reelhook_aws::start::{SystemClock, warm_up};
use reelhook_domain::JobId;
use reelhook_http::access::Access;
use reelhook_http::site::Site;
use reelhook_signing::SigningKeys;
use tokio::time::{Interval, MissedTickBehavior, interval};

pub use stream::handle as handle_stream;
pub use wait::handle as handle_wait;

/// The transport of events. The HTTP API does not support streamed answers, so each transport has its own runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over the HTTP API.
    Wait,
    /// Over a Function URL with RESPONSE_STREAM.
    Stream,
}

impl std::str::FromStr for Transport {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "wait" => Ok(Self::Wait),
            "stream" => Ok(Self::Stream),
            _ => Err("must be `wait` or `stream`"),
        }
    }
}

/// The function's configuration.
pub struct Config {
    jobs_table: String,
    job_events_table: String,
    counters_table: String,
    settings_path: String,
    max_workers: usize,
    max_viewers: usize,
    longest: Duration,
    transport: Transport,
    calls_per_minute: u32,
    site: Site,
}

impl Config {
    /// Reads TRANSPORT, JOBS_TABLE, JOB_EVENTS_TABLE, COUNTERS_TABLE, SETTINGS_PATH, MAX_WORKERS, MAX_VIEWERS,
    /// STREAM_SECONDS, PUBLIC_BASE_URL, CORS_ORIGINS, AUTH and API_CALLS_PER_MINUTE.
    ///
    /// # Errors
    /// [`BadEnvironment`] lists every missing or bad variable.
    pub fn from_environment() -> Result<Self, BadEnvironment> {
        let mut environment = Environment::of_process();
        let config = Self {
            jobs_table: environment.required("JOBS_TABLE"),
            job_events_table: environment.required("JOB_EVENTS_TABLE"),
            counters_table: environment.required("COUNTERS_TABLE"),
            settings_path: environment.required("SETTINGS_PATH"),
            max_workers: environment.parsed("MAX_WORKERS", 3),
            max_viewers: environment.parsed("MAX_VIEWERS", 100),
            longest: Duration::from_secs(environment.parsed("STREAM_SECONDS", 300)),
            transport: environment.parsed("TRANSPORT", Transport::Wait),
            calls_per_minute: environment.calls_per_minute(),
            site: environment.site(Site::read),
        };
        environment.finish()?;
        Ok(config)
    }

    /// The transport of events.
    pub fn transport(&self) -> Transport {
        self.transport
    }
}

/// The secrets that admit viewers.
struct Secrets {
    access: Access,
    tokens: SigningKeys,
}

/// How long a viewer's slot outlives the longest answer.
const SLOT_MARGIN: Duration = Duration::from_secs(5);

const SETTINGS: &[&str] = &["API_KEYS", "API_USERNAME", "API_PASSWORD", "SESSION_SECRET", "CALLBACK_TOKEN_SECRET"];

/// The function's ports and settings.
pub struct Deps {
    jobs: JobTable,
    live: JobEventTable,
    viewers: SlotTable,
    site: Site,
    secrets: Settings<Secrets>,
    limits: Limits,
    max_workers: usize,
    longest: Duration,
}

impl Deps {
    /// Builds the clients and reads the secrets, before the first event.
    ///
    /// # Errors
    /// When the secrets can't be read.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let clients = Clients::from_environment();
        let dynamodb = clients.dynamodb();
        let counters = CounterTable::new(dynamodb.clone(), config.counters_table);
        let jobs = JobTable::new(dynamodb.clone(), config.jobs_table, counters.clone(), Arc::new(SystemClock));
        let site = config.site.clone();
        let secrets = Settings::load(clients.ssm(), config.settings_path, SETTINGS, move |raw| {
            let tokens = raw.get("CALLBACK_TOKEN_SECRET").and_then(SigningKeys::parse);
            Ok(Secrets {
                access: Access::read(&site, &|name| raw.text(name))?,
                tokens: tokens.context("CALLBACK_TOKEN_SECRET is not set")?,
            })
        });
        let no_job = JobId::parse("warm-up")?;
        let (secrets, ()) = tokio::join!(secrets, warm_up(jobs.load(&no_job)));
        Ok(Self {
            jobs,
            live: JobEventTable::new(dynamodb, config.job_events_table),
            limits: Limits::of_callers(counters.clone(), config.calls_per_minute),
            viewers: SlotTable::viewers(counters, config.max_viewers),
            site: config.site,
            secrets: secrets?,
            max_workers: config.max_workers,
            longest: config.longest,
        })
    }
}

/// Ticks; missed ones are skipped.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

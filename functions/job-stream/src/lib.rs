//! Live updates of jobs, of projects, of clip jobs, of the queue and of errors over one of two transports: a Function URL,
//! which streams, or the HTTP API, which buffers, so that a request waits for the first event. The template deploys this
//! program once for each.

mod errors;
mod owned;
mod stream;
mod wait;

use std::time::Duration;

use reelhook_api::{Api, SettingsReader, WithAccess};
use reelhook_app::jobs::effects::KeptLive;
use reelhook_aws::clips::table::ClipTable;
use reelhook_aws::errors::table::ErrorTable;
use reelhook_aws::jobs::events::JobEventTable;
use reelhook_aws::jobs::slots::SlotTable;
use reelhook_aws::jobs::table::JobTable;
use reelhook_aws::projects::table::ProjectTable;
use reelhook_aws::resources::Resources;
use reelhook_signing::SigningKeys;
use tokio::time::{Interval, MissedTickBehavior, interval};

pub use stream::handle as handle_stream;
pub use wait::respond as respond_waiting;

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

/// How long a viewer's slot outlives the longest answer.
const SLOT_MARGIN: Duration = Duration::from_secs(5);

/// The dependencies of the function.
pub struct Deps {
    /// What it has in common with the other functions behind the API, and the keys that sign stream tokens.
    pub api: Api<WithAccess<SigningKeys>>,
    /// The transport of events.
    pub transport: Transport,
    jobs: JobTable,
    projects: ProjectTable,
    clips: ClipTable,
    live: KeptLive<JobEventTable, JobTable>,
    errors: ErrorTable,
    viewers: SlotTable,
    max_workers: usize,
    longest: Duration,
}

const SETTINGS: &[&str] = &["CALLBACK_TOKEN_SECRET"];

impl Deps {
    /// Builds the dependencies from the variables, and then from the settings.
    ///
    /// # Errors
    /// When a variable is missing or invalid, or the settings can't be read or are invalid.
    pub async fn new(mut resources: Resources) -> anyhow::Result<Self> {
        let jobs = resources.jobs();
        let tokens = SettingsReader::new(SETTINGS, |raw, _| raw.required("CALLBACK_TOKEN_SECRET", SigningKeys::parse));
        Ok(Self {
            transport: resources.environment.parsed("TRANSPORT", Transport::Wait),
            projects: resources.projects(),
            clips: resources.clips(),
            live: KeptLive { rows: resources.job_events(), jobs: jobs.clone() },
            errors: resources.errors(),
            viewers: SlotTable::viewers(resources.counters(), resources.environment.parsed("MAX_VIEWERS", 100)),
            max_workers: resources.environment.max_workers(),
            longest: Duration::from_secs(resources.environment.parsed("STREAM_SECONDS", 300)),
            api: Api::for_callers(resources, tokens, jobs.first_call()).await?,
            jobs,
        })
    }
}

/// Ticks; missed ones are skipped.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

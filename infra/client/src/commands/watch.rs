//! `reelhook watch`: follows one until it ends.

use clap::Args;

use crate::api::Api;
use crate::commands::download;
use crate::failure::Failure;
use crate::families;
use crate::follow::{FollowOptions, follow, verdict};
use crate::input::Id;
use crate::output::Output;

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook watch job_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c
  reelhook watch 3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b --download
  reelhook watch proj_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c --forward-to http://127.0.0.1:8000/events
  reelhook watch 3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b --json --timeout 30m

Ctrl-C ends the command only; the work goes on.";

/// What is followed, and how.
#[derive(Debug, Args)]
pub struct Options {
    /// Id of a job, video, project or clip job
    id: Id,
    #[command(flatten)]
    follow: FollowOptions,
    #[command(flatten)]
    then: Then,
}

/// What follows the end.
#[derive(Clone, Debug, Default, Args)]
pub struct Then {
    /// Download the videos afterwards, into the current directory
    #[arg(long)]
    download: bool,
}

/// Follows until the end, and downloads if that is wanted. Fails if the work failed.
pub async fn run(api: &Api, output: &Output, options: &Options) -> Result<(), Failure> {
    let (family, state) = families::find(api, &options.id).await?;
    let ended = follow(api, output, family, state, &options.follow).await?;
    options.then.run(api, output, &ended).await
}

impl Then {
    /// Downloads the videos if `download`.
    pub fn new(download: bool) -> Self {
        Self { download }
    }

    /// Whether anything follows.
    pub fn is_wanted(&self) -> bool {
        self.download
    }

    /// The result of what was followed, and its files.
    pub async fn run(&self, api: &Api, output: &Output, ended: &families::family::State) -> Result<(), Failure> {
        verdict(ended)?;
        if !self.download {
            output.say(format!("{} is {}: `reelhook download {}` saves its videos.", ended.id, ended.status, ended.id));
            return Ok(());
        }
        download::save(api, output, ended, &download::Place::default()).await
    }
}

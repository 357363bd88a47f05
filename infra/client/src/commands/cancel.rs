//! `reelhook cancel`: cancels one.

use clap::Args;
use serde_json::json;

use crate::api::{Api, Call};
use crate::failure::Failure;
use crate::families;
use crate::input::Id;
use crate::output::Output;

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook cancel job_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c";

/// What is cancelled.
#[derive(Debug, Args)]
pub struct Options {
    /// Id of a job, video, project or clip job
    id: Id,
}

/// Cancels it. One that is cancelled stays so.
pub async fn run(api: &Api, output: &Output, options: &Options) -> Result<(), Failure> {
    let (family, _) = families::find(api, &options.id).await?;
    let id = options.id.as_str();
    let answer = api.send(Call::post(family.paths(id).cancel, json!({})).repeatable()).await?;
    output.result(&answer.body, || vec![format!("{id} is cancelled")])
}

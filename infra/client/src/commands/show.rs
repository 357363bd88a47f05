//! `reelhook show`: how one stands now.

use clap::Args;
use serde_json::json;

use crate::api::Api;
use crate::failure::Failure;
use crate::families;
use crate::input::Id;
use crate::output::Output;

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook show job_1795900134477_3d6bc8b9fb08e0c164172e4b181d2b9c
  reelhook show 3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b --json";

/// What is shown.
#[derive(Debug, Args)]
pub struct Options {
    /// Id of a job, video, project or clip job
    id: Id,
}

/// Prints the state: as JSON, the members of `watch --json`.
pub async fn run(api: &Api, output: &Output, options: &Options) -> Result<(), Failure> {
    let (_, state) = families::find(api, &options.id).await?;
    output.result(&json!(state), || {
        let mut lines = vec![
            format!("{} {}", state.family, state.id),
            format!("  status    {}, {} %", state.status, state.progress),
        ];
        lines.extend(state.step.iter().map(|step| format!("  step      {step}")));
        lines.extend(state.error.iter().map(|error| format!("  error     {error}")));
        lines.extend(state.files.iter().map(|file| format!("  {:<8}  {}", file.kind, file.name)));
        lines
    })
}

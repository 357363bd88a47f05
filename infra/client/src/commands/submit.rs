//! `reelhook submit`: each family has its request in its own file; here is what they share.

use clap::{Args, Subcommand};
use reelhook_terminal::arguments::Pair;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Api, Call};
use crate::commands::watch::Then;
use crate::failure::Failure;
use crate::families::family::Creation;
use crate::families::{self, clips, job, project, video};
use crate::follow::{FollowOptions, follow};
use crate::input::{Id, object};
use crate::output::Output;

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook submit video film.json --watch --download
  reelhook submit job --country US --platform netflix --genre Horror --metadata order=4711
  reelhook submit project --prompt 'A fox runs through the snow' --prompt 'It stops at a river' --watch
  reelhook submit clips talk.mp4 --count 3 --length 15-30 --layout vertical --watch
  reelhook submit video film.json --idempotency-key order-4711 --json";

/// What is submitted, and what follows.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// A text of your own that is kept with it, and sent in its webhooks; may be repeated
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    metadata: Vec<Pair>,
    /// A text that makes a repeat find what the first request made, by default a new UUID
    #[arg(long, global = true, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Follow it until it ends
    #[arg(long, global = true)]
    watch: bool,
    /// Download the videos once it has ended
    #[arg(long, global = true)]
    download: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A job for an external worker, about films of a country, a platform and a genre
    Job(job::Submit),
    /// A video that Reelhook draws from a film specification
    Video(video::Submit),
    /// A project of scenes that continue each other; it is started at once
    Project(project::Submit),
    /// A job that cuts clips out of a long video
    Clips(clips::Submit),
}

/// Submits it, prints its id, and follows it if that is wanted.
pub async fn run(api: &Api, output: &Output, options: &Options) -> Result<(), Failure> {
    let Options { what, common } = options;
    let key = common.idempotency_key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let creation = what.creation(api).await?.with_metadata(object(&common.metadata));
    let Creation { path, body, id_member } = creation;
    let again = format!("It may have been submitted: the same command with `--idempotency-key {key}` finds it.");
    output.when_interrupted(format!("Interrupted. {again}"));
    let answer = match api.send(Call::create(path, body, &key)).await {
        Ok(answer) => answer.body,
        Err(failure) => {
            if failure.leaves_open() {
                output.say(again);
            }
            return Err(failure);
        }
    };
    let id = answer[id_member].as_str().and_then(|id| id.parse::<Id>().ok());
    let id = id.ok_or_else(|| Failure::Unavailable(format!("the answer has no id in `{id_member}`")))?;
    for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output.say(format!("warning: {warning}"));
    }
    if let What::Project(_) = what {
        let id = id.as_str();
        output.when_interrupted(format!("Interrupted. {id} was created, and may not have been started."));
        if let Err(failure) = api.send(project::start(id)).await {
            output.say(format!("{id} was created, and is not known to be started: `reelhook show {id}`"));
            return Err(failure);
        }
    }
    output.when_interrupted(format!("Interrupted. {} was submitted.", id.as_str()));
    let then = Then::new(common.download);
    if !common.watch && !then.is_wanted() {
        return output.result(&json!({ "id": id.as_str(), "answer": answer }), || vec![id.as_str().to_owned()]);
    }
    output.say(format!("Submitted {}", id.as_str()));
    let (family, state) = families::find(api, &id).await?;
    let ended = follow(api, output, family, state, &FollowOptions::default()).await?;
    then.run(api, output, &ended).await
}

impl What {
    /// The request that makes it.
    async fn creation(&self, api: &Api) -> Result<Creation, Failure> {
        match self {
            Self::Job(submit) => Ok(submit.creation()),
            Self::Video(submit) => submit.creation(),
            Self::Project(submit) => submit.creation(),
            Self::Clips(submit) => submit.creation(api).await,
        }
    }
}

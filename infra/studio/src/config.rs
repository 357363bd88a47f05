//! Configuration from flags and environment, read once at the start.

use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;

const AFTER_HELP: &str = "\
Routes (all on 127.0.0.1):
  GET  /                                page with the latest jobs, renders and webhooks
  GET  /health
  POST /worker/jobs                     external worker; GET lists requests and runs
  POST /worker/jobs/{key}/cancel
  POST /creatomate/v1/renders           Creatomate; GET .../{id}; also under v2
  POST /api/v1/tasks/submit             tasks service; GET .../{id}/status, DELETE .../{id}
  GET  /api/v1/projects/{id}/tasks
  POST /seed/videos                     the same in seed 003's form; also /seed/frames and /seed/stitches
  POST /api/v1/process                  last-frame service; GET /api/v1/status/{id}
  POST /api/v1/stitch
  POST /notifications                   notification service; GET lists what it received
  POST /genesis/ai-clipping/jobs        clipping worker; GET and DELETE .../{id}
  GET  /genesis/outputs/{job}/{file}    its clips, transcripts and plans
  GET  /files/{id}.mp4                  videos; also .png and .jpg
  POST /hooks/{name}                    one webhook receiver per name
  GET  /hooks/{name}/received           ?since=INDEX&event=NAME&limit=N; DELETE clears
  GET  /hooks/{name}/summary
  PUT  /control/worker                  scenario of all jobs
  PUT  /control/creatomate
  PUT  /control/hooks/{name}            how that receiver responds
  PUT  /control/videos                  also .../frames, .../stitches and .../notifications; ?project=ID&scene=ID
  GET  /control/videos/billed           what was billed; .../tasks lists the tasks with their callbacks
  PUT  /control/genesis                 the clipping worker; ?source=URL
  GET  /control/genesis/counts          what was submitted and cut; .../jobs lists the jobs with their reports

A PUT replaces all settings, `{}` restores the defaults, and a GET on the same path shows them.
A `template` of the form `studio:OPTIONS` sets the scenario of one job, for example
`studio:fail=3&error=network%20down`; a `template_id` does so for one render.
infra/studio/README.md lists the options.";

/// The configuration of the mock services.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "studio",
    about = "Mock services on loopback: workers, Creatomate, services of scenes and webhook receivers",
    after_help = AFTER_HELP
)]
pub struct Config {
    /// Port on 127.0.0.1; 0 for any free port. The port is printed
    #[arg(long, env = "STUDIO_PORT", default_value_t = 4600)]
    pub port: u16,

    /// Directory for the videos
    #[arg(long, value_name = "DIR", default_value = ".local/studio")]
    pub data: PathBuf,

    /// Speed of steps and renders, as a multiple of the usual one (a step takes 300 ms, a render 1500 ms)
    #[arg(long, default_value_t = 1.0, value_parser = parse_speed)]
    pub speed: f64,

    /// Secret of one receiver, or of `worker`, instead of WEBHOOK_SECRET_KEY; may be repeated
    #[arg(long = "secret", value_name = "NAME=SECRET")]
    pub secrets: Vec<NamedSecret>,

    /// Secret for verifying requests to the worker and the receivers; without it they are not verified
    #[arg(long, value_name = "SECRET", env = "WEBHOOK_SECRET_KEY", hide_env_values = true)]
    pub webhook_secret_key: Option<SecretString>,

    /// API key that Creatomate requires; without it every key is accepted
    #[arg(long, value_name = "KEY", env = "CREATOMATE_API_KEY", hide_env_values = true)]
    pub creatomate_api_key: Option<SecretString>,

    /// Keys and secrets of the services of scenes
    #[command(flatten)]
    pub scenes: SceneKeys,

    /// Key and secret of the clipping worker
    #[command(flatten)]
    pub clipping: ClippingKeys,

    /// The ffmpeg program, for example the one in PyPI's imageio-ffmpeg; by default the one on PATH
    #[arg(long, value_name = "PROGRAM", env = "STUDIO_FFMPEG")]
    pub ffmpeg: Option<PathBuf>,

    /// Start without ffmpeg; every render then fails with that reason
    #[arg(long)]
    pub no_video: bool,

    /// Return the same video for all renders, made once; also a setting of /control/creatomate
    #[arg(long)]
    pub shared_video: bool,

    /// Verify deliveries also in other languages: node, python, or node=PROGRAM, python=PROGRAM
    #[arg(long, value_name = "LANGUAGE[=PROGRAM]", value_delimiter = ',')]
    pub verify_with: Vec<ExternalVerifier>,

    /// Directory with verify.mjs and verify.py
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../verify"))]
    pub verify_scripts: PathBuf,
}

impl Config {
    /// The configuration for a test: a free port, no secrets, nothing from the environment.
    pub fn for_test(data: PathBuf) -> Self {
        Self {
            port: 0,
            data,
            speed: 1.0,
            secrets: Vec::new(),
            webhook_secret_key: None,
            creatomate_api_key: None,
            scenes: SceneKeys::default(),
            clipping: ClippingKeys::default(),
            ffmpeg: None,
            no_video: false,
            shared_video: false,
            verify_with: Vec::new(),
            verify_scripts: concat!(env!("CARGO_MANIFEST_DIR"), "/../verify").into(),
        }
    }

    /// The secret that signs the deliveries to this receiver, or to `worker`.
    pub(crate) fn secret_of(&self, name: &str) -> Option<&SecretString> {
        self.secrets
            .iter()
            .rev()
            .find(|named| named.name == name)
            .map(|named| &named.secret)
            .or(self.webhook_secret_key.as_ref())
    }
}

/// Keys that the services of scenes require, and secrets that sign their callbacks. An empty one counts as none.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SceneKeys {
    /// X-API-Key that the tasks service requires; without it every key is accepted
    #[arg(long, value_name = "KEY", env = "TASK_API_KEY", hide_env_values = true)]
    pub task_api_key: Option<SecretString>,

    /// Bearer token and X-API-Key that the last-frame service requires; without it every key is accepted
    #[arg(long, value_name = "KEY", env = "LAST_FRAME_API_KEY", hide_env_values = true)]
    pub last_frame_api_key: Option<SecretString>,

    /// X-API-Key that the notification service requires; without it every key is accepted
    #[arg(long, value_name = "KEY", env = "NOTIFICATION_API_KEY", hide_env_values = true)]
    pub notification_api_key: Option<SecretString>,

    /// Secret that signs the callbacks of videos; without it they are not signed
    #[arg(long, value_name = "SECRET", env = "VIDEO_WEBHOOK_SECRET", hide_env_values = true)]
    pub video_webhook_secret: Option<SecretString>,

    /// Secret that signs the callbacks of last frames, if a setting asks for signatures
    #[arg(long, value_name = "SECRET", env = "LAST_FRAME_WEBHOOK_SECRET", hide_env_values = true)]
    pub last_frame_webhook_secret: Option<SecretString>,

    /// Secret that signs the callbacks of stitches, if a setting asks for signatures
    #[arg(long, value_name = "SECRET", env = "STITCH_WEBHOOK_SECRET", hide_env_values = true)]
    pub stitch_webhook_secret: Option<SecretString>,
}

/// The key that the clipping worker requires, and the secret that signs its reports. An empty one counts as none.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ClippingKeys {
    /// X-Genesis-API-Key that the clipping worker requires; without it every key is accepted
    #[arg(long, value_name = "KEY", env = "GENESIS_API_KEY", hide_env_values = true)]
    pub genesis_api_key: Option<SecretString>,

    /// Secret that signs the reports of the clipping worker; without it they are not signed
    #[arg(long, value_name = "SECRET", env = "WEBHOOK_SECRET", hide_env_values = true)]
    pub clipping_webhook_secret: Option<SecretString>,
}

/// `NAME=SECRET` on the command line.
#[derive(Clone, Debug)]
pub struct NamedSecret {
    /// A receiver's name, or `worker`.
    pub name: String,
    /// Its secrets, newest first, separated by commas.
    pub secret: SecretString,
}

impl FromStr for NamedSecret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, secret)) if !name.is_empty() && !secret.is_empty() => {
                Ok(Self { name: name.to_owned(), secret: secret.into() })
            }
            // The text is not repeated: it may be the secret itself.
            _ => Err("expected NAME=SECRET".to_owned()),
        }
    }
}

/// A program that verifies deliveries as a receiver in its language would.
#[derive(Clone, Debug)]
pub struct ExternalVerifier {
    /// Language of the script.
    pub language: Language,
    /// The interpreter: a path, or a name on PATH.
    pub program: PathBuf,
}

/// The languages of the verifying scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// verify.mjs
    Node,
    /// verify.py
    Python,
}

impl FromStr for ExternalVerifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (language, program) = match text.split_once('=') {
            Some((language, program)) => (language, Some(program)),
            None => (text, None),
        };
        let (language, default) = match language {
            "node" => (Language::Node, "node"),
            "python" => (Language::Python, "python3"),
            other => return Err(format!("the language must be node or python (got `{other}`)")),
        };
        Ok(Self { language, program: program.unwrap_or(default).into() })
    }
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if speed > 0.0 && f64::is_finite(speed) => Ok(speed),
        _ => Err("expected a number above 0".to_owned()),
    }
}

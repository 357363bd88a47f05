//! What studio is told at start: flags and environment, read once.

use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;

const AFTER_HELP: &str = "\
Routes (all on 127.0.0.1):
  GET  /                                a page with what happened
  GET  /health
  POST /worker/jobs                     the StreamGank worker; GET lists what it saw
  POST /worker/jobs/{key}/cancel
  POST /creatomate/v1/renders           Creatomate; GET .../{id}; the same under v2
  GET  /files/{id}.mp4                  the videos
  POST /hooks/{name}                    a webhook receiver for each name
  GET  /hooks/{name}/received           ?since=INDEX&event=NAME&limit=N; DELETE clears
  GET  /hooks/{name}/summary
  PUT  /control/worker                  scenario for all jobs
  PUT  /control/creatomate
  PUT  /control/hooks/{name}            how that receiver answers

A PUT replaces the settings as a whole, `{}` restores the defaults, a GET on the same path shows them.
One job misbehaves when its `template` is `studio:OPTIONS`, for example `studio:fail=3&error=network%20down`;
a render does when its `template_id` is. infra/studio/README.md lists the options.";

/// Everything that studio is told at start.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "studio",
    about = "Stand-ins for the services that Reelhook talks to: a StreamGank worker, Creatomate and webhook receivers, on loopback",
    after_help = AFTER_HELP
)]
pub struct Config {
    /// Port on 127.0.0.1; 0 takes a free one, and the bound one is printed
    #[arg(long, env = "STUDIO_PORT", default_value_t = 4600)]
    pub port: u16,

    /// Directory for the videos
    #[arg(long, value_name = "DIR", default_value = ".local/studio")]
    pub data: PathBuf,

    /// How much faster than usual steps and renders run (a step takes 300 ms, a render 1500 ms)
    #[arg(long, default_value_t = 1.0, value_parser = parse_speed)]
    pub speed: f64,

    /// The secret of one receiver, or of `worker`, where it is not WEBHOOK_SECRET_KEY; may be repeated
    #[arg(long = "secret", value_name = "NAME=SECRET")]
    pub secrets: Vec<NamedSecret>,

    /// Verifies what arrives at the worker and at the receivers; without it nothing is verified
    #[arg(long, value_name = "SECRET", env = "WEBHOOK_SECRET_KEY", hide_env_values = true)]
    pub webhook_secret_key: Option<SecretString>,

    /// The key that Creatomate demands; without it any key will do
    #[arg(long, value_name = "KEY", env = "CREATOMATE_API_KEY", hide_env_values = true)]
    pub creatomate_api_key: Option<SecretString>,

    /// The ffmpeg program, for instance the one inside PyPI's imageio-ffmpeg; else the one on PATH
    #[arg(long, value_name = "PROGRAM", env = "STUDIO_FFMPEG")]
    pub ffmpeg: Option<PathBuf>,

    /// Start without ffmpeg: every render then fails and says why
    #[arg(long)]
    pub no_video: bool,

    /// All renders get the same video, made once; also a setting of /control/creatomate
    #[arg(long)]
    pub shared_video: bool,

    /// Also verify deliveries in other languages: node, python, or node=PROGRAM, python=PROGRAM
    #[arg(long, value_name = "LANGUAGE[=PROGRAM]", value_delimiter = ',')]
    pub verify_with: Vec<OutsideVerifier>,

    /// Where verify.mjs and verify.py are
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../verify"))]
    pub verify_scripts: PathBuf,
}

impl Config {
    /// A studio for one test: a free port, no secrets, nothing from the environment.
    pub fn for_test(data: PathBuf) -> Self {
        Self {
            port: 0,
            data,
            speed: 1.0,
            secrets: Vec::new(),
            webhook_secret_key: None,
            creatomate_api_key: None,
            ffmpeg: None,
            no_video: false,
            shared_video: false,
            verify_with: Vec::new(),
            verify_scripts: concat!(env!("CARGO_MANIFEST_DIR"), "/../verify").into(),
        }
    }

    /// The secret with which deliveries to this receiver (or `worker`) are signed.
    pub(crate) fn secret_of(&self, name: &str) -> Option<&SecretString> {
        self.secrets
            .iter()
            .rev()
            .find(|named| named.name == name)
            .map(|named| &named.secret)
            .or(self.webhook_secret_key.as_ref())
    }
}

/// `NAME=SECRET` on the command line.
#[derive(Clone, Debug)]
pub struct NamedSecret {
    /// A receiver's name, or `worker`.
    pub name: String,
    /// Its secret; several, newest first, are separated by commas.
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

/// A program that verifies deliveries the way their receivers do.
#[derive(Clone, Debug)]
pub struct OutsideVerifier {
    /// Which script it runs.
    pub language: Language,
    /// The interpreter: a path, or a name on PATH.
    pub program: PathBuf,
}

/// The languages in which there is a verifying script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// verify.mjs
    Node,
    /// verify.py
    Python,
}

impl FromStr for OutsideVerifier {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (language, program) = match text.split_once('=') {
            Some((language, program)) => (language, Some(program)),
            None => (text, None),
        };
        let (language, usual) = match language {
            "node" => (Language::Node, "node"),
            "python" => (Language::Python, "python3"),
            other => return Err(format!("`{other}` is neither node nor python")),
        };
        Ok(Self { language, program: program.unwrap_or(usual).into() })
    }
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if speed > 0.0 && f64::is_finite(speed) => Ok(speed),
        _ => Err("expected a number above 0".to_owned()),
    }
}

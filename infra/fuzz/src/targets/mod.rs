//! The targets, by what they read.

mod answers;
mod api;
mod build;
mod callbacks;
mod films;
mod ids;
mod inbox;
mod judge;
mod jwt;
mod pictures;
mod requests;
mod settings;
mod stored;
mod tokens;
mod writer;

use anyhow::Context as _;

use crate::target::{Allowance, Target};

/// Every target.
pub static ALL: [Target; 26] = [
    Target::text("requests-jobs", "requests about jobs, the queue, logs and streams", requests::of_jobs),
    Target::text("requests-webhooks", "requests about endpoints, deliveries and recoveries", requests::of_webhooks),
    Target::text("requests-videos", "requests for videos: film specifications, forms, uploads", requests::of_videos),
    Target::text("requests-projects", "requests about projects, scenes and their files", requests::of_projects),
    Target::text("requests-clips", "requests about clip jobs, their files and credits", requests::of_clips),
    Target::text("requests-others", "errors, metrics, the catalogue, sign-in and preflights", requests::of_others),
    Target::text("bodies", "JSON bodies in any encoding", requests::of_bodies),
    Target::text("callbacks", "callbacks of workers, Creatomate and services", callbacks::of_services),
    Target::text("answers", "answers of services to our requests", answers::of_services),
    Target::text("json-writer", "JSON that webhooks are signed over", writer::of_json),
    Target::text("tokens", "signed tokens of each purpose", tokens::of_purposes),
    Target::text("signatures", "signatures of webhooks, and sealed secrets", tokens::of_signatures),
    Target::text("jwt", "JSON Web Tokens of owners", jwt::of_owners),
    Target::text("key-sets", "key sets of identity providers", jwt::of_keys),
    Target::text("ids", "ids of each kind", ids::of_ids),
    Target::text("cursors", "positions of viewers and lists, and server-sent events", ids::of_cursors),
    Target::text("times-and-urls", "times, traces, URLs, origins and addresses", ids::of_texts),
    Target::text("settings", "settings that operators write", settings::of_operators),
    Target::text("items", "stored items of any version", stored::of_items).with_seeds(stored::seeds),
    Target::text("records", "records of the stream of jobs", stored::of_records).with_seeds(stored::choices),
    Target::text("messages", "messages of every queue", stored::of_messages),
    Target::text("inbox", "envelopes of the job inbox", inbox::of_jobs),
    Target::text("sockets", "messages of clients over WebSocket connections", inbox::of_sockets),
    Target::text("films", "what ffmpeg prints about films, and their metadata among it", films::of_ffmpeg),
    Target {
        allowance: Allowance::PICTURE,
        ..Target::text("pictures", "PNG, JPEG, WebP and GIF files", pictures::of_files).with_seeds(pictures::files)
    },
    Target {
        allowance: Allowance::PICTURE,
        ..Target::text("profiles", "colour profiles", pictures::of_profiles).with_seeds(pictures::profiles)
    },
];

/// The target with a name.
///
/// # Errors
/// If there is none.
pub fn named(name: &str) -> anyhow::Result<&'static Target> {
    let found = ALL.iter().find(|target| target.name == name);
    found.with_context(|| format!("there is no target `{name}`; `--list` prints them"))
}

//! `reelhook upload`: brings a file to the object store.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::api::{Api, upload};
use crate::failure::Failure;
use crate::output::{Output, text};

/// Additional help for --help.
pub const EXAMPLES: &str = "\
Examples:
  reelhook upload logo.png
  reelhook upload talk.mp4 --json

The key stands for the image in a film specification (`content.image`), and for the video in `reelhook submit clips`.";

/// What is uploaded.
#[derive(Debug, Args)]
pub struct Options {
    /// PNG, JPEG, WebP, GIF, MP4, MOV, WebM or Matroska
    file: PathBuf,
}

/// Uploads a file, and prints its key. The link that it was sent to is not printed.
pub async fn run(api: &Api, output: &Output, options: &Options) -> Result<(), Failure> {
    let answer = upload::upload(api, &options.file).await?;
    let file = options.file.display().to_string();
    output.result(&json!({ "key": answer["key"], "file": file }), || vec![text(&answer["key"])])
}

//! The summaries that are printed when a stack is up and when the demo has finished.

use std::path::Path;

use serde_json::Value;

use crate::instance::Run;
use crate::visible;

/// A valid request body for `POST /api/generate`.
pub const EXAMPLE: &str =
    r#"{"country": "US", "platform": "Netflix", "genre": "Horror", "contentType": "Film", "template": "auto"}"#;

/// Prints URLs, key and a first request.
pub fn up(run: &Run, directory: &Path, auth: bool) {
    let key = &run.api_key;
    let header = if auth { format!(" \\\n    -H 'Authorization: Bearer {key}'") } else { String::new() };
    let access = if auth { "requires the key" } else { "requires no key (use --auth to require it)" };
    println!(
        "
Reelhook is up: instance `{}`.

  API      {}   {access}
  mocks    {}   mock services (external worker, Creatomate, webhook receivers) and their history
  AWS      {}   AWS_ENDPOINT_URL for the AWS CLI, with access key and secret key `test`
  key      {key}
  files    {}   run.json and logs

  curl {}/api/generate -H 'Content-Type: application/json'{header} \\
    -d '{EXAMPLE}'
",
        run.instance,
        run.api_url,
        run.studio_url,
        run.emulator_url,
        directory.display(),
        run.api_url
    );
}

/// The result of each verifier for a delivery, one line each.
pub fn verification(found: &Value) -> Vec<String> {
    let verifiers = [
        ("streamgank", "Rust: the signature header X-StreamGank-Signature"),
        ("standard_webhooks", "Rust: the official Standard Webhooks library"),
        ("node", "Node.js: the documented sample, and the packages standardwebhooks and svix"),
        ("python", "Python: the documented sample, and the packages standardwebhooks and svix"),
    ];
    let mut lines = Vec::new();
    for (name, what) in verifiers {
        let check = &found[name];
        let result = match check["ok"].as_bool() {
            Some(true) => "accepted".to_owned(),
            Some(false) => format!("REFUSED: {}", visible::line(check["error"].as_str().unwrap_or("no reason given"))),
            None => "not run".to_owned(),
        };
        lines.push(format!("{result:<10} {what}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_shows_its_reason() {
        let lines = verification(&json!({
            "streamgank": {"ok": true},
            "node": {"ok": false, "error": "svix: no match\n\u{1b}[2Kaccepted"},
            "python": null,
        }));
        assert!(lines[0].starts_with("accepted ") && lines[1].starts_with("not run"));
        assert!(lines[2].starts_with("REFUSED: svix: no match\\n\\u{1b}[2Kaccepted"), "{}", lines[2]);
    }
}

//! The files of the examples: compared with what this run recorded, or rewritten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::stack::Stack;

/// Settings of the stack that no example may contain.
const SECRETS: [&str; 18] = [
    "API_KEYS",
    "CALLBACK_TOKEN_SECRET",
    "CREATOMATE_API_KEY",
    "ENDPOINT_SECRETS_KEY",
    "GENESIS_API_KEY",
    "GENESIS_WEBHOOK_SECRET",
    "JWT_SECRET",
    "LAST_FRAME_API_KEY",
    "LAST_FRAME_WEBHOOK_SECRET",
    "NOTIFICATION_API_KEY",
    "OPERATOR_CALLBACK_TOKEN",
    "SESSION_SECRET",
    "STEP_WEBHOOK_SECRET",
    "STITCH_WEBHOOK_SECRET",
    "TASK_API_KEY",
    "VIDEO_WEBHOOK_SECRET",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_KEY",
];
/// The maximum number of lines that a difference shows of each side.
const SHOWN: usize = 20;

/// Asserts that the files of these folders are what this run recorded, by name. With REELHOOK_UPDATE_DOCS=1 it writes
/// them.
pub async fn assert_same(stack: &Stack, folders: &[(&str, BTreeMap<String, Value>)]) {
    let is_update = std::env::var("REELHOOK_UPDATE_DOCS").is_ok_and(|value| value == "1");
    let mut differences = Vec::new();
    for (name, recorded) in folders {
        let folder = reelhook_openapi::examples::folder().join(name);
        let texts = recorded.iter().map(|(name, value)| (format!("{name}.json"), format!("{value:#}\n"))).collect();
        assert_public(stack, &texts).await;
        if is_update {
            write(&folder, &texts);
        } else {
            differences.extend(compare(&folder, &texts));
        }
    }
    let hint = "if it is meant so, run this test with REELHOOK_UPDATE_DOCS=1";
    assert!(differences.is_empty(), "infra/openapi/examples differ; {hint}:\n{}", differences.join("\n"));
}

/// Asserts that no text has a secret or an address of this stack.
async fn assert_public(stack: &Stack, texts: &BTreeMap<String, String>) {
    let mut private = vec!["127.0.0.1".to_owned(), "studio:".to_owned()];
    for name in SECRETS {
        private.extend(stack.aws.secret(name).await.split(',').map(str::to_owned));
    }
    for (name, text) in texts {
        let found = private.iter().find(|secret| text.contains(secret.as_str()));
        assert!(found.is_none(), "{name} contains a secret or an address of the stack: {text}");
    }
}

fn write(folder: &Path, texts: &BTreeMap<String, String>) {
    fs::create_dir_all(folder).expect("a folder");
    for name in known(folder).iter().filter(|name| !texts.contains_key(*name)) {
        fs::remove_file(folder.join(name)).expect("removed");
    }
    for (name, text) in texts {
        fs::write(folder.join(name), text).expect("written");
    }
}

/// The differences between the files of a folder and these texts.
fn compare(folder: &Path, texts: &BTreeMap<String, String>) -> Vec<String> {
    let mut names = known(folder);
    names.extend(texts.keys().cloned());
    let mut differences = Vec::new();
    for name in names {
        let file = fs::read_to_string(folder.join(&name)).unwrap_or_default();
        let recorded = texts.get(&name).map(String::as_str).unwrap_or_default();
        if file != recorded {
            differences.push(format!("{name}:\n{}", difference(&file, recorded)));
        }
    }
    differences
}

/// The names of the files in a folder.
fn known(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().expect("a name")).collect()
}

/// The lines between the common beginning and the common end of two texts.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let side = |sign: &str, lines: &[&str]| {
        let changed = &lines[..lines.len() - end];
        changed.iter().take(SHOWN).map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    format!("line {}:\n{}{}", same + 1, side("-", old), side("+", new))
}

//! JSON files and objects, read as the commands need them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use reelhook_terminal::arguments::Pair;
use serde_json::Value;

/// Reads a file of JSON.
pub fn read(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// The string members of a JSON object.
pub fn string_members(object: &Value) -> BTreeMap<String, String> {
    let members = object.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The string members of a JSON object as pairs.
pub fn pairs(object: &Value) -> Vec<Pair> {
    string_members(object).into_iter().map(|(name, value)| Pair(name, value)).collect()
}

//! What people write on the command line, parsed once: ids, times, pairs, files of JSON.

use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use reelhook_terminal::arguments::{Pair, parse_duration};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// A request has at most this many bytes.
const MAX_BODY: u64 = 1024 * 1024;

/// An id, which may stand in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(String);

impl Id {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_id = (1..=128).contains(&text.len()) && text.chars().all(fits) && text.chars().any(|c| c != '.');
        match is_id {
            true => Ok(Self(text.to_owned())),
            false => Err("an id has 1 to 128 letters, digits, `_`, `-` and `.`".to_owned()),
        }
    }
}

/// The pairs as the members of an object.
pub fn object(pairs: &[Pair]) -> Map<String, Value> {
    pairs.iter().map(|Pair(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// A point in time, as the API reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment(String);

impl Moment {
    /// The time in a query or a body.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A time before `now`, or one that is written as the API reads it.
    fn parse(text: &str, now: SystemTime) -> Result<Self, String> {
        if let Ok(ago) = parse_duration(text) {
            let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().checked_sub(ago);
            let ms = since.map(|since| since.as_millis()).ok_or("that is before 1970")?;
            return Ok(Self(ms.to_string()));
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_date = text.len() <= 40 && text.contains('T') && text.is_ascii();
        match is_number || is_date {
            true => Ok(Self(text.to_owned())),
            false => Err("expected how long ago, such as 2h, or a time such as 2026-11-22T04:00:00Z".to_owned()),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, SystemTime::now())
    }
}

/// Reads a file of JSON, or standard input if it is `-`. It must be an object.
pub fn json_file(path: &Path) -> Result<Map<String, Value>, Failure> {
    let shown = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let unreadable = |error: std::io::Error| Failure::Usage(format!("{shown} can't be read: {error}"));
    let mut bytes = Vec::new();
    match path == Path::new("-") {
        true => std::io::stdin().lock().take(MAX_BODY + 1).read_to_end(&mut bytes).map_err(unreadable)?,
        false => {
            let file = std::fs::File::open(path).map_err(unreadable)?;
            file.take(MAX_BODY + 1).read_to_end(&mut bytes).map_err(unreadable)?
        }
    };
    if bytes.len() as u64 > MAX_BODY {
        return Err(Failure::Usage(format!("{shown} has more than 1 MiB, which is the most that the API takes")));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Failure::Usage(format!("{shown} must be a JSON object"))),
        Err(error) => Err(Failure::Usage(format!("{shown} is not JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_can_stand_in_a_path() {
        for id in ["job_1795_3d6b", "3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b", "webhook_1", "a.b"] {
            assert_eq!(id.parse::<Id>().as_ref().map(Id::as_str), Ok(id));
        }
        for wrong in ["", ".", "..", "a/b", "a?b", "a b", "é", &"x".repeat(129)] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_relative_or_as_the_api_reads_them() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000);
        let parsed = |text: &str| Moment::parse(text, now).ok().map(|moment| moment.0);
        assert_eq!(parsed("2h").as_deref(), Some("2800000"));
        assert_eq!(parsed("2026-11-22T04:00:00Z").as_deref(), Some("2026-11-22T04:00:00Z"));
        assert_eq!(parsed("1704110400").as_deref(), Some("1704110400"));
        for wrong in ["", "yesterday", "2h ago", "30000000d", "2026-11-22"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_must_be_an_object() {
        let directory = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = directory.path().join("film.json");
            std::fs::write(&path, text).unwrap();
            json_file(&path)
        };
        assert_eq!(read(r#"{"a": 1.0}"#).unwrap()["a"].to_string(), "1.0");
        for (text, reason) in [("[]", "must be a JSON object"), ("{", "is not JSON"), ("", "is not JSON")] {
            let Failure::Usage(sentence) = read(text).unwrap_err() else { panic!("{text}") };
            assert!(sentence.contains(reason), "{sentence}");
        }
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(1024 * 1024));
        assert!(matches!(read(&large), Err(Failure::Usage(_))));
        assert!(matches!(json_file(&directory.path().join("none.json")), Err(Failure::Usage(_))));
    }
}

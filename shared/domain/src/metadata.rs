//! Metadata: texts by name that a caller attaches to what it creates. We return them and never interpret them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::brief;

/// The path of metadata in requests.
const PATH: &str = "metadata";
/// Members at most.
const MEMBERS: usize = 50;
/// Characters of a name.
const NAME: usize = 40;
/// Characters of a value.
const VALUE: usize = 500;
/// Bytes of all members as JSON without white space.
const BYTES: usize = 4096;

/// The metadata of a job, an endpoint or a recovery.
///
/// The limits apply where it arrives: [`Self::parse`] and [`Self::merged`]. What is stored is read without them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

/// What is wrong with metadata, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` must be {right}")]
pub struct InvalidMetadata {
    /// The path of the wrong value, such as `metadata.order`.
    pub path: String,
    /// What would be right.
    pub right: String,
}

impl Metadata {
    /// Reads the metadata of something new: an object with texts as values, or null for none.
    ///
    /// # Errors
    /// [`InvalidMetadata`].
    pub fn parse(given: &Value) -> Result<Self, InvalidMetadata> {
        let mut texts = BTreeMap::new();
        for (name, value) in members(given)? {
            texts.insert(name.clone(), text(name, value)?);
        }
        within_limits(texts)
    }

    /// The metadata after a change (RFC 7396): null removes a member, and null as a whole removes all members.
    ///
    /// # Errors
    /// [`InvalidMetadata`].
    pub fn merged(&self, patch: &Value) -> Result<Self, InvalidMetadata> {
        if patch.is_null() {
            return Ok(Self::default());
        }
        let mut texts = self.0.clone();
        for (name, value) in members(patch)? {
            if value.is_null() {
                texts.remove(name);
            } else {
                texts.insert(name.clone(), text(name, value)?);
            }
        }
        within_limits(texts)
    }

    /// Checks a name and a value: those of a member, or those that a list is filtered by.
    ///
    /// # Errors
    /// [`InvalidMetadata`].
    pub fn check(name: &str, value: &str) -> Result<(), InvalidMetadata> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if !(1..=NAME).contains(&name.len()) || !name.bytes().all(is_allowed) {
            let right =
                format!("a member whose name has 1 to {NAME} of the characters A-Z, a-z, 0-9, `_`, `.` and `-`");
            return Err(InvalidMetadata { path: member(name), right });
        }
        if value.chars().count() > VALUE {
            return Err(not_a_text(name));
        }
        Ok(())
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Its members, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The members of an object; null has none.
fn members(given: &Value) -> Result<impl Iterator<Item = (&String, &Value)>, InvalidMetadata> {
    match given {
        Value::Null | Value::Object(_) => Ok(given.as_object().into_iter().flatten()),
        _ => Err(InvalidMetadata { path: PATH.to_owned(), right: "an object with texts as values".to_owned() }),
    }
}

/// The text of a member.
fn text(name: &str, value: &Value) -> Result<String, InvalidMetadata> {
    let text = value.as_str().ok_or_else(|| not_a_text(name))?;
    Metadata::check(name, text)?;
    Ok(text.to_owned())
}

fn within_limits(texts: BTreeMap<String, String>) -> Result<Metadata, InvalidMetadata> {
    let too_much = |limit: usize, unit: &str, got: usize| {
        let right = format!("an object of at most {limit} {unit} (got {got})");
        Err(InvalidMetadata { path: PATH.to_owned(), right })
    };
    if texts.len() > MEMBERS {
        return too_much(MEMBERS, "members", texts.len());
    }
    let bytes = serde_json::to_string(&texts).expect("texts are JSON").len();
    if bytes > BYTES {
        return too_much(BYTES, "bytes as JSON without white space", bytes);
    }
    Ok(Metadata(texts))
}

fn not_a_text(name: &str) -> InvalidMetadata {
    InvalidMetadata { path: member(name), right: format!("a text of at most {VALUE} characters") }
}

/// The path of a member, shortened to one line: its name may be invalid.
fn member(name: &str) -> String {
    format!("{PATH}.{}", brief(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parsed(given: &Value) -> Metadata {
        Metadata::parse(given).unwrap()
    }

    #[test]
    fn texts_by_name_are_read_and_written_as_they_are() {
        let given =
            json!({ "order": "42", "shop.name": "Comédie 🎬", "a-b_c": "", "0": "\u{0}\n\"", "__proto__": "x" });
        let metadata = parsed(&given);
        assert_eq!(serde_json::to_value(&metadata).unwrap(), given);
        assert_eq!(serde_json::from_value::<Metadata>(given).unwrap(), metadata);
        assert_eq!((metadata.get("order"), metadata.get("Order")), (Some("42"), None));
        let names: Vec<&str> = metadata.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["0", "__proto__", "a-b_c", "order", "shop.name"]);
        for none in [Value::Null, json!({})] {
            assert!(parsed(&none).is_empty(), "{none}");
        }
    }

    #[test]
    fn an_error_names_the_path_and_what_would_be_right() {
        let check = |given: Value, path: &str, right: &str| {
            let error = Metadata::parse(&given).unwrap_err();
            assert_eq!(error.path, path, "{given}");
            assert!(error.right.contains(right), "{error}");
        };
        for whole in [json!("order=42"), json!([]), json!(1), json!(true)] {
            check(whole, "metadata", "an object with texts as values");
        }
        for value in [Value::Null, json!(42), json!(true), json!([]), json!({}), json!("é".repeat(501))] {
            check(json!({ "ok": "", "order": value }), "metadata.order", "a text of at most 500 characters");
        }
        for name in ["", "a b", "é", "a/b", "a\n", "a$", &"x".repeat(41)] {
            let path = format!("metadata.{}", name.replace('\n', "?"));
            check(json!({ name: "x" }), &path, "1 to 40 of the characters");
        }
        let long = json!({ "x".repeat(100_000): "x" });
        assert!(Metadata::parse(&long).unwrap_err().path.len() < 300);
        let error = Metadata::parse(&json!({ "order": 42 })).unwrap_err();
        assert_eq!(error.to_string(), "`metadata.order` must be a text of at most 500 characters");
    }

    #[test]
    fn metadata_of_the_greatest_size_is_read_and_greater_one_is_not() {
        let many = |count: usize| (0..count).map(|n| (format!("n{n}"), json!(""))).collect::<Value>();
        assert_eq!(parsed(&many(50)).iter().count(), 50);
        let error = Metadata::parse(&many(51)).unwrap_err();
        assert_eq!(
            (error.path.as_str(), error.right.as_str()),
            ("metadata", "an object of at most 50 members (got 51)")
        );
        let longest = json!({ "x".repeat(40): "🎬".repeat(500) });
        assert_eq!(parsed(&longest).iter().count(), 1);
        // Beside its value each member has seven bytes, with its comma, and the braces have one more.
        let of_bytes = |bytes: usize| {
            let rest = bytes - 1 - 9 * 7 - 8 * 500;
            let value = |n: usize| json!("x".repeat(if n < 8 { 500 } else { rest }));
            (0..9).map(|n| (n.to_string(), value(n))).collect::<Value>()
        };
        assert_eq!(of_bytes(4096).to_string().len(), 4096);
        assert_eq!(parsed(&of_bytes(4096)).iter().count(), 9);
        let error = Metadata::parse(&of_bytes(4097)).unwrap_err();
        assert!(error.right.contains("4096 bytes") && error.right.contains("got 4097"), "{error}");
    }

    #[test]
    fn a_change_merges_by_name() {
        let known = parsed(&json!({ "a": "1", "b": "2" }));
        let check = |patch: Value, expected: Value| {
            assert_eq!(serde_json::to_value(known.merged(&patch).unwrap()).unwrap(), expected, "{patch}");
        };
        check(json!({}), json!({ "a": "1", "b": "2" }));
        check(json!({ "b": "3", "c": "4" }), json!({ "a": "1", "b": "3", "c": "4" }));
        check(json!({ "a": null, "no such name": null }), json!({ "b": "2" }));
        check(Value::Null, json!({}));
        let error = known.merged(&json!({ "b": 2 })).unwrap_err();
        assert_eq!(error.path, "metadata.b");
        let full = parsed(&(0..50).map(|n| (format!("n{n}"), json!(""))).collect::<Value>());
        assert_eq!(full.merged(&json!({ "more": "x" })).unwrap_err().path, "metadata");
        assert!(full.merged(&json!({ "more": "x", "n0": null })).is_ok(), "the limits are those of the result");
    }

    /// Metadata, or almost.
    fn a_value() -> impl Strategy<Value = Value> {
        let name = prop_oneof![20 => "[a-zA-Z0-9_.-]{1,40}", 1 => ".{0,3}"];
        let value = prop_oneof![
            20 => ".{0,60}".prop_map(Value::String),
            1 => ".{495,505}".prop_map(Value::String),
            1 => Just(Value::Null),
            1 => any::<i64>().prop_map(Value::from),
        ];
        let object = prop::collection::vec((name, value), 0..55);
        let object = object.prop_map(|members| members.into_iter().collect::<Value>());
        prop_oneof![1 => Just(Value::Null), 20 => object]
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_kept_whole_and_within_the_limits(given in a_value(), patch in a_value()) {
            let Ok(metadata) = Metadata::parse(&given) else { return Ok(()) };
            let expected = if given.is_null() { json!({}) } else { given };
            prop_assert_eq!(serde_json::to_value(&metadata).unwrap(), expected);
            for metadata in [Some(metadata.clone()), metadata.merged(&patch).ok()].into_iter().flatten() {
                prop_assert!(metadata.iter().count() <= MEMBERS);
                prop_assert!(serde_json::to_string(&metadata).unwrap().len() <= BYTES);
                prop_assert!(metadata.iter().all(|(name, value)| Metadata::check(name, value).is_ok()));
                prop_assert_eq!(Metadata::parse(&serde_json::to_value(&metadata).unwrap()), Ok(metadata));
            }
        }
    }
}

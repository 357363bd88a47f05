//! Parses JSON from outside, of callers, services and receivers, as a value that can be stored inside other values and read
//! again: it is nested less deeply than parsers allow, and has no member that serde_json would replace by something else.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The maximum depth of a text. Parsers read 127 levels, and a stored value has others around it.
const DEPTH: usize = 100;
/// The name by which serde_json passes raw JSON on: a member with this name would be parsed again, at a depth that is counted
/// anew. A short text could be nested so deeply that reading it overflows the stack.
const RAW: &str = "$serde_json::private::RawValue";

/// Parses a JSON text.
///
/// # Errors
/// If it is not JSON, is nested too deeply, or has a member with a reserved name.
pub fn parse(text: &[u8]) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Tree { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// A value at a depth.
#[derive(Clone, Copy)]
struct Tree {
    depth: usize,
}

impl Tree {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > DEPTH {
            return Err(E::custom(format!("it is nested more than {DEPTH} levels deep")));
        }
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = entries.next_element_seed(below)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == RAW {
                return Err(A::Error::custom(format!("the member name `{RAW}` is reserved")));
            }
            map.insert(name, members.next_value_seed(below)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_serde_json_reads_it() {
        for text in [
            r#"{"b": [1, -2, 3.5, 1e3, null, true], "a": {"é": "\ud83d\ude00"}, "b": 2}"#,
            "18446744073709551615",
            "-0.0",
            "\"text\"",
            " [ ] ",
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        for text in ["", "{", "[1,]", "1 2", "1e309", "{\"a\": \"\\ud800\"}"] {
            let ours = parse(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(ours, serde_json::from_str::<Value>(text).unwrap_err().to_string(), "{text}");
        }
    }

    #[test]
    fn a_deep_value_and_a_reserved_name_are_refused() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(DEPTH).as_bytes()).is_ok());
        let refused = parse(nested(DEPTH + 1).as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("more than 100 levels"), "{refused}");
        for text in [
            r#"{"a": {"$serde_json::private::RawValue": "[1]"}}"#,
            r#"{"\u0024serde_json::private::RawValue": "12345678901234567890123"}"#,
        ] {
            let refused = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains("is reserved"), "{text}: {refused}");
        }
    }
}

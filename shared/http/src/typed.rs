//! Typed requests: a body or a query string becomes a type of its own, and an error names the path of the field.
//!
//! A request is a struct that derives `Deserialize` and `JsonSchema`. Its fields have the types of [`fields`], which
//! declare their bounds and how lenient they are; the API's description takes the same bounds from them.

pub(crate) mod declared;
mod deserializer;
pub mod fields;
pub(crate) mod numbers;
pub(crate) mod times;

pub(crate) use reelhook_app::json;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::deserializer::{Fault, JsonReader};
use crate::problem::{Problem, RequestProblem, bad};

/// Reads a JSON value as `T`.
///
/// # Errors
/// [`RequestProblem::BadField`] or [`RequestProblem::UnknownField`] with the path of the field.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    T::deserialize(JsonReader::new(value)).map_err(|error| {
        let path = error.path();
        match error.fault {
            Fault::Unknown(known) => Problem::Request(RequestProblem::UnknownField(path, known.to_vec())),
            Fault::Wrong(_) | Fault::Missing if path.is_empty() => bad("body", error.right()),
            Fault::Wrong(_) | Fault::Missing => bad(path, error.right()),
        }
    })
}

/// Reads query parameters as `T`: the first of several with one name counts, and an empty one counts as absent.
///
/// # Errors
/// As [`read`].
pub fn read_query<'a, T: DeserializeOwned>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<T, Problem> {
    let mut members = Map::new();
    for (name, value) in pairs {
        members.entry(name).or_insert_with(|| Value::from(value));
    }
    members.retain(|_, value| value != "");
    read(&Value::Object(members))
}

#[cfg(test)]
mod tests;

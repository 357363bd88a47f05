//! Metadata in requests: the member `metadata` of what creates or changes something, and the filter of lists by it.
//!
//! Jobs, videos, endpoints and recoveries have metadata. An upload is only a link to an object, a test of an endpoint sends
//! a fixed event, and the `data` of a triggered event is free already, so these three have none.

use reelhook_domain::{InvalidMetadata, Metadata};
use serde_json::Value;

use crate::problem::{Problem, bad};
use crate::request::ApiRequest;

/// The metadata of something new; none if the member is absent or null.
///
/// # Errors
/// `bad_field`.
pub(crate) fn read(member: Option<&Value>) -> Result<Metadata, Problem> {
    Ok(member.map(Metadata::parse).transpose()?.unwrap_or_default())
}

/// The field `metadata` of a form, which is JSON as text; null if the field is blank.
///
/// # Errors
/// `bad_field`.
pub(crate) fn of_form(text: &str) -> Result<Value, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let right = |error: serde_json::Error| format!("an object as JSON ({error})");
    serde_json::from_str(text).map_err(|error| bad("metadata", right(error)))
}

/// The query parameters `metadata.NAME=VALUE` of a list, which shows what has all of these members.
///
/// # Errors
/// `bad_field`.
pub(crate) fn filter(request: &ApiRequest) -> Result<Vec<(String, String)>, Problem> {
    let members = request.queries().filter_map(|(name, value)| Some((name.strip_prefix("metadata.")?, value)));
    let read = |(name, value): (&str, &str)| -> Result<(String, String), Problem> {
        Metadata::check(name, value)?;
        Ok((name.to_owned(), value.to_owned()))
    };
    members.map(read).collect()
}

impl From<InvalidMetadata> for Problem {
    fn from(invalid: InvalidMetadata) -> Self {
        bad(invalid.path, invalid.right)
    }
}

//! The API's description (OpenAPI 3.1): operations by family, with schemas from the types of requests and answers, and
//! examples that tests received; and the description of messages (AsyncAPI 3.0) from the same types.

pub mod asyncapi;
pub mod callback;
pub mod clients;
pub mod codes;
pub mod common;
pub mod conformance;
pub mod document;
pub mod examples;
pub mod families;
pub mod operation;
pub mod polish;

/// The description as JSON text.
///
/// # Errors
/// If two types have one name, an operation names an unknown code, or an example is missing.
pub fn text() -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&document::describe()?)?))
}

/// The description of messages as JSON text.
///
/// # Errors
/// As [`text`].
pub fn messages_text() -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&asyncapi::describe()?)?))
}

#[cfg(test)]
mod tests;

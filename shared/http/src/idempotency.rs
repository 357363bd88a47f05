//! Idempotency-Keys of requests: two requests are the same if their values are, however these are written (ADR 27).

use reelhook_app::idempotency::IdempotencyKey;
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::access::Caller;
use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;
use crate::videos::form::{Part, composed};

/// The request's Idempotency-Key with the hash of its body's value.
///
/// # Errors
/// [`RequestProblem::BadIdempotencyKey`].
pub(crate) fn key(request: &ApiRequest, caller: &Caller) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = header(request)? else { return Ok(None) };
    let body_hash = match request.json_or_nothing() {
        // No body is the same as an empty object.
        Ok(Value::Null) => of_value(request, "{}", &[]),
        Ok(value) => of_value(request, &canonical(&value), &[]),
        // The route refuses the body if it needs it.
        Err(_) => of_bytes(&request.path, &[&request.body]),
    };
    Ok(Some(of_json(request, caller.key(key, body_hash))))
}

/// [`key`] of a body in JSON as its route reads it, which may distinguish numbers that are equal for other readers.
///
/// # Errors
/// [`RequestProblem::BadIdempotencyKey`].
pub(crate) fn key_of_body(
    request: &ApiRequest,
    caller: &Caller,
    body: &Value,
) -> Result<Option<IdempotencyKey>, Problem> {
    let keyed = |key| of_json(request, caller.key(key, of_value(request, &canonical(body), &[])));
    Ok(header(request)?.map(keyed))
}

fn of_json(request: &ApiRequest, key: IdempotencyKey) -> IdempotencyKey {
    let (path, body) = (request.path.clone(), request.body.clone());
    key.formerly_hashed(move || of_bytes(&path, &[&body]))
}

/// [`key`] of a form: of its configuration, its webhook URL, its metadata and its images. The boundary and the order of
/// fields do not count; the order of images does, because scenes refer to them by number.
///
/// # Errors
/// [`RequestProblem::BadIdempotencyKey`].
pub(crate) fn key_of_form(
    request: &ApiRequest,
    caller: &Caller,
    config: &Value,
    callback: &Value,
    metadata: &Value,
    files: &[Part],
) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = header(request)? else { return Ok(None) };
    let names: Vec<_> = files.iter().map(|file| composed(file.file.as_deref().unwrap_or_default())).collect();
    let parts = names.iter().zip(files).flat_map(|(name, file)| [name.as_bytes(), file.bytes.as_ref()]);
    let parts: Vec<&[u8]> = parts.collect();
    // A form without metadata has the hash that older versions stored.
    let metadata = Some(metadata).filter(|metadata| !metadata.is_null());
    let value = canonical(&[config, callback].into_iter().chain(metadata).cloned().collect::<Value>());
    let key = caller.key(key, of_value(request, &value, &parts));
    let (path, files) = (request.path.clone(), files.to_vec());
    let (config, callback) = (config.clone(), callback.clone());
    Ok(Some(key.formerly_hashed(move || {
        let (config, callback) = (config.to_string(), callback.to_string());
        let files = files.iter().flat_map(|file| [file.former_name(), file.bytes.as_ref()]);
        let parts: Vec<&[u8]> = [config.as_bytes(), callback.as_bytes()].into_iter().chain(files).collect();
        of_bytes(&path, &parts)
    })))
}

fn header(request: &ApiRequest) -> Result<Option<String>, Problem> {
    let Some(key) = request.header_bytes("idempotency-key") else { return Ok(None) };
    let visible = key.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let key = std::str::from_utf8(key).ok().filter(|key| visible && (1..=255).contains(&key.len()));
    key.map(|key| Some(key.to_owned())).ok_or(Problem::Request(RequestProblem::BadIdempotencyKey))
}

/// The hash of a value and its files. The path counts, because a key belongs to a route.
fn of_value(request: &ApiRequest, value: &str, files: &[&[u8]]) -> String {
    let mut digest = Sha256::new().chain_update(&request.path).chain_update([0]).chain_update("value");
    for part in [value.as_bytes()].iter().chain(files) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())
}

/// The hash that version 0.1 stored: of a body's bytes, or of a form's parts.
fn of_bytes(path: &str, parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new().chain_update(path).chain_update([0]);
    match parts {
        [body] => digest.update(body),
        parts => {
            for part in parts {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
    }
    hex::encode(digest.finalize())
}

/// A value in canonical form: members in the order of their names, numbers by their values.
fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Number(number) => text.push_str(&written(number)),
        Value::Array(entries) => {
            text.push('[');
            for entry in entries {
                write(entry, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in members {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
    }
}

/// A number in canonical form: `1.0` and `1e2` as whole numbers, others by their shortest digits.
fn written(number: &Number) -> String {
    const WHOLE: f64 = 18_446_744_073_709_551_616.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < WHOLE => (float as i128).to_string(),
        Some(float) if number.is_f64() => format!("{float:e}"),
        Some(_) | None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_is_written_the_same() {
        let check = |one: &str, other: &str, same: bool| {
            let [one_value, other_value] = [one, other].map(|text| serde_json::from_str::<Value>(text).unwrap());
            assert_eq!(canonical(&one_value) == canonical(&other_value), same, "{one} and {other}");
        };
        check(r#"{"a": 1, "b": [true, null]}"#, r#"{"b":[true,null],"a":1}"#, true);
        check(r#"{"a": {"y": 1, "x": 2}}"#, r#"{"a": {"x": 2, "y": 1}}"#, true);
        check(r#"["\u00e9", "\/", "\ud83d\ude00"]"#, r#"["é", "/", "😀"]"#, true);
        check("[1, 100, -0.0, 0.5]", "[1.0, 1e2, 0, 5e-1]", true);
        check("[10000000000000000000]", "[1e19]", true);
        check("[-9007199254740992]", "[-9007199254740992.0]", true);
        check("[100000000000000000000]", "[1e20]", true);
        check("[9007199254740993]", "[9007199254740992]", false);
        check("[18446744073709551615]", "[18446744073709551616]", false);
        check("[0.1]", "[0.10000000000000002]", false);
        check("[1, 2]", "[2, 1]", false);
        check(r#"["1"]"#, "[1]", false);
        check(r#"{"a": null}"#, "{}", false);
        check(r#"["a", "b"]"#, r#"["a\",\"b"]"#, false);
        check(r#"["é"]"#, "[\"e\u{301}\"]", false);
    }
}

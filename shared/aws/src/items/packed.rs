//! The stored form of an aggregate as an attribute: JSON text, compressed if it is long.

use std::io::{Read, Write};

use aws_sdk_dynamodb::types::AttributeValue;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use reelhook_app::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::items::{Item, b, read, s};

/// A stored form of more bytes is compressed: each KB of a write costs, and an item has at most 400 KB.
const PLAIN: usize = 8 * 1024;
/// Bytes of a stored form at most after it was decompressed.
const LONGEST: u64 = 64 * 1024 * 1024;

/// The attribute of a stored form: `body` has it as JSON text, `packed` has the text compressed by gzip.
pub(crate) fn body<T: Serialize>(form: &T) -> (&'static str, AttributeValue) {
    let text = serde_json::to_string(form).expect("our own types are JSON");
    if text.len() <= PLAIN {
        return ("body", s(text));
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).expect("memory can be written");
    ("packed", b(packed.finish().expect("memory can be written")))
}

/// Reads a stored form from its item.
///
/// # Errors
/// [`StoreError::Unreadable`] names the unreadable attribute.
pub(crate) fn read_body<T: DeserializeOwned>(operation: &'static str, item: &Item) -> Result<T, StoreError> {
    match item.get("packed") {
        Some(packed) => unpacked(packed)
            .map_err(|reason| StoreError::Unreadable { operation, reason: format!("attribute `packed`: {reason}") }),
        None => read(operation, item, "body"),
    }
}

fn unpacked<T: DeserializeOwned>(packed: &AttributeValue) -> Result<T, String> {
    let packed: &[u8] = packed.as_b().map_err(|_| "it is not binary".to_owned())?.as_ref();
    let mut text = String::new();
    let mut plain = GzDecoder::new(packed).take(LONGEST);
    plain.read_to_string(&mut text).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

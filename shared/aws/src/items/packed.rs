//! A stored form as one attribute: JSON, deflated with a preset dictionary (ADR 50). That of an aggregate has its outbox.
//! Packed log rows are written so too.

use std::cell::RefCell;
use std::io::Read;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use reelhook_app::store::StoreError;
use reelhook_domain::{Aggregate, Effect};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::items::{Item, OUTBOX, b, n, read, s, text};

/// Every dictionary that a version has written with, by the byte that names it. Items name them for ever, so none of them
/// changes or goes. infra/local/dictionary.py makes the next one.
const DICTIONARIES: [(u8, &[u8]); 2] =
    [(1, include_bytes!("dictionaries/1.txt")), (2, include_bytes!("dictionaries/2.txt"))];
/// The dictionary that aggregates and packed log rows are written with: one that the release before could read.
pub(crate) const OF_AGGREGATES: usize = 0;
/// The dictionary that events and deliveries are written with. It is short, since many of them are written in a batch.
const OF_WEBHOOKS: usize = 1;
/// How hard zlib looks for repetitions. Level 9 also looks for those of three bytes, which takes longer and makes bodies
/// no shorter (ADR 60).
const LEVEL: Compression = Compression::new(7);
/// Bytes of most stored forms before they are compressed.
const TYPICAL: usize = 4 * 1024;
/// Bytes of a stored form at most after it was decompressed.
const LONGEST: usize = 64 * 1024 * 1024;
/// The attribute `outbox` of an item that has effects, which are in its body: the stream's filter tests that it is there.
/// Before version 0.3 `fanout` takes it for an effect that it does not know yet, and waits until it is replaced.
const IN_BODY: &str = r#"[{"kind":"body"}]"#;

thread_local! {
    /// What deflates: to make it anew takes longer than to compress a row.
    static STREAM: RefCell<Compress> = RefCell::new(Compress::new(LEVEL, false));
    /// What inflates: its window has 32 KB.
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// How bodies are written; each form is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoredForm {
    /// Compressed, with the outbox in it.
    #[default]
    Compressed,
    /// As two texts, which functions of versions before 0.3 read: for the time of an upgrade.
    Text,
}

impl FromStr for StoredForm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "compressed" => Ok(Self::Compressed),
            "text" => Ok(Self::Text),
            other => Err(format!("`{other}` is neither `compressed` nor `text`")),
        }
    }
}

/// What `body` holds.
#[derive(Serialize)]
struct Body<'a, F> {
    #[serde(rename = "b")]
    form: &'a F,
    #[serde(rename = "o", skip_serializing_if = "<[Effect]>::is_empty")]
    outbox: &'a [Effect],
}

/// What was read from `body`.
#[derive(Deserialize)]
struct ReadBody<F> {
    #[serde(rename = "b")]
    form: F,
    #[serde(rename = "o", default = "Vec::new")]
    outbox: Vec<Effect>,
}

/// The kinds of the effects in `body`.
#[derive(Deserialize)]
struct Kinds {
    #[serde(rename = "b")]
    _form: IgnoredAny,
    #[serde(rename = "o", default)]
    outbox: Vec<Kind>,
}

/// The kind of an effect that may be unknown.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: Option<String>,
}

/// The item of an aggregate with this stored form, without the attributes of indexes; `write_id` identifies the write.
pub(crate) fn item_of<A: Aggregate, F: Serialize>(of: &A, form: &F, write_id: &str) -> Item {
    let outbox = of.outbox();
    let mut item: Item = [
        ("id", s(of.id().to_string())),
        ("version", n(of.version())),
        ("write_id", s(write_id)),
        ("body", body(OF_AGGREGATES, form, outbox)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if !outbox.is_empty() {
        item.insert(OUTBOX.to_owned(), s(IN_BODY));
    }
    item
}

/// The attribute `body` of a row that is no aggregate.
pub(crate) fn body_of_row<F: Serialize>(form: &F) -> AttributeValue {
    body(OF_AGGREGATES, form, &[])
}

/// The attribute `body` of an event or a delivery.
pub(crate) fn body_of_webhook<F: Serialize>(form: &F) -> AttributeValue {
    body(OF_WEBHOOKS, form, &[])
}

fn body<F: Serialize>(dictionary: usize, form: &F, outbox: &[Effect]) -> AttributeValue {
    // Most texts fit, so that few grow while they are written.
    let mut text = Vec::with_capacity(TYPICAL);
    serde_json::to_writer(&mut text, &Body { form, outbox }).expect("our own types are JSON");
    b(deflate(dictionary, &text))
}

/// An item of [`item_of`] in the form of [`StoredForm::Text`].
pub(crate) fn as_texts(mut item: Item) -> Item {
    let Some(AttributeValue::B(body)) = item.get("body") else { return item };
    let whole: Value = parsed(body.as_ref()).expect("it was written by `item_of`");
    item.insert("body".to_owned(), s(whole["b"].to_string()));
    if let Some(outbox) = whole.get("o") {
        item.insert(OUTBOX.to_owned(), s(outbox.to_string()));
    }
    item
}

/// Reads a stored form and the outbox from an item of any version.
///
/// # Errors
/// [`StoreError::Unreadable`] names the unreadable attribute.
pub(crate) fn read_item<F: DeserializeOwned>(
    operation: &'static str,
    item: &Item,
) -> Result<(F, Vec<Effect>), StoreError> {
    let unreadable = |name: &str, reason: String| StoreError::Unreadable {
        operation,
        reason: format!("attribute `{name}`: {reason}"),
    };
    if let Some(AttributeValue::B(body)) = item.get("body") {
        let body: ReadBody<F> = parsed(body.as_ref()).map_err(|reason| unreadable("body", reason))?;
        return Ok((body.form, body.outbox));
    }
    let form = match item.get("packed") {
        Some(packed) => unzipped(packed).map_err(|reason| unreadable("packed", reason))?,
        None => read(operation, item, "body")?,
    };
    let outbox = if item.contains_key(OUTBOX) { read(operation, item, OUTBOX)? } else { Vec::new() };
    Ok((form, outbox))
}

/// The kinds of the effects in an item of any version, where they have one; none if it has no outbox.
///
/// # Errors
/// Why they can't be read.
pub(crate) fn effect_kinds(item: &Item) -> Result<Option<Vec<Option<String>>>, String> {
    let Some(outbox) = text(item, OUTBOX) else { return Ok(None) };
    let kinds: Vec<Kind> = match item.get("body") {
        Some(AttributeValue::B(body)) => parsed::<Kinds>(body.as_ref())?.outbox,
        _ => serde_json::from_str(outbox).map_err(|error| error.to_string())?,
    };
    Ok(Some(kinds.into_iter().map(|effect| effect.kind).collect()))
}

/// The dictionary that a body names, if a newer version has added it.
pub(crate) fn newer_dictionary(item: &Item) -> Option<u8> {
    let Some(AttributeValue::B(body)) = item.get("body") else { return None };
    let name = *body.as_ref().first()?;
    DICTIONARIES.iter().all(|(known, _)| *known < name).then_some(name)
}

/// Reads JSON that was deflated.
///
/// # Errors
/// Why it can't be read.
pub(crate) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(&inflate(body)?).map_err(|error| error.to_string())
}

/// A text with the byte that names its dictionary before it. The stream has no header and no check sum: the table keeps
/// what it was given, and each byte counts.
pub(crate) fn deflate(dictionary: usize, text: &[u8]) -> Vec<u8> {
    let (name, dictionary) = DICTIONARIES[dictionary];
    let mut body = Vec::with_capacity(128 + text.len() / 2);
    body.push(name);
    STREAM.with_borrow_mut(|stream| {
        stream.reset();
        stream.set_dictionary(dictionary).expect("nothing was compressed yet");
        loop {
            let read = usize::try_from(stream.total_in()).expect("it was in memory");
            match stream.compress_vec(&text[read..], &mut body, FlushCompress::Finish).expect("it is not finished") {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => body.reserve(128 + text.len() / 2),
            }
        }
    });
    body
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, String> {
    let Some((name, rest)) = body.split_first() else { return Err("it is empty".to_owned()) };
    let dictionary = DICTIONARIES.iter().find(|(number, _)| number == name);
    let Some((_, dictionary)) = dictionary else { return Err(format!("it names the unknown dictionary {name}")) };
    let mut text = Vec::with_capacity(64 + 6 * rest.len());
    INFLATE.with_borrow_mut(|stream| {
        stream.reset(false);
        stream.set_dictionary(dictionary).map_err(|error| error.to_string())?;
        loop {
            let read = usize::try_from(stream.total_in()).expect("it was in memory");
            let status = stream.decompress_vec(&rest[read..], &mut text, FlushDecompress::Finish);
            match status.map_err(|error| error.to_string())? {
                Status::StreamEnd => return Ok(text),
                Status::Ok | Status::BufError if text.len() < text.capacity() => return Err("it is cut off".to_owned()),
                Status::Ok | Status::BufError if text.len() >= LONGEST => {
                    return Err(format!("it has more than {LONGEST} bytes"));
                }
                Status::Ok | Status::BufError => text.reserve_exact(text.len().min(LONGEST - text.len())),
            }
        }
    })
}

/// Reads a stored form that gzip compressed, as development versions of 0.3 wrote long ones.
fn unzipped<T: DeserializeOwned>(packed: &AttributeValue) -> Result<T, String> {
    let packed: &[u8] = packed.as_b().map_err(|_| "it is not binary".to_owned())?.as_ref();
    let mut text = String::new();
    GzDecoder::new(packed).take(LONGEST as u64).read_to_string(&mut text).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dictionaries by the byte that names them, their lengths, and the CRC-32 of each.
    const RELEASED: [(u8, usize, u32); 2] = [(1, 16_297, 0xc42d_335f), (2, 3_057, 0x98ab_379e)];

    #[test]
    fn a_dictionary_never_changes() {
        let found = DICTIONARIES.map(|(name, dictionary)| {
            let mut crc = flate2::Crc::new();
            crc.update(dictionary);
            (name, dictionary.len(), crc.sum())
        });
        assert_eq!(found, RELEASED, "stored items can only be read with the dictionary that they name");
    }

    #[test]
    fn texts_of_any_length_come_back() {
        let long: String = (0..200_000).map(|number: u32| format!("{},", number.wrapping_mul(2_654_435_761))).collect();
        for text in ["", "{}", r#"{"b":{"id":"job_1","dialect":"streamgank"}}"#, &"x".repeat(5_000_000), &long] {
            for dictionary in [OF_AGGREGATES, OF_WEBHOOKS] {
                let body = deflate(dictionary, text.as_bytes());
                assert_eq!((body[0], inflate(&body)), (DICTIONARIES[dictionary].0, Ok(text.as_bytes().to_vec())));
            }
        }
    }

    #[test]
    fn a_body_that_can_t_be_read_says_why() {
        let whole = deflate(OF_AGGREGATES, br#"{"b":{"number":1795900137865}}"#);
        let check = |body: &[u8], reason: &str| assert_eq!(inflate(body), Err(reason.to_owned()));
        check(&[], "it is empty");
        check(&[0], "it names the unknown dictionary 0");
        check(&[3, 3, 0], "it names the unknown dictionary 3");
        for broken in [&whole[..whole.len() - 1], &[1], &[1, 0xff]] {
            assert!(inflate(broken).is_err(), "{broken:?}");
            assert_eq!(
                inflate(&whole),
                Ok(br#"{"b":{"number":1795900137865}}"#.to_vec()),
                "nothing is left of {broken:?}"
            );
        }
    }

    #[test]
    fn the_marker_of_an_outbox_is_no_kind_of_effect() {
        let marker: Vec<Kind> = serde_json::from_str(IN_BODY).unwrap();
        assert!(marker.iter().all(|effect| effect.kind.as_deref().is_some_and(|kind| !Effect::is_known(kind))));
    }
}

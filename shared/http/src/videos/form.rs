//! Reads multipart/form-data (RFC 7578), as browsers and less strict clients send it, and matches the file names in it.

use std::borrow::Cow;
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_DISPOSITION;
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::content::{self, parameter};
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::videos::problem::VideoProblem;

/// The maximum size of a form, in bytes (docs/contract/videos.md, Forms).
const FORM_LIMIT: usize = 4 * 1024 * 1024;
/// The maximum number of parts in a form.
const MOST_PARTS: usize = 200;
/// The maximum length of the name of a file or a field, in bytes.
const NAME_LIMIT: usize = 1024;
/// The maximum length of a boundary, in characters (RFC 2046, 5.1.1).
const BOUNDARY_LIMIT: usize = 70;

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The field name.
    pub(crate) name: String,
    /// The file name, if the part is a file.
    pub(crate) file: Option<String>,
    /// The content.
    pub(crate) bytes: Bytes,
    /// The file name as version 0.1 read it: hashes in its idempotency records contain it.
    former_file: Option<String>,
    /// The character set that the part or the form declares.
    charset: Option<String>,
}

impl Part {
    /// The content as text.
    ///
    /// # Errors
    /// [`content::TextError`].
    pub(crate) fn text(&self) -> Result<Cow<'_, str>, content::TextError> {
        content::text(&self.bytes, self.charset.as_deref())
    }

    /// The file name as version 0.1 read it.
    pub(crate) fn former_name(&self) -> &[u8] {
        self.former_file.as_deref().unwrap_or_default().as_bytes()
    }

    /// Whether a browser sent the part for an empty file input.
    pub(crate) fn is_unfilled(&self) -> bool {
        self.bytes.is_empty() && self.file.as_ref().is_none_or(String::is_empty)
    }
}

/// Whether a request is a form.
pub(crate) fn is_form(request: &ApiRequest) -> bool {
    let content_type = request.header_bytes("content-type").unwrap_or_default();
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"multipart/form-data")
}

/// Reads the parts of a form, in order.
///
/// # Errors
/// [`Problem`] says what is wrong with the form.
pub(crate) async fn read(request: &ApiRequest) -> Result<Vec<Part>, Problem> {
    let boundary = boundary(request.header_bytes("content-type").unwrap_or_default())?;
    let body = Bytes::from(request.content(FORM_LIMIT, Problem::Video(VideoProblem::FormTooLarge))?.into_owned());
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let bad = |error: multer::Error| Problem::Video(VideoProblem::BadForm(error.to_string()));
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        if parts.len() == MOST_PARTS {
            return Err(Problem::Video(VideoProblem::BadForm(format!("it has more than {MOST_PARTS} parts"))));
        }
        let disposition = field.headers().get(CONTENT_DISPOSITION).map(|value| value.as_bytes().to_vec());
        let disposition = disposition.unwrap_or_default();
        let (name, file) = (name_in(&disposition, "name").unwrap_or_default(), name_in(&disposition, "filename"));
        if name.len() > NAME_LIMIT || file.as_ref().is_some_and(|file| file.len() > NAME_LIMIT) {
            return Err(Problem::Video(VideoProblem::BadForm(format!(
                "a name in it has more than {NAME_LIMIT} bytes"
            ))));
        }
        let charset = field.headers().get(http::header::CONTENT_TYPE);
        let charset = charset.and_then(|value| parameter(value.as_bytes(), "charset"));
        let charset = charset.and_then(|label| String::from_utf8(label).ok());
        let former_file = field.file_name().map(str::to_owned);
        parts.push(Part { name, file, former_file, charset, bytes: field.bytes().await.map_err(bad)? });
    }
    // The `_charset_` field declares the character set of all other fields (RFC 7578, 4.6).
    let charset = parts.iter().find(|part| part.name == "_charset_").and_then(|part| part.text().ok());
    if let Some(charset) = charset.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()) {
        for part in parts.iter_mut().filter(|part| part.charset.is_none()) {
            part.charset = Some(charset.clone());
        }
    }
    Ok(parts)
}

fn boundary(content_type: &[u8]) -> Result<String, Problem> {
    let bad = |why: &str| Problem::Video(VideoProblem::BadForm(why.to_owned()));
    let found = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty());
    let found = found.ok_or_else(|| bad("the boundary is missing in `Content-Type`"))?;
    let fits = found.len() <= BOUNDARY_LIMIT && found.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let found = String::from_utf8(found).ok().filter(|_| fits);
    found.ok_or_else(|| bad("the boundary in `Content-Type` must have at most 70 ASCII characters"))
}

/// A name in a `Content-Disposition`: from `name*` (RFC 8187) if that is valid, else from `name`.
fn name_in(disposition: &[u8], name: &str) -> Option<String> {
    let extended = parameter(disposition, &format!("{name}*")).and_then(|value| extended(&value));
    extended.or_else(|| {
        let bytes = parameter(disposition, name)?;
        // Old browsers send names in the system's character set instead of UTF-8.
        let text = content::text(&bytes, None).or_else(|_| content::text(&bytes, Some("windows-1252")));
        Some(text.ok()?.into_owned())
    })
}

/// Reads `UTF-8'en'na%C3%AFve.png`, with or without charset and language.
fn extended(value: &[u8]) -> Option<String> {
    let parts: Vec<&[u8]> = value.splitn(3, |byte| *byte == b'\'').collect();
    let (charset, encoded) = match parts[..] {
        [charset, _, encoded] => (std::str::from_utf8(charset).ok()?, encoded),
        _ => ("", value),
    };
    let bytes = percent_decoded(encoded);
    content::text(&bytes, Some(charset)).ok().map(Cow::into_owned)
}

/// The file names in all the forms in which they are compared, computed once because many scenes may name a file.
#[derive(Debug, Default)]
pub(crate) struct Names {
    written: Vec<String>,
    composed: Vec<String>,
    decoded: Vec<String>,
}

impl Names {
    /// Computes the forms of these file names.
    pub(crate) fn of<'a>(files: impl Iterator<Item = &'a str>) -> Self {
        let mut names = Self::default();
        for name in files {
            names.written.push(name.to_owned());
            names.composed.push(composed(name).into_owned());
            names.decoded.push(decoded(name));
        }
        names
    }

    /// The index of the file with this name. It compares the exact name first, then the composed form (NFC), then the
    /// percent-decoded form. The comparison is case-sensitive.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        // Percent-encoding makes a name at most three times as long.
        if name.is_empty() || self.written.is_empty() || name.len() > 3 * NAME_LIMIT {
            return None;
        }
        let among = |names: &[String], name: &str| names.iter().position(|known| known == name);
        let as_written = among(&self.written, name);
        let as_composed = || among(&self.composed, &composed(name));
        as_written.or_else(as_composed).or_else(|| among(&self.decoded, &decoded(name)))
    }
}

/// A text in composed form (NFC), in which equal letters have equal bytes.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    NFC.normalize(text)
}

fn decoded(text: &str) -> String {
    let decoded = String::from_utf8(percent_decoded(text.as_bytes()));
    decoded.map_or_else(|_| composed(text).into_owned(), |text| composed(&text).into_owned())
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [first, after @ ..] = rest {
        let pair = match after {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        bytes.push(pair.map_or(*first, |(high, low)| high << 4 | low));
        rest = if pair.is_some() { &after[2..] } else { after };
    }
    bytes
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_read_as_clients_write_it() {
        let check = |content_type: &str, expected: &str| {
            assert_eq!(boundary(content_type.as_bytes()).as_deref(), Ok(expected), "{content_type}");
        };
        check(
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        );
        check("multipart/form-data; boundary=\"a b;c\"", "a b;c");
        check("multipart/form-data; charset=utf-8; Boundary=----=_Part_1/2", "----=_Part_1/2");
        let missing = ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\""];
        for content_type in missing {
            let Err(Problem::Video(VideoProblem::BadForm(why))) = boundary(content_type.as_bytes()) else {
                panic!("{content_type}")
            };
            assert!(why.contains("the boundary is missing"), "{why}");
        }
        assert!(boundary(format!("multipart/form-data; boundary={}", "x".repeat(71)).as_bytes()).is_err());
    }

    #[test]
    fn file_names_are_read_from_both_kinds_of_parameters() {
        let check = |disposition: &[u8], expected: Option<&str>| {
            assert_eq!(name_in(disposition, "filename").as_deref(), expected);
        };
        check(b"form-data; name=\"images\"; filename=\"logo.png\"", Some("logo.png"));
        check(b"form-data; name=\"images\"; filename*=UTF-8''na%C3%AFve.png", Some("naïve.png"));
        check(b"form-data; filename*=iso-8859-1'en'na%EFve.png", Some("naïve.png"));
        check(b"form-data; filename=\"naive.png\"; filename*=utf-8''na%c3%afve.png", Some("naïve.png"));
        check(b"form-data; filename*=na%C3%AFve.png", Some("naïve.png"));
        check(b"form-data; filename*=\"UTF-8''a%20b.png\"", Some("a b.png"));
        // An invalid `filename*` does not hide a valid `filename`.
        check(b"form-data; filename*=UTF-8''%FF; filename=a.png", Some("a.png"));
        check(b"form-data; filename=\"na\xefve.png\"", Some("naïve.png"));
        check(b"form-data; filename=\"\"", Some(""));
        check(b"form-data; name=\"filename=x\"", None);
    }

    #[test]
    fn a_file_is_found_by_any_spelling_of_its_name() {
        let check = |names: &[&str], name: &str, expected: Option<usize>| {
            assert_eq!(Names::of(names.iter().copied()).find(name), expected, "{names:?} {name}");
        };
        check(&["a.png", "cafe\u{301}.png"], "café.png", Some(1));
        check(&["café.png"], "cafe\u{301}.png", Some(0));
        check(&["caf%C3%A9.png"], "café.png", Some(0));
        check(&["my logo.png"], "my%20logo.png", Some(0));
        check(&["\u{1112}\u{1161}\u{11ab}.png"], "한.png", Some(0));
        check(&["quote%22.png"], "quote\".png", Some(0));
        check(&["Logo.png"], "logo.png", None);
        // The exact name takes precedence.
        check(&["caf%C3%A9.png", "cafe\u{301}.png", "café.png"], "café.png", Some(2));
        check(&["100%.png"], "100%.png", Some(0));
        check(&["100%25.png", "100%.png"], "100%.png", Some(1));
        check(&[""], "", None);
        check(&[], "a.png", None);
        // Names of the maximum length, and longer ones.
        let (long, encoded) = ("é".repeat(NAME_LIMIT / 2), "%C3%A9".repeat(NAME_LIMIT / 2));
        check(&["a.png", &long], &encoded, Some(1));
        check(&["a.png", &long], &"e\u{301}".repeat(NAME_LIMIT / 2), Some(1));
        check(&["a.png", &long], &format!("{encoded}x"), None);
    }
}

//! Decodes request bodies: content codings, character sets and byte order marks (RFC 9110, 8.3 and 8.4).

use std::borrow::Cow;
use std::io::Read;

use encoding_rs::{Encoding, UTF_8, X_USER_DEFINED};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::problem::{Problem, RequestProblem};

/// The maximum number of nested content codings in one body.
const MOST_CODINGS: usize = 4;
/// The bytes that a coding may add to incompressible data, besides a small fraction of it: names and frames.
const FRAMES: usize = 64 * 1024;
/// The maximum length of a caller's word that an answer repeats, in characters.
const WORD: usize = 40;

/// A supported content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
}

/// The codings in a `Content-Encoding` header, in the order in which they were applied.
///
/// # Errors
/// [`RequestProblem::UnsupportedEncoding`].
pub(crate) fn codings(header: Option<&str>) -> Result<Vec<Coding>, Problem> {
    let names = header.unwrap_or_default().split(',').map(|name| name.trim().to_ascii_lowercase());
    let coding = |name: String| match name.as_str() {
        "gzip" | "x-gzip" => Ok(Coding::Gzip),
        "deflate" => Ok(Coding::Deflate),
        _ => Err(Problem::Request(RequestProblem::UnsupportedEncoding(format!(
            "`Content-Encoding: {}` is not supported; send `gzip`, `deflate`, or the body as it is",
            word(&name)
        )))),
    };
    let found: Vec<Coding> =
        names.filter(|name| !matches!(name.as_str(), "" | "identity")).map(coding).collect::<Result<_, _>>()?;
    if found.len() > MOST_CODINGS {
        let right = format!("`Content-Encoding` must name at most {MOST_CODINGS} codings");
        return Err(Problem::Request(RequestProblem::UnsupportedEncoding(right)));
    }
    Ok(found)
}

/// Decodes content codings. It never produces more than `limit` bytes, whatever a small body expands to, and never
/// reads many more, whatever little a large body contains.
///
/// # Errors
/// `too_large`, or [`RequestProblem::BadEncoding`].
pub(crate) fn decoded<'a>(
    body: &'a [u8],
    codings: &[Coding],
    limit: usize,
    too_large: Problem,
) -> Result<Cow<'a, [u8]>, Problem> {
    let mut content = Cow::Borrowed(body);
    for coding in codings.iter().rev() {
        if content.len() > limit + limit / 64 + FRAMES {
            return Err(too_large);
        }
        let inner = match coding {
            Coding::Gzip => read(MultiGzDecoder::new(&*content), limit),
            Coding::Deflate if is_zlib(&content) => read(ZlibDecoder::new(&*content), limit),
            // Some clients omit zlib's header and checksum.
            Coding::Deflate => read(DeflateDecoder::new(&*content), limit),
        };
        let name = match coding {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        };
        let inner = inner.ok_or(Problem::Request(RequestProblem::BadEncoding(name)))?;
        if inner.len() > limit {
            return Err(too_large);
        }
        content = Cow::Owned(inner);
    }
    if content.len() > limit { Err(too_large) } else { Ok(content) }
}

/// Reads at most one byte more than `limit`; none if the data is corrupt.
fn read(decoder: impl Read, limit: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether data begins with zlib's header (RFC 1950, 2.2).
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..]
        if method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31))
}

/// The reason why bytes can't be decoded as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextError {
    /// The named character set is not supported.
    Charset(String),
    /// The bytes are not valid in the named character set; the text says where or why.
    Invalid(String),
}

impl TextError {
    /// Converts the error to a problem; `invalid` makes the problem for bytes that are not valid.
    pub(crate) fn problem(self, invalid: impl FnOnce(String) -> Problem) -> Problem {
        match self {
            Self::Charset(label) => unsupported_charset(&label),
            Self::Invalid(why) => invalid(why),
        }
    }
}

/// The problem for a character set that is not supported.
pub(crate) fn unsupported_charset(label: &str) -> Problem {
    Problem::Request(RequestProblem::UnsupportedEncoding(format!(
        "`charset={}` is not supported here; send UTF-8",
        word(label)
    )))
}

/// Decodes bytes from the named character set, or from UTF-8 if none is named, and removes a byte order mark.
///
/// # Errors
/// [`TextError`].
pub(crate) fn text<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, TextError> {
    let encoding = match charset {
        None => UTF_8,
        Some(label) => encoding(label).ok_or_else(|| TextError::Charset(label.to_owned()))?,
    };
    match bytes {
        // A byte order mark is more reliable than a header that a client sends with every body.
        [0xef, 0xbb, 0xbf, rest @ ..] => utf_8(rest),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] if encoding == UTF_8 => {
            Err(TextError::Invalid("it is UTF-16; send it as UTF-8".to_owned()))
        }
        bytes if encoding == UTF_8 => utf_8(bytes),
        bytes => {
            let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
            text.ok_or_else(|| TextError::Invalid(format!("it is not in the character set {}", encoding.name())))
        }
    }
}

/// Whether a label means UTF-8 or a subset of it.
pub(crate) fn is_utf_8(label: &str) -> bool {
    encoding(label) == Some(UTF_8)
}

fn utf_8(bytes: &[u8]) -> Result<Cow<'_, str>, TextError> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        let byte = error.valid_up_to() + 1;
        TextError::Invalid(format!("it is not UTF-8 (byte {byte}); send UTF-8, or name the charset in `Content-Type`"))
    })
}

/// The encoding of a label (WHATWG Encoding), if it is a superset of ASCII.
fn encoding(label: &str) -> Option<&'static Encoding> {
    // Clients that declare ASCII and send other bytes send UTF-8.
    if ["", "us-ascii", "ascii"].iter().any(|known| label.trim().eq_ignore_ascii_case(known)) {
        return Some(UTF_8);
    }
    Encoding::for_label(label.as_bytes()).filter(|found| found.is_ascii_compatible() && *found != X_USER_DEFINED)
}

/// A parameter of a header such as `text/plain; charset="utf-8"` (RFC 9110, 5.6.6).
pub(crate) fn parameter(header: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut rest = header;
    loop {
        let start = rest.iter().position(|byte| *byte == b';')?;
        rest = rest[start + 1..].trim_ascii_start();
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';'))?;
        if rest[end] == b';' {
            continue;
        }
        let matches = rest[..end].trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        let (value, after) = match rest[end + 1..].trim_ascii_start() {
            [b'"', quoted @ ..] => unquoted(quoted),
            plain => {
                let end = plain.iter().position(|byte| *byte == b';').unwrap_or(plain.len());
                (plain[..end].trim_ascii_end().to_vec(), &plain[end..])
            }
        };
        if matches {
            return Some(value);
        }
        rest = after;
    }
}

/// The value of a quoted string, and the rest of the header after it.
fn unquoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut value, mut rest) = (Vec::new(), text);
    loop {
        rest = match rest {
            [] => return (value, rest),
            [b'"', after @ ..] => return (value, after),
            // Browsers do not escape the backslashes of file names.
            [b'\\', quoted @ (b'"' | b'\\'), after @ ..] => {
                value.push(*quoted);
                after
            }
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
        };
    }
}

fn word(text: &str) -> String {
    text.chars().take(WORD).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(body: &[u8], header: &str) -> Result<Vec<u8>, Problem> {
        let codings = codings(Some(header))?;
        decoded(body, &codings, 1000, Problem::Request(RequestProblem::BodyTooLarge)).map(Cow::into_owned)
    }

    #[test]
    fn the_last_coding_is_decoded_first() {
        let text = b"{\"title\": \"Com\xc3\xa9die\"}".as_slice();
        let check = |body: Vec<u8>, header: &str| assert_eq!(decode(&body, header), Ok(text.to_vec()), "{header}");
        check(text.to_vec(), "identity");
        check(gzip(text), "gzip");
        check(gzip(text), "X-GZIP, identity");
        check(zlib(text), "deflate");
        check(raw_deflate(text), "deflate");
        check(gzip(&zlib(text)), "deflate, gzip");
        check([gzip(&text[..5]), gzip(&text[5..])].concat(), " gzip ");
    }

    #[test]
    fn a_decompression_bomb_is_refused_without_decompressing_it_whole() {
        let bomb = gzip(&vec![b' '; 50_000_000]);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert_eq!(decode(&bomb, "gzip"), Err(Problem::Request(RequestProblem::BodyTooLarge)));
        assert_eq!(decode(&gzip(&bomb), "gzip, gzip"), Err(Problem::Request(RequestProblem::BodyTooLarge)));
        assert_eq!(decode(&[b' '; 1001], ""), Err(Problem::Request(RequestProblem::BodyTooLarge)));
        assert_eq!(decode(&gzip(&[b' '; 1000]), "gzip").map(|bytes| bytes.len()), Ok(1000));
    }

    #[test]
    fn a_large_body_with_little_content_is_refused_before_decoding() {
        let empty = gzip(b"");
        assert_eq!(decode(&empty.repeat(10_000), "gzip"), Err(Problem::Request(RequestProblem::BodyTooLarge)));
        assert_eq!(
            decode(&[gzip(b"{}"), empty.repeat(10_000)].concat(), "gzip"),
            Err(Problem::Request(RequestProblem::BodyTooLarge))
        );
        assert_eq!(decode(&[empty.repeat(100), gzip(b"{}"), empty.repeat(100)].concat(), "gzip"), Ok(b"{}".to_vec()));
        // Incompressible data becomes a little larger.
        let noise: Vec<u8> = (0..1000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert_eq!(decode(&gzip(&noise), "gzip"), Ok(noise));
    }

    #[test]
    fn unsupported_codings_and_corrupt_bodies_are_named() {
        for header in ["br", "zstd", "compress", "gzip, br", "gzip;q=1", &"x".repeat(10_000)] {
            let Err(Problem::Request(RequestProblem::UnsupportedEncoding(sentence))) = decode(b"{}", header) else {
                panic!("{header}")
            };
            assert!(sentence.len() < 200 && sentence.contains("`gzip`"), "{sentence}");
        }
        assert!(matches!(
            decode(b"{}", "gzip,gzip,gzip,gzip,gzip"),
            Err(Problem::Request(RequestProblem::UnsupportedEncoding(_)))
        ));
        let whole = gzip(b"{\"a\": 1}");
        for damaged in [b"{\"a\": 1}".as_slice(), &whole[..whole.len() - 3], b""] {
            assert_eq!(decode(damaged, "gzip"), Err(Problem::Request(RequestProblem::BadEncoding("gzip"))));
        }
        assert_eq!(decode(b"{\"a\": 1}", "deflate"), Err(Problem::Request(RequestProblem::BadEncoding("deflate"))));
    }

    #[test]
    fn text_is_decoded_from_the_declared_character_set() {
        let check = |bytes: &[u8], charset: Option<&str>, expected: &str| {
            assert_eq!(text(bytes, charset), Ok(Cow::Borrowed(expected)), "{charset:?}");
        };
        check(b"\xef\xbb\xbf{}", None, "{}");
        check(b"\xef\xbb\xbf\xc3\xa9", Some("iso-8859-1"), "é");
        check(b"Com\xe9die", Some("iso-8859-1"), "Comédie");
        check(b"10 \x80", Some("Windows-1252"), "10 €");
        check(b"10 \xa4", Some("iso-8859-15"), "10 €");
        check(b"\x83J", Some("shift_jis"), "カ");
        check(b"\xc3\xa9", Some("us-ascii"), "é");
        check(b"\xc3\xa9", Some(" UTF-8 "), "é");
    }

    #[test]
    fn invalid_bytes_are_refused_and_not_replaced() {
        let check = |bytes: &[u8], charset: Option<&str>, part: &str| match text(bytes, charset) {
            Err(TextError::Invalid(why)) => assert!(why.contains(part), "{why}"),
            other => panic!("{other:?}"),
        };
        check(b"Com\xe9die", None, "byte 4");
        check(b"\xf0\x9f", Some("utf-8"), "byte 1");
        check(b"\xed\xa0\x80", None, "byte 1");
        check(b"\xff\xfe{\0}\0", None, "UTF-16");
        check(b"\xfe\xff\0{\0}", Some("utf-8"), "UTF-16");
        check(b"\x83", Some("shift_jis"), "Shift_JIS");
        for label in ["utf-16", "utf-7", "x-user-defined", "iso-2022-jp", "klingon"] {
            assert_eq!(text(b"{}", Some(label)), Err(TextError::Charset(label.to_owned())));
        }
    }

    #[test]
    fn parameters_are_found_with_and_without_quotes() {
        let check = |header: &str, name: &str, expected: Option<&str>| {
            let found = parameter(header.as_bytes(), name);
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{header}");
        };
        check("application/json;charset=utf-8", "charset", Some("utf-8"));
        check("application/json; a=b ; CharSet = \"UTF-8\"", "charset", Some("UTF-8"));
        check("form-data; name=\"a;b=c\"; filename=\"x \\\"y\\\".png\"", "filename", Some("x \"y\".png"));
        check("form-data; filename=\"C:\\new\\a.png\"", "filename", Some("C:\\new\\a.png"));
        check("multipart/form-data; boundary=----=_Part/1", "boundary", Some("----=_Part/1"));
        check("form-data; filename*=UTF-8''a.png", "filename", None);
        check("application/json; charset", "charset", None);
        check("application/json", "charset", None);
        check("application/json; x=\"open", "charset", None);
        check("application/json;;charset=a", "charset", Some("a"));
    }
}

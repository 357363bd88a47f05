//! The text of a response that is shown with an attempt: decompressed, decoded by its character set, and cut.

use crate::outbound::OutboundResponse;

/// How many characters are kept.
const KEPT: usize = 1024;
/// The most bytes that these characters take.
const START: usize = 4 * KEPT;

/// Bytes 80 to 9F in windows-1252, which browsers use for ISO 8859-1 too.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The start of a body, or the reason in brackets why it cannot be shown.
pub(super) fn text(response: &OutboundResponse) -> String {
    let bytes = response.body.len();
    let start = match response.decoded_start(START) {
        Ok(start) => start,
        Err(error) => return format!("[{bytes} bytes: {error}]"),
    };
    match read(&start, &charset(response)) {
        Some(text) => text.chars().take(KEPT).collect(),
        None => format!("[{bytes} bytes that are no text]"),
    }
}

/// The character set that a response declares, in lower case.
fn charset(response: &OutboundResponse) -> String {
    let parameters = response.header("content-type").unwrap_or_default().split(';').skip(1);
    let mut named = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    named.next().unwrap_or_default()
}

fn read(bytes: &[u8], charset: &str) -> Option<String> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return Some(String::from_utf8_lossy(rest).into_owned()),
        [0xff, 0xfe, rest @ ..] => return Some(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => return Some(utf16(rest, u16::from_be_bytes)),
        _ => {}
    }
    match charset {
        "utf-16" | "utf-16le" => return Some(utf16(bytes, u16::from_le_bytes)),
        "utf-16be" => return Some(utf16(bytes, u16::from_be_bytes)),
        "iso-8859-1" | "latin1" | "windows-1252" | "cp1252" => return Some(windows_1252(bytes)),
        _ => {}
    }
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Some(text.to_owned()),
        Err(error) => error,
    };
    let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
    match error.error_len() {
        // The last character was cut.
        None => Some(valid.into_owned()),
        Some(_) if bytes.iter().copied().any(is_binary) => None,
        Some(_) if charset.is_empty() => Some(windows_1252(bytes)),
        Some(_) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// Whether a byte never occurs in text (WHATWG, MIME Sniffing, 3).
fn is_binary(byte: u8) -> bool {
    matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f)
}

fn windows_1252(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte {
        0x80..=0x9f => HIGH[usize::from(*byte - 0x80)],
        _ => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};

    use super::*;
    use crate::outbound::samples::{gzip, response};

    #[test]
    fn a_compressed_response_is_decoded() {
        let plain = "Série: the queue is full".as_bytes();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(plain).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(plain).unwrap();
        let packed = gzip(plain);
        for (coding, body) in [
            ("gzip", packed.clone()),
            ("x-gzip", packed.clone()),
            ("GZIP", packed.clone()),
            ("identity, gzip", packed.clone()),
            ("gzip, gzip", gzip(&packed)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", deflate.finish().unwrap()),
            ("identity", plain.to_vec()),
            ("", plain.to_vec()),
            // The header is wrong.
            ("gzip", plain.to_vec()),
        ] {
            let response = response(&[("content-encoding", coding)], &body);
            assert_eq!(text(&response), "Série: the queue is full", "{coding}");
        }
        // A body that was cut is decoded as far as possible.
        let long = gzip(&"no. ".repeat(100_000).into_bytes());
        assert_eq!(text(&response(&[("content-encoding", "gzip")], &long)), "no. ".repeat(256));
        let start = text(&response(&[("content-encoding", "gzip")], &long[..long.len() / 2]));
        assert_eq!(start, "no. ".repeat(256));
        for coding in ["br", "zstd", "gzip, br", "gzip, gzip, gzip"] {
            let shown = text(&response(&[("content-encoding", coding)], b"\x8b\x03\x80"));
            assert!(shown.starts_with("[3 bytes: its content coding is `"), "{shown}");
        }
    }

    #[test]
    fn a_response_in_another_character_set_is_decoded() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for (kind, body, expected) in [
            ("text/plain", b"S\xe9rie \x96 \x80 5".to_vec(), "Série – € 5"),
            ("text/plain; charset=ISO-8859-1", b"S\xe9rie".to_vec(), "Série"),
            ("text/plain;charset=\"windows-1252\"", b"\x93no\x94".to_vec(), "“no”"),
            ("text/plain; charset=utf-8", "Série 🎬".as_bytes().to_vec(), "Série 🎬"),
            ("text/plain; charset=utf-8", b"a\xffb".to_vec(), "a\u{fffd}b"),
            ("text/plain", b"\xef\xbb\xbfno".to_vec(), "no"),
            ("text/plain", [b"\xff\xfe".to_vec(), utf16("Série 🎬")].concat(), "Série 🎬"),
            ("text/plain; charset=utf-16le", utf16("nein"), "nein"),
            ("text/plain; charset=shift_jis", b"no \x83e".to_vec(), "no \u{fffd}e"),
            ("application/octet-stream", b"\x00\x01\xff\xfe".to_vec(), "[4 bytes that are no text]"),
            ("", Vec::new(), ""),
        ] {
            assert_eq!(text(&response(&[("content-type", kind)], &body)), expected, "{kind}");
        }
        // The body ends within a character.
        assert_eq!(text(&response(&[], &"é".repeat(10).as_bytes()[..19])), "é".repeat(9));
    }
}

//! Decompresses response bodies within a limit. Some servers compress them although the request does not accept it, and
//! the client does not decode them.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reelhook_domain::brief;
use serde_json::Value;

use super::OutboundResponse;
use crate::json;

/// The maximum number of content codings of one body.
const CODINGS: usize = 2;
/// The maximum size of a JSON body, in bytes.
const JSON: usize = 1024 * 1024;

/// The error of a body that can't be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The decompressed body is larger than the limit.
    #[error("it is too large after decompression")]
    TooLarge,
    /// The body is not in the content coding that its header names.
    #[error("it is not valid `{0}`")]
    Damaged(String),
    /// The content coding is not supported.
    #[error("its content coding is `{0}`; only gzip and deflate are supported")]
    Unknown(String),
}

impl OutboundResponse {
    /// The body with its content codings (gzip and deflate) decoded.
    ///
    /// # Errors
    /// [`DecodeError`]; no more than about `limit` bytes are ever decompressed.
    pub fn decoded(&self, limit: usize) -> Result<Cow<'_, [u8]>, DecodeError> {
        let mut body = Cow::Borrowed(self.body.as_ref());
        for coding in self.codings()? {
            let unpacked = unpack(&body, &coding, limit)?;
            if unpacked.more {
                return Err(DecodeError::TooLarge);
            }
            if unpacked.damaged {
                return Err(DecodeError::Damaged(coding));
            }
            body = Cow::Owned(unpacked.bytes);
        }
        if body.len() > limit { Err(DecodeError::TooLarge) } else { Ok(body) }
    }

    /// The first `limit` bytes of the decoded body, as far as it arrived and can be decompressed.
    ///
    /// # Errors
    /// [`DecodeError::Unknown`].
    pub fn decoded_start(&self, limit: usize) -> Result<Cow<'_, [u8]>, DecodeError> {
        let mut body = Cow::Borrowed(&self.body[..self.body.len().min(limit)]);
        for (number, coding) in self.codings()?.into_iter().enumerate() {
            let packed: &[u8] = if number == 0 { &self.body } else { &body };
            let unpacked = unpack(packed, &coding, limit)?;
            // A body that is not compressed, although its header says so, is used as it is.
            if !(unpacked.damaged && unpacked.bytes.is_empty()) {
                body = Cow::Owned(unpacked.bytes);
            }
        }
        Ok(body)
    }

    /// The decoded body as JSON; none if it is not JSON, or nested too deeply.
    pub fn json(&self) -> Option<Value> {
        json::parse(&self.decoded(JSON).ok()?).ok()
    }

    /// The decoded body as JSON; none also if it broke off or was cut.
    pub fn whole_json(&self) -> Option<Value> {
        if self.cut_short.is_some() || self.truncated { None } else { self.json() }
    }

    /// The content codings of the body, the last one first.
    fn codings(&self) -> Result<Vec<String>, DecodeError> {
        if self.body.is_empty() {
            return Ok(Vec::new());
        }
        let named = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
        let codings = named.flat_map(|(_, value)| value.split(',')).map(|coding| coding.trim().to_ascii_lowercase());
        let mut codings: Vec<String> = codings.filter(|coding| !matches!(coding.as_str(), "" | "identity")).collect();
        codings.reverse();
        if codings.len() > CODINGS { Err(DecodeError::Unknown(brief(&codings.join(", ")))) } else { Ok(codings) }
    }
}

/// The result of decoding a content coding.
struct Unpacked {
    bytes: Vec<u8>,
    /// Whether the content is longer than the limit.
    more: bool,
    /// Whether the body is incomplete or not in this coding.
    damaged: bool,
}

fn unpack(packed: &[u8], coding: &str, limit: usize) -> Result<Unpacked, DecodeError> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = match coding {
        "gzip" | "x-gzip" => MultiGzDecoder::new(packed).take(most).read_to_end(&mut bytes),
        "deflate" if is_zlib(packed) => ZlibDecoder::new(packed).take(most).read_to_end(&mut bytes),
        // Some servers send deflate data without zlib's header and checksum.
        "deflate" => DeflateDecoder::new(packed).take(most).read_to_end(&mut bytes),
        other => return Err(DecodeError::Unknown(brief(other))),
    };
    let more = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Unpacked { bytes, more, damaged: read.is_err() })
}

/// Whether bytes begin with zlib's header (RFC 1950), which has a checksum of its own.
fn is_zlib(bytes: &[u8]) -> bool {
    let [method, flags, ..] = *bytes else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};
    use serde_json::json;

    use super::*;
    use crate::outbound::samples::{gzip, response};

    /// A response whose body has this content coding.
    fn coded(coding: &str, body: &[u8]) -> OutboundResponse {
        response(&[("Content-Encoding", coding)], body)
    }

    #[test]
    fn supported_codings_are_decoded() {
        let plain: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&plain).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(&plain).unwrap();
        for (coding, body) in [
            ("gzip", gzip(&plain)),
            ("x-gzip", gzip(&plain)),
            (" GZip ,", gzip(&plain)),
            ("gzip, identity", gzip(&plain)),
            ("gzip, gzip", gzip(&gzip(&plain))),
            // A gzip body may have several members.
            ("gzip", [gzip(&plain[..100]), gzip(&plain[100..])].concat()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", deflate.finish().unwrap()),
            ("identity", plain.clone()),
            ("", plain.clone()),
        ] {
            let response = coded(coding, &body);
            assert_eq!(response.decoded(5000).as_deref(), Ok(plain.as_slice()), "{coding}");
            assert_eq!(response.decoded(4999), Err(DecodeError::TooLarge), "{coding}");
        }
        let empty = coded("gzip", &[]);
        assert_eq!(empty.decoded(0).as_deref(), Ok(b"".as_slice()), "an empty body is not compressed");
    }

    #[test]
    fn corrupt_bodies_and_unknown_codings_are_errors() {
        let packed = gzip(b"an image");
        let mut wrong_sum = packed.clone();
        let place = packed.len() - 8;
        wrong_sum[place] ^= 1;
        for (coding, body) in [
            ("gzip", packed[..packed.len() - 1].to_vec()),
            ("gzip", packed[..12].to_vec()),
            ("gzip", wrong_sum),
            ("gzip", b"\x89PNG".to_vec()),
            ("deflate", vec![0xff; 50]),
            ("gzip, deflate", packed.clone()),
        ] {
            let damaged = coded(coding, &body).decoded(1000).expect_err(coding);
            assert!(matches!(damaged, DecodeError::Damaged(_)), "{coding}: {damaged:?}");
        }
        for coding in ["br", "zstd", "compress", "gzip, br", "gzip, gzip, gzip", "no such thing"] {
            let unknown = coded(coding, &packed).decoded(1000).expect_err(coding);
            assert!(matches!(unknown, DecodeError::Unknown(_)), "{coding}: {unknown:?}");
        }
        let long = coded(&"x".repeat(1 << 20), &packed).decoded(1000).expect_err("no coding");
        assert!(long.to_string().len() < 300, "{}", long.to_string().len());
    }

    #[test]
    fn json_that_unpacks_to_ever_deeper_json_is_none() {
        let levels = |text: &str| format!("{}{text}{}", "[".repeat(90), "]".repeat(90));
        let deep = levels("1");
        assert!(response(&[], deep.as_bytes()).json().is_some());
        let hidden = json!({ "$serde_json::private::RawValue": deep }).to_string();
        for body in [levels(&deep), hidden.clone(), levels(&hidden), format!("{{\"retry_after\":{hidden}}}")] {
            assert_eq!(response(&[], body.as_bytes()).json(), None, "{body}");
        }
    }

    #[test]
    fn a_decompression_bomb_costs_no_more_than_the_limit() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        for (coding, body) in [("gzip", bomb.clone()), ("gzip, gzip", gzip(&bomb))] {
            let response = coded(coding, &body);
            assert_eq!(response.decoded(1 << 20), Err(DecodeError::TooLarge), "{coding}");
            assert_eq!(response.decoded_start(1000).as_deref(), Ok([0; 1000].as_slice()), "{coding}");
        }
    }
}

//! Bodies that servers compressed without being asked to. The client leaves them as they are; callers that need the
//! content decompress it here, within a limit.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reelhook_domain::brief;
use serde_json::Value;

use super::OutboundResponse;

/// Content codings of one body, at most.
const CODINGS: usize = 2;
/// Bytes of JSON.
const JSON: usize = 1024 * 1024;

/// Why a body can't be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The decompressed body is larger than the limit.
    #[error("it is too large after decompression")]
    TooLarge,
    /// It is not what its header says.
    #[error("it is not valid `{0}`")]
    Damaged(String),
    /// Its content coding is not supported.
    #[error("its content coding is `{0}`; only gzip and deflate are supported")]
    Unknown(String),
}

impl OutboundResponse {
    /// What is in the body, its content codings undone (gzip and deflate).
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

    /// The first `limit` bytes of what is in the body, as far as it arrived and can be decompressed.
    ///
    /// # Errors
    /// [`DecodeError::Unknown`].
    pub fn decoded_start(&self, limit: usize) -> Result<Cow<'_, [u8]>, DecodeError> {
        let mut body = Cow::Borrowed(&self.body[..self.body.len().min(limit)]);
        for (number, coding) in self.codings()?.into_iter().enumerate() {
            let packed: &[u8] = if number == 0 { &self.body } else { &body };
            let unpacked = unpack(packed, &coding, limit)?;
            // A body that is not compressed, although its header says so, is shown as it is.
            if !(unpacked.damaged && unpacked.bytes.is_empty()) {
                body = Cow::Owned(unpacked.bytes);
            }
        }
        Ok(body)
    }

    /// The decompressed body as JSON; none if it is not JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.decoded(JSON).ok()?).ok()
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

/// The result of undoing a content coding.
struct Unpacked {
    bytes: Vec<u8>,
    /// Whether there was more than the limit.
    more: bool,
    /// Whether it was incomplete or not in this coding.
    damaged: bool,
}

fn unpack(packed: &[u8], coding: &str, limit: usize) -> Result<Unpacked, DecodeError> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = match coding {
        "gzip" | "x-gzip" => MultiGzDecoder::new(packed).take(most).read_to_end(&mut bytes),
        "deflate" if is_zlib(packed) => ZlibDecoder::new(packed).take(most).read_to_end(&mut bytes),
        // Without zlib's frame, as some servers mean it.
        "deflate" => DeflateDecoder::new(packed).take(most).read_to_end(&mut bytes),
        other => return Err(DecodeError::Unknown(brief(other))),
    };
    let more = bytes.len() > limit;
    bytes.truncate(limit);
    Ok(Unpacked { bytes, more, damaged: read.is_err() })
}

/// Whether bytes begin with zlib's header (RFC 1950), which is a check of itself.
fn is_zlib(bytes: &[u8]) -> bool {
    let [method, flags, ..] = *bytes else { return false };
    method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};

    use super::*;
    use crate::outbound::samples::{gzip, response};

    /// A response whose body has this content coding.
    fn coded(coding: &str, body: &[u8]) -> OutboundResponse {
        response(&[("Content-Encoding", coding)], body)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
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
            // Packed in parts.
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
        assert_eq!(empty.decoded(0).as_deref(), Ok(b"".as_slice()), "a body that is not there is not packed");
    }

    #[test]
    fn what_is_damaged_or_unknown_is_an_error() {
        let packed = gzip(b"a picture");
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
    fn a_bomb_costs_no_more_than_the_limit() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        for (coding, body) in [("gzip", bomb.clone()), ("gzip, gzip", gzip(&bomb))] {
            let response = coded(coding, &body);
            assert_eq!(response.decoded(1 << 20), Err(DecodeError::TooLarge), "{coding}");
            assert_eq!(response.decoded_start(1000).as_deref(), Ok([0; 1000].as_slice()), "{coding}");
        }
    }
}

//! Responses and compressed bodies for unit tests.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::OutboundResponse;

/// A complete response with these headers and this body.
pub(crate) fn response(headers: &[(&str, &str)], body: &[u8]) -> OutboundResponse {
    OutboundResponse {
        status: 200,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_vec().into(),
        truncated: false,
        cut_short: None,
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
        peer: None,
    }
}

/// Compresses bytes as one gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
